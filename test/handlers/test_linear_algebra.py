"""Products of matrices of all ranks and dtypes."""

from __future__ import annotations

import numpy as np
import pytest

from test.handlers.check import check_op

rng = np.random.default_rng(0)
SHAPES = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 4)),
    ((5, 2, 3), (3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((1, 2, 3), (5, 3, 4)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 2)),
    ((2, 3), (5, 3, 2)),
    ((0, 3), (3, 2)),
    ((2, 0), (0, 3)),
    ((4, 0, 3), (3, 2)),
    ((2, 1, 4, 3), (5, 3, 2)),
]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_matmul(shapes):
    a, b = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    check_op("MatMul", [a, b], reference=[a @ b])
    check_op("MatMul", [a, b], reference=[a @ b], constants=[1])


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint32, np.uint64, np.float16, np.float64])
def test_matmul_dtypes(dtype):
    a, b = rng.integers(0, 99, [2, 3, 4]).astype(dtype), rng.integers(0, 99, [4, 5]).astype(dtype)
    check_op("MatMul", [a, b], reference=[a @ b], rtol=1e-3)


def test_integers_wrap_around():
    a, b = np.array([[2**31 - 1, 3]], np.int32), np.array([[2], [5]], np.int32)
    check_op("MatMul", [a, b], reference=[a @ b])
    check_op(
        "MatMul", [a.astype(np.uint32), b.astype(np.uint32)], reference=[a.astype(np.uint32) @ b.astype(np.uint32)]
    )


@pytest.mark.parametrize("transposed", [(0, 0), (1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("shape", [None, (5,), (1, 5), (3, 1), (1,), ()])
def test_gemm(transposed, shape):
    a, b = rng.normal(size=[3, 4]).astype(np.float32), rng.normal(size=[4, 5]).astype(np.float32)
    c = None if shape is None else rng.normal(size=shape).astype(np.float32)
    inputs = [a.T if transposed[0] else a, b.T if transposed[1] else b, c]
    attributes = {"transA": transposed[0], "transB": transposed[1]}
    check_op("Gemm", inputs, attributes, constants=[1])
    check_op("Gemm", inputs, attributes | {"alpha": 0.5, "beta": 2.0}, through=["dynamic"])


def test_gemm_of_integers_and_old_versions():
    a, b, c = (rng.integers(-9, 9, shape).astype(np.int32) for shape in ([3, 4], [4, 3], [3]))
    check_op("Gemm", [a, b, c], reference=[a @ b + c])
    floats = [x.astype(np.float32) for x in (a, b, c)]
    for opset in (1, 6):
        check_op("Gemm", floats, {"broadcast": 1}, opset=opset, reference=[(a @ b + c).astype(np.float32)])


EQUATIONS = [
    ("ij,jk->ik", [(2, 3), (3, 4)]),
    ("ij,jk", [(2, 3), (3, 4)]),
    ("...ij,...jk->...ik", [(5, 2, 3), (3, 4)]),
    ("ii->i", [(3, 3)]),
    ("ii", [(3, 3)]),
    ("bii->bi", [(2, 3, 3)]),
    ("iij,jk->ik", [(3, 3, 2), (2, 4)]),
    ("ij->ji", [(2, 3)]),
    ("ba", [(2, 3)]),
    ("ij->", [(2, 3)]),
    (",ij->ij", [(), (2, 3)]),
    ("...,...->...", [(2, 3), (3,)]),
    ("bij,bjk,bkl->bil", [(2, 3, 4), (2, 4, 5), (2, 5, 2)]),
    (" b h i d , b h j d -> b h i j ", [(1, 2, 3, 4), (1, 2, 5, 4)]),
    ("Ab,bC->AC", [(2, 3), (3, 4)]),
]


@pytest.mark.parametrize(("equation", "shapes"), EQUATIONS)
def test_einsum(equation, shapes):
    for dtype in (np.float32, np.int32):
        operands = [np.asarray(rng.normal(size=shape) * 4).astype(dtype) for shape in shapes]
        expected = np.einsum(equation.replace(" ", ""), *operands)
        check_op("Einsum", operands, {"equation": equation}, reference=[expected])


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.uint32, np.uint64, np.float16])
def test_einsum_dtypes(dtype):
    a, b = rng.integers(0, 5, [2, 3]).astype(dtype), rng.integers(0, 5, [3, 4]).astype(dtype)
    check_op("Einsum", [a, b], {"equation": "ij,jk->ik"}, reference=[a @ b])


@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 3), (0, 2, 2)])
def test_det(shape):
    x = rng.normal(size=shape).astype(np.float32)
    check_op("Det", [x], reference=[np.linalg.det(x)])


def test_products_of_empty_matrices():
    for dtype in (np.float32, np.uint8):
        for shape in [(2, 3, 0), (2, 0, 0), (0, 3, 0)]:
            expected = [np.zeros((*shape[:2], 4), dtype)]
            check_op("MatMul", [np.zeros(shape, dtype), np.zeros((0, 4), dtype)], reference=expected)
