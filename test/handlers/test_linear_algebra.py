"""Products of matrices of all ranks and dtypes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx_tf import prepare
from test.handlers.check import check_op, compare
from test.handlers.strategies import few, normal
from test.reference import ort_outputs

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


BROADCAST = [  # an index of sizes 1 and n
    ("ij,jk->ik", [(2, 1), (3, 4)]),
    ("ij,jk->ijk", [(2, 1), (3, 4)]),
    ("ij,jk->kji", [(2, 3), (1, 4)]),
    ("ij,jk", [(2, 3), (1, 4)]),
    ("ij,ij", [(1, 3), (2, 1)]),
    ("bij,bjk->bik", [(1, 2, 3), (5, 3, 4)]),
    ("bij,bjk->kbi", [(5, 2, 3), (1, 1, 4)]),
    ("ii,ij->ij", [(1, 1), (3, 2)]),
    ("ij,ii->j", [(1, 2), (3, 3)]),
    ("i,i,i->i", [(1,), (3,), (1,)]),
    ("i,i->i", [(1,), (1,)]),
    ("i,i->i", [(1,), (0,)]),
    ("...i,...i->...", [(1, 2, 3), (4, 1, 1)]),
    ("i...j,j...->...i", [(2, 3, 1), (4, 3)]),
    ("...ij,ij->...", [(4, 1, 3), (2, 3)]),
]


@pytest.mark.parametrize(("equation", "shapes"), BROADCAST)
def test_einsum_broadcasts(equation, shapes):
    operands = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    expected = [np.einsum(equation, *operands)]
    through = ("static", "dynamic", "export") if equation == "bij,bjk->kbi" else ("static", "dynamic")
    check_op("Einsum", operands, {"equation": equation}, through=through, reference=expected)


@few
@given(data=st.data())
def test_einsum_of_drawn_equations(data):
    sizes = dict(zip("abcd", data.draw(st.lists(st.integers(0, 3), min_size=4, max_size=4)), strict=True))
    terms = data.draw(st.lists(st.permutations("abcd").map(lambda p: p[:2]), min_size=2, max_size=3))
    shapes = [[data.draw(st.sampled_from([sizes[letter], 1])) for letter in term] for term in terms]
    used = sorted({letter for term in terms for letter in term})
    result = data.draw(st.permutations(used))[: data.draw(st.integers(0, len(used)))]
    equation = f"{','.join(map(''.join, terms))}->{''.join(result)}"
    operands = [normal(data, *shape) for shape in shapes]
    way = data.draw(st.sampled_from([("static",), ("dynamic",)]))
    reference = [np.einsum(equation, *operands)]
    check_op("Einsum", operands, {"equation": equation}, through=way, reference=reference)


@pytest.mark.parametrize("unknown", [1, 2])
@pytest.mark.parametrize("shape", [("N", 3, 1, 1), (2, 3, 1, 1), ("N", 3, 4, 1)])
def test_einsum_that_broadcasts_after_convolutions(shape, unknown):
    """In the memory order of the convolutions before and after it, and with the shape that it has."""
    text = f"""<ir_version: 8, opset_import: ["": 17]>
    agraph (float[2, 3, 4, 5] x, float[{", ".join(map(str, shape))}] s, float[3, 3, 1, 1] w) => (float[a, b, c, d] y) {{
        a = Conv (x, w)
        g = Conv (s, w)
        e = Einsum <equation = "nchw,nchw->nchw"> (g, a)
        y = Conv (e, w)
    }}"""
    model = onnx.parser.parse_model(text)
    sizes = [unknown if dim == "N" else dim for dim in shape]
    feed = {
        n: rng.normal(size=s).astype(np.float32) for n, s in (("x", [2, 3, 4, 5]), ("s", sizes), ("w", [3, 3, 1, 1]))
    }
    rep = prepare(model)
    compare(list(ort_outputs(model, feed).values()), [rep.run(feed)["y"]], rtol=1e-4, atol=1e-4)


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
