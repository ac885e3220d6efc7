"""Compute between DEQUANTIZE and QUANTIZE with LiteRT's integer kernels, in the model's own steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from onnx_tf.export.file_graph import FileGraph, Steps
from onnx_tf.export.integers.layers import LAYERS, take_layer, take_unsigned
from onnx_tf.export.integers.moves import dequantized, only_quantized

__all__ = ["take_integers"]

Rule = Callable[[FileGraph, Any, Sequence[Steps], Steps], str]
"""(graph, operator, steps of its operands, steps of its result) -> why it stays in floats, or nothing."""

_SUM_BITS, _SHIFT_BITS = 20, 31
"""Sums are computed in steps of twice the larger operand's by 2**-20; what is smaller is shifted by 31 bits at most."""


def take_integers(file: FileGraph) -> dict[int, str]:
    """Let operators compute with integers; return why others do not, by the number of their result."""
    reasons: dict[int, str] = {}
    file.sort()
    for operator in list(file.of_kind(*_RULES)):
        result = int(operator.outputs[0])
        if file.is_float(result):
            reason = _take(file, operator)
            if reason:
                reasons[result] = reason
    take_unsigned(file)
    return reasons


def _take(file: FileGraph, operator: Any) -> str:
    rule, places, version = _RULES[file.kind(operator)]
    result = int(operator.outputs[0])
    given = [_operand(file, int(operator.inputs[place])) for place in places]
    if None in given:
        return "the model does not quantise what it is computed from"
    steps = only_quantized(file, result)
    if steps is None:
        is_quantized = any(file.kind(reader) == "QUANTIZE" for reader in file.readers.get(result, []))
        return f"the model {'also uses its result in floats' if is_quantized else 'does not quantise its result'}"
    own = [known for index in given if index is not None and (known := file.steps(index)) is not None]
    reason = rule(file, operator, own, steps)
    if reason:
        return reason
    for place, index in zip(places, given, strict=True):
        assert index is not None
        file.set_input(operator, place, index)
    integers = file.add_tensor(result, np.int8, steps)
    for reader in list(file.readers.get(result, [])):
        file.replace(int(reader.outputs[0]), integers)
        file.remove(reader)
    file.set_output(operator, 0, integers)
    file.set_version(operator, version)
    return ""


def _operand(file: FileGraph, index: int) -> int | None:
    """Return the integers of an operand; a constant number is one step of its own size."""
    number = file.constant(index)
    if number is None or number.size != 1 or number.dtype != np.float32 or not np.isfinite(number).all():
        return dequantized(file, index)
    scale = abs(number).reshape(1)
    sign = np.sign(number).astype(np.int8)
    steps = Steps(np.where(scale > 0, scale, np.float32(1)).astype(np.float32), np.zeros(1, np.int64))
    return file.add_constant(sign, file.tensor(index).name, steps)


def _any(_file: FileGraph, _operator: Any, _given: Sequence[Steps], _result: Steps) -> str:
    return ""


def _sum(_file: FileGraph, _operator: Any, given: Sequence[Steps], result: Steps) -> str:
    scales = [float(steps.scale[0]) for steps in given]
    largest = 2 * max(scales)
    fits = largest < float(result.scale[0]) * (1 << _SUM_BITS) and min(scales) * (1 << _SHIFT_BITS) > largest
    return "" if fits else "its scales are too far apart for the integer kernel"


def _of_one_scale(_file: FileGraph, _operator: Any, given: Sequence[Steps], result: Steps) -> str:
    return "" if given[0] == result else "its integer kernel has one scale for both sides, the model has two"


def _pool(file: FileGraph, operator: Any, given: Sequence[Steps], result: Steps) -> str:
    """Take the mean of an image for a pool of all of it: its kernel knows two scales."""
    height, width = file.shape(int(operator.inputs[0]))[1:3]
    options = operator.builtinOptions
    is_whole = (options.filterHeight, options.filterWidth) == (height, width)
    if given[0] == result or not is_whole or file.shape(int(operator.outputs[0]))[1:3] != [1, 1]:
        return _of_one_scale(file, operator, given, result)
    axes = file.add_constant(np.array([1, 2], np.int32), b"axes")
    file.set_kind(operator, "MEAN", 2, ("ReducerOptions", {"keepDims": True}))
    file.set_inputs(operator, [int(operator.inputs[0]), axes])
    return ""


def _of_fixed_scale(scale: float, zero_point: int) -> Rule:
    fixed = Steps(np.array([scale], np.float32), np.array([zero_point], np.int64))

    def rule(_file: FileGraph, _operator: Any, _given: Sequence[Steps], result: Steps) -> str:
        return "" if result == fixed else f"its integer kernel has steps of {scale} alone"

    return rule


_OF_PROBABILITIES = _of_fixed_scale(1 / 256, -128)

_RULES: dict[str, tuple[Rule, tuple[int, ...], int]] = {
    **{kind: (take_layer, (data,), version) for kind, (data, *_, version) in LAYERS.items()},
    "ADD": (_sum, (0, 1), 2),
    "AVERAGE_POOL_2D": (_pool, (0,), 2),
    "BATCH_MATMUL": (_any, (0, 1), 2),
    "GELU": (_any, (0,), 2),
    "HARD_SWISH": (_any, (0,), 1),
    "LEAKY_RELU": (_any, (0,), 2),
    "LOGISTIC": (_OF_PROBABILITIES, (0,), 2),
    "MEAN": (_any, (0,), 2),
    "MUL": (_any, (0, 1), 2),
    "RESIZE_BILINEAR": (_of_one_scale, (0,), 2),
    "SOFTMAX": (_OF_PROBABILITIES, (0,), 2),
    "SUB": (_sum, (0, 1), 2),
    "TANH": (_of_fixed_scale(1 / 128, 0), (0,), 2),
}
"""By operator: what it takes, the places of its operands, and the version that takes int8."""
