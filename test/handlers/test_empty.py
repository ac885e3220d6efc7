"""Every operator with data of no elements: a batch, a channel count or a length of zero."""

from __future__ import annotations

import functools

import numpy as np
import onnx
import pytest

from test.handlers import table_any_rank, table_fixed, table_images, table_microsoft  # noqa: F401
from test.handlers.apart import answers_apart
from test.handlers.branches import branched, check_branches
from test.handlers.table import FIXED, MORE, ROWS, Case, Source

DIMS = (2, 3, 4, 4)

CLASSES = {"SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"}
WITHOUT = {0: set(), 1: CLASSES, 2: {"ArgMax", "ArgMin", "DFT", "Conv"}, 3: set()}
"""Operators for which an axis of nothing has no answer: no target is a class, no element the largest, no signal
has a frequency; and onnx infers one window of stride 2 over nothing, of which there is none."""


MISTOLD = {"STFT"}
"""Operators whose shape onnx's inference tells otherwise than ONNX Runtime: all bins of a one-sided spectrum."""


@functools.cache
def cases(axis: int) -> dict[str, Case]:
    leave_out = WITHOUT[axis] | MISTOLD
    return {name: case for name, case in built(axis).items() if inferred(case) and name.split()[0] not in leave_out}


def built(axis: int) -> dict[str, Case]:
    dims = tuple(0 if i == axis else dim for i, dim in enumerate(DIMS))
    return {name: build(Source(), dims) for name, build in (ROWS | MORE | FIXED).items()}


def inferred(case: Case) -> list[tuple[int, tuple[int, ...]]] | None:
    """Return element type and shape of each output as inference tells them; ``None`` where it does not."""
    model, _ = branched({"": case}, 0)
    try:
        outputs = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph.output
    except Exception:
        return None
    found = []
    for output in outputs:
        kind = output.type.tensor_type
        dims = [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim]
        if not kind.HasField("shape") or any(dim is None or dim < 0 for dim in dims):
            return None  # a window over less than itself has no answer
        found.append((kind.elem_type, tuple(dims)))
    return found


def check(wanted, found):
    for (dtype, shape), array in zip(wanted, found, strict=True):
        array = np.asarray(array)
        assert array.shape == shape, f"shape {shape} expected, got {array.shape}"
        if dtype != onnx.TensorProto.STRING:
            assert array.dtype == onnx.helper.tensor_dtype_to_np_dtype(dtype)


@pytest.mark.parametrize("axis", range(len(DIMS)))
def test_empty(axis):
    given = cases(axis)
    check_branches(given, {name: inferred(case) for name, case in given.items()}, check=check)


BY_KERNEL = ("Conv", "QLinearConv", "Col2Im", *(f"com.microsoft.{n}" for n in ("FusedConv", "CausalC", "QLinearConv")))
"""Operators whose kernels in TensorFlow go wrong for nothing: where only the run tells, they still do."""


def test_empty_batch_of_an_open_model():
    given = {name: case for name, case in cases(0).items() if not name.startswith(BY_KERNEL)}
    check_branches(given, {name: inferred(case) for name, case in given.items()}, open_dims=1, check=check)


@pytest.mark.parametrize("axis", range(len(DIMS)))
def test_empty_as_in_onnx_runtime(axis):
    """Where onnx infers no shape, as operators of com.microsoft have it, and for whatever data decide."""
    made = {name: case for name, case in built(axis).items() if inferred(case) is None}
    known = {name: answer for name, answer in answers_apart(made).items() if answer is not None}
    assert len(known) > len(made) / 2
    expected = {name: [_told(array) for array in answer] for name, answer in known.items()}
    given = {name: made[name] for name in known}
    check_branches(given, expected, check=check)
    given = {name: case for name, case in given.items() if not name.startswith(BY_KERNEL)}
    check_branches(given, expected, open_dims=1, check=check)


def _told(array):
    array = np.asarray(array)
    kind = onnx.TensorProto.STRING if array.dtype.kind in "OUS" else onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
    return kind, array.shape
