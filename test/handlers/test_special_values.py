"""Every operator of floats with NaN, infinities, zeros of both signs, denormals and the largest numbers.

ONNX Runtime and the reference evaluator (numpy) do not always agree; each number must be that of one of
them. TensorFlow takes denormals for zero, so the answers for zeros in their place count as well.
"""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from onnx_tf import prepare
from test.handlers import table_any_rank, table_fixed, table_images, table_microsoft  # noqa: F401
from test.handlers.branches import branched, check_branches
from test.handlers.check import check_op
from test.handlers.table import FIXED, MORE, ROWS, Case, Source
from test.reference import ort_outputs

DIMS = (2, 8, 4, 3)
INF, NAN, MOST, TINY = math.inf, math.nan, float(np.finfo(np.float32).max), 1e-40
POOLS = ("MaxPool", "MaxPool padded", "MaxPool same", "MaxRoiPool")
CONVOLUTIONS = (
    *("Conv", "Conv of variable filters", "Conv dilated", "Conv depthwise"),
    *("ConvTranspose", "ConvTranspose of stride 2"),
)
SUMS = (
    "Sum",
    "Mean",
    "GlobalAveragePool",
    *(f"Reduce{n}{form}" for n in ("Mean", "Sum") for form in ("", " without dims")),
)
PRODUCTS = (
    *("ReduceProd", "ReduceProd without dims", "Einsum", "Det", "com.microsoft.Inverse"),
    *("MatMul", "com.microsoft.FusedMatMul", "com.microsoft.TransposeMatMul"),
    *("Gemm", "Gemm scaled", "com.microsoft.FusedGemm", "GRU", "Attention", "com.microsoft.MultiHeadAttention"),
    "DeformConv",
    "com.microsoft.ConvTransposeWithDynamicPads",
    *(f"com.microsoft.{n}" for n in ("DecoderMaskedMultiHeadAttention", "LinearAttention", "QAttention")),
    *(f"com.microsoft.{n}" for n in ("GroupQueryAttention", "RotaryEmbedding", "MRotaryEmbedding")),
)
QUANTIZED = ("DynamicQuantizeLinear", "com.microsoft.DynamicQuantizeMatMul", "com.microsoft.DynamicQuantizeLSTM")
LOOSE = {"com.microsoft.QMoE"}
"""What ONNX Runtime computes with other roundings, up to 1e-2 off."""
ZEROED = ("com.microsoft.GroupQueryAttention", "com.microsoft.MoE")
MERGED = ("com.microsoft.FusedGemm", "com.microsoft.FusedConv")
DISTANCES = ("com.microsoft.CDist",)
UNLIKE = {
    "NaN": {
        *("com.microsoft.Inverse", "Softmax", "Softmax last", "LRN"),
        *(*QUANTIZED, *POOLS, *MERGED, *ZEROED),
    },
    "infinities": {
        *("Softmax", "Softmax last", "LRN", "Resize", *QUANTIZED, *ZEROED),
        *("Conv of variable filters", "Conv dilated", *MERGED, "GridSample", *DISTANCES),
        "com.microsoft.GridSample",
    },
    "zeros": {"com.microsoft.Inverse"},
    "denormals": {"com.microsoft.Inverse"},
    "largest": {*SUMS, *PRODUCTS, *CONVOLUTIONS, *DISTANCES, *MERGED, "LRN"},
    "minus infinity": {
        *("LRN", "Resize", "Conv dilated", *QUANTIZED, *ZEROED),
        *("GridSample", "com.microsoft.GridSample", *DISTANCES, *MERGED),
    },
    "largest of one sign": {*PRODUCTS, *CONVOLUTIONS, *DISTANCES, *MERGED, "LRN"},
    "largest alone": {
        *(f"com.microsoft.{n}" for n in ("GroupQueryAttention", "QAttention", "DecoderMaskedMultiHeadAttention")),
        *("com.microsoft.LinearAttention", "com.microsoft.ConvTransposeWithDynamicPads", "LRN", *DISTANCES, *MERGED),
    },
}
"""Cases that differ, see doc/accuracy.md for why."""


class Special(Source):
    """Gives the special numbers, one in four elements or a single one, and others."""

    def __init__(self, numbers: tuple[float, ...], *, alone: bool = False) -> None:
        super().__init__()
        self.numbers = np.array(numbers, np.float32)
        self.alone = alone

    def floats(self, *dims):
        if self.alone:
            drawn = super().floats(*dims)
            drawn.flat[self.rng.integers(drawn.size, size=min(drawn.size, 1))] = self.numbers[0]
            return drawn
        drawn = self.rng.choice(self.numbers, dims).astype(np.float32)
        return np.where(self.rng.random(dims) < 0.25, drawn, super().floats(*dims)).astype(np.float32)


KINDS = {
    "NaN": (NAN,),
    "infinities": (INF, -INF),
    "zeros": (0.0, -0.0),
    "denormals": (TINY, -TINY),
    "largest": (MOST, -MOST),
}
NARROWER = {"minus infinity": ("infinities", (-INF,)), "largest of one sign": ("largest", (MOST,))}
NARROWER["largest alone"] = ("largest of one sign", (MOST,))
"""Kinds for what the wider kind leaves out. Of a single number that overflows, or nearly, the order of a sum does not
matter."""


@functools.cache
def cases(kind: str) -> dict[str, Case]:
    wider, numbers = NARROWER[kind] if kind in NARROWER else (None, KINDS[kind])
    rows = {name: build for name, build in (ROWS | MORE | FIXED).items() if wider is None or name in UNLIKE[wider]}
    made = {
        name: build(Special(numbers, alone=kind.endswith("alone")), DIMS)
        for name, build in rows.items()
        if name not in UNLIKE[kind] | LOOSE
    }
    return {name: case for name, case in made.items() if any(map(_is_float, case.inputs))}


@functools.cache
def expected(kind: str) -> dict[str, list[list[np.ndarray]]]:
    return {name: candidates(case) for name, case in cases(kind).items()}


def _is_float(array):
    return array is not None and np.asarray(array).dtype == np.float32


def candidates(case: Case) -> list[list[np.ndarray]]:
    """Return the outputs of each reference that has some, also for zeros in place of denormals."""
    found = []
    for inputs in (case.inputs, [_flushed(array) if _is_float(array) else array for array in case.inputs]):
        model, feed = branched({"": replace(case, inputs=inputs)}, 0)
        for run in (lambda m, f: list(ort_outputs(m, f).values()), lambda m, f: ReferenceEvaluator(m).run(None, f)):
            try:
                with np.errstate(all="ignore"):
                    found.append(run(model, feed))
            except Exception:
                continue
    assert found, f"no reference for {case}"
    return found


def _flushed(array):
    return np.where(np.abs(array) < np.finfo(np.float32).tiny, np.float32(0), array)


def check(wanted, found):
    for index, actual in enumerate(found):
        own = [np.asarray(outputs[index]) for outputs in wanted]
        actual = np.asarray(actual)
        assert any(actual.shape == w.shape and actual.dtype == w.dtype for w in own), (
            f"{actual.shape} of {own[0].shape}"
        )
        if actual.dtype.kind not in "fiub":
            continue
        with np.errstate(all="ignore"):
            fits = [np.isclose(actual, w, 1e-4, 1e-5, equal_nan=True) for w in own if w.shape == actual.shape]
        wrong = ~np.any(fits, axis=0)
        where = tuple(np.argwhere(wrong)[0]) if wrong.any() else ()
        assert not wrong.any(), f"output {index}: {wrong.sum()}: {actual[where]} for {[w[where] for w in own]}"


@pytest.mark.parametrize("kind", KINDS | NARROWER)
def test_special_values(kind):
    check_branches(cases(kind), expected(kind), check=check)


@pytest.mark.parametrize("kind", [pytest.param(k, marks=[pytest.mark.slow] * (k in KINDS)) for k in KINDS | NARROWER])
def test_special_values_channels_last(kind):
    check_branches(cases(kind), expected(kind), check=check, through="channels_last")


def test_every_exclusion_names_a_case():
    assert set().union(*UNLIKE.values()) <= set(ROWS | MORE | FIXED)


def orders(dtype):
    """Rows of NaN of both signs, infinities, zeros of both signs and numbers, in every order."""
    numbers = np.array([[3, INF, NAN, -INF, -NAN, INF, -0.0, 0.0]], dtype)
    return np.random.default_rng(0).permuted(np.repeat(numbers, 40, 0), axis=1)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("op_type", ["ArgMax", "ArgMin"])
def test_the_first_nan_is_found(op_type, dtype):
    x = orders(dtype)
    x[::2] = np.where(np.isnan(x[::2]), dtype(1), x[::2])
    function = np.argmax if op_type == "ArgMax" else np.argmin
    expected = [function(x, 1).astype(np.int64)]
    check_op(op_type, [x], {"axis": 1, "keepdims": 0}, reference=expected, through=["static", "dynamic", "export"])
    last = [7 - function(x[:, ::-1], 1).astype(np.int64)]
    check_op(op_type, [x], {"axis": 1, "keepdims": 0, "select_last_index": 1}, reference=last)
    wide = [np.expand_dims(expected[0], (0, 1, 2, 4, 5, 6, 7))]
    check_op(op_type, [x[None, None, None, :, None, None, None]], {"axis": 7}, reference=wide)


def test_hardmax_of_the_first_nan():
    x = orders(np.float32)
    expected = [np.eye(8, dtype=np.float32)[np.argmax(x, 1)]]
    check_op("Hardmax", [x], {"axis": -1}, reference=expected, through=["static", "dynamic", "export"])


@pytest.mark.parametrize("largest", [0, 1])
@pytest.mark.parametrize("k", [1, 3, 8])
def test_nan_is_larger_than_infinity(k, largest):
    for dtype in (np.float16, np.float32, np.float64):
        x = orders(dtype)
        check_op("TopK", [x, np.int64([k])], {"largest": largest}, outputs=2, constants=[1])
    check_op("TopK", [x.T, np.int64([k])], {"axis": 0, "largest": largest}, outputs=2, through=["dynamic", "export"])


@pytest.mark.parametrize("op_type", ["ReduceMax", "ReduceMin"])
def test_nan_is_kept_by_a_reduction(op_type):
    x = np.arange(4 * 37, dtype=np.float32).reshape(4, 37)
    x[[0, 1, 2], [0, 17, 36]] = NAN
    expected = [(np.max if op_type == "ReduceMax" else np.min)(x, 1)]
    check_op(op_type, [x, np.int64([1])], {"keepdims": 0}, reference=expected, constants=[1])


@pytest.mark.parametrize("attributes", [{"kernel_shape": [2, 2]}, {"kernel_shape": [5, 5], "strides": [2, 2]}])
def test_the_largest_of_minus_infinity(attributes):
    x = np.full((1, 16, 7, 7), -INF, np.float32)
    size = (7 - attributes["kernel_shape"][0]) // attributes.get("strides", [1])[0] + 1
    for lowest in (-INF, -MOST):
        x[:] = lowest
        check_op("MaxPool", [x], attributes, reference=[x[:, :, :size, :size]], through=["static", "export"])


@pytest.mark.parametrize("attributes", [{}, {"dilations": [2, 2]}])
@pytest.mark.parametrize("outputs", [1, 2])
def test_maxima_of_slices_keep_nan(attributes, outputs):
    x = np.random.default_rng(0).normal(size=(1, 3, 6, 6)).astype(np.float32)
    x[0, 0, 2, 3], x[0, 1], x[0, 2, 3, 2:4] = NAN, -INF, (NAN, INF)
    step = attributes.get("dilations", [1])[0]
    windows = np.lib.stride_tricks.sliding_window_view(x, (1 + step, 1 + step), (2, 3))[..., ::step, ::step]
    reference = [windows.max((-2, -1))]
    if outputs == 2:
        flat = windows.reshape(*windows.shape[:4], 4).argmax(-1)
        row, column = np.indices(flat.shape)[2:] + np.stack([flat // 2, flat % 2]) * step
        reference.append(np.int64(np.indices(flat.shape)[1] * 36 + row * 6 + column))
    # Of an unknown number of channels the kernel is taken where it can be.
    through = ["static", "export", "dynamic"] if attributes or outputs == 2 else ["static"]
    attributes = {"kernel_shape": [2, 2], **attributes}
    check_op("MaxPool", [x], attributes, outputs=outputs, reference=reference, through=through)


def test_nothing_is_added_to_a_pool_of_what_is_not_negative():
    x = onnx.helper.make_tensor_value_info("x", 1, [1, 16, 8, 8])
    y = onnx.helper.make_tensor_value_info("y", 1, [1, 16, 4, 4])
    nodes = [
        onnx.helper.make_node("Relu", ["x"], ["r"]),
        onnx.helper.make_node("MaxPool", ["r"], ["y"], kernel_shape=[2, 2], strides=[2, 2]),
    ]
    model = onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", [x], [y]), ir_version=8)
    graph = prepare(model).signatures["serving_default"].graph
    assert not [operation for operation in graph.get_operations() if operation.type in ("Mul", "SelectV2")]
