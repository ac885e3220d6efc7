"""What LiteRT's GPU delegate asks of single operators, besides their names, dtypes and ranks.

Source: the conditions of ``tensorflow/lite/tools/versioning/gpu_compatibility.cc``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from onnx_tf.export.file_graph import FileGraph
from onnx_tf.export.readers.narrowing import TYPES

__all__ = ["gpu_problem"]


def gpu_problem(file: FileGraph, operator: Any, kind: str) -> str:
    """Return what keeps an operator off the delegate, empty if nothing is known to."""
    check = _CHECKS.get(kind)
    return "" if check is None else check(file, operator)


def _type(file: FileGraph, index: int) -> str:
    return TYPES[file.tensor(int(index)).type]


def _is_computed(file: FileGraph, index: int) -> bool:
    return int(index) in file.producers or file.is_given(int(index))


def _sliced(file: FileGraph, operator: Any) -> str:
    options = operator.builtinOptions
    rank = len(file.shape(int(operator.inputs[0])))
    if any(getattr(options, mask, 0) for mask in ("ellipsisMask", "newAxisMask", "shrinkAxisMask")):
        return "takes or adds single axes, which the GPU delegate's slices do not"
    return "" if rank in (3, 4) else f"has {rank} axes, the GPU delegate slices 3 or 4"


def _gathered(file: FileGraph, operator: Any) -> str:
    if _type(file, operator.inputs[0]) == "INT32":
        return "looks integers up, the GPU delegate floats alone"
    rank = len(file.shape(int(operator.inputs[1])))
    return "" if rank == 1 else f"has indices of {rank} axes, the GPU delegate takes 1"


def _reduced(file: FileGraph, operator: Any) -> str:
    return "takes axes that only the run tells" if _is_computed(file, operator.inputs[1]) else ""


def _padded(file: FileGraph, operator: Any) -> str:
    if _is_computed(file, operator.inputs[1]):
        return "takes pads that only the run tells"
    rank = file.shape(int(operator.inputs[1]))[0]
    return "" if rank in (3, 4) else f"pads {rank} axes, the GPU delegate 3 or 4"


def _mirrored(file: FileGraph, operator: Any) -> str:
    return (
        "repeats the edge, the GPU delegate mirrors without it"
        if operator.builtinOptions.mode
        else _padded(file, operator)
    )


def _multiplied(file: FileGraph, operator: Any) -> str:
    one, other = (file.shape(int(index)) for index in operator.inputs)
    if len(one) != len(other):
        return ""
    pairs = list(zip(one, other, strict=True))
    is_outer = any(a < b for a, b in pairs) and any(a > b for a, b in pairs)
    return "spreads both of its inputs, the GPU delegate one of them" if is_outer else ""


_CASTS = {
    ("BOOL", "FLOAT16"),
    ("BOOL", "FLOAT32"),
    ("FLOAT16", "BOOL"),
    ("FLOAT32", "BOOL"),
    ("FLOAT32", "INT32"),
    ("INT32", "FLOAT32"),
    ("INT32", "INT32"),
    ("FLOAT32", "FLOAT32"),
}


def _cast(file: FileGraph, operator: Any) -> str:
    source, result = _type(file, operator.inputs[0]), _type(file, operator.outputs[0])
    known = (source, result) in _CASTS
    return "" if known else f"makes {result.lower()} of {source.lower()}, which the GPU delegate does not"


def _selected(file: FileGraph, operator: Any) -> str:
    choices = {_type(file, index) for index in operator.inputs[1:]}
    return "" if choices <= {"FLOAT16", "FLOAT32"} else "chooses among integers, the GPU delegate among floats"


def _connected(file: FileGraph, operator: Any) -> str:
    return "" if _is_computed(file, operator.inputs[0]) else "multiplies a constant, which the GPU delegate does not"


_CHECKS: dict[str, Callable[[FileGraph, Any], str]] = {
    "CAST": _cast,
    "FULLY_CONNECTED": _connected,
    "GATHER": _gathered,
    "MIRROR_PAD": _mirrored,
    "MUL": _multiplied,
    "SELECT": _selected,
    "SELECT_V2": _selected,
    "SLICE": _sliced,
    "STRIDED_SLICE": _sliced,
    **dict.fromkeys(("MEAN", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "SUM"), _reduced),
    **dict.fromkeys(("PAD", "PADV2"), _padded),
}
