"""Convolutions and matrix products between DEQUANTIZE and QUANTIZE as LiteRT's integer kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from onnx_tf.export.file_graph import FileGraph, Steps
from onnx_tf.export.integers.additions import constant_vector, raise_additions
from onnx_tf.export.integers.constants import quantized_constant

__all__ = ["LAYERS", "integer_weights", "make_dense_layers", "merge_biases", "take_layer", "take_unsigned"]

LAYERS = {
    "CONV_2D": (0, 1, 2, 0, 3),
    "DEPTHWISE_CONV_2D": (0, 1, 2, 3, 3),
    "FULLY_CONNECTED": (0, 1, 2, 0, 4),
    "TRANSPOSE_CONV": (2, 1, 3, 0, 3),
}
"""By operator: the places of data, weights and bias, the axis of the weights' channels, the version that takes int8."""

_PER_CHANNEL_DENSE = 12
"""The version of FULLY_CONNECTED that takes one scale for each of its results."""

_OFFSET = 128
_OPTIONS = "FullyConnectedOptions"
_INT32 = np.iinfo(np.int32)


def make_dense_layers(file: FileGraph) -> None:
    """Make FULLY_CONNECTED of products with a dequantised constant matrix."""
    for operator in list(file.of_kind("BATCH_MATMUL")):
        given, weights, result = int(operator.inputs[0]), int(operator.inputs[1]), int(operator.outputs[0])
        known = quantized_constant(file, weights)
        if known is None or operator.builtinOptions.adjX or len(file.shape(given)) < 2:
            continue
        integers, steps = known
        if integers.dtype != np.int8 or any(dim != 1 for dim in integers.shape[:-2]):
            continue
        if len(file.shape(given)) < integers.ndim:
            continue
        lost = integers.ndim - 2
        axis = max(steps.axis - lost, 0)
        matrix = integers.reshape(integers.shape[lost:])
        if not operator.builtinOptions.adjY:
            matrix, axis = matrix.T, 1 - axis
        own = file.add_constant(matrix, file.tensor(weights).name, Steps(steps.scale, steps.zero_point, axis))
        floats = file.add_tensor(own, np.float32)
        file.add("DEQUANTIZE", [own], [floats], 2, ("DequantizeOptions", {}))
        file.remove(operator)
        options = {"keepNumDims": len(file.shape(given)) != 2}
        file.add("FULLY_CONNECTED", [given, floats, -1], [result], 5, (_OPTIONS, options))


def merge_biases(file: FileGraph) -> None:
    """Make a constant that is added to a layer with dequantised weights its bias."""
    raise_additions(file, frozenset(LAYERS))
    for operator in list(file.of_kind(*LAYERS)):
        _, weights, place, *_ = LAYERS[file.kind(operator)]
        result = int(operator.outputs[0])
        addition = file.only_reader(result)
        if addition is None or file.kind(addition) != "ADD" or file.activation(operator):
            continue
        if quantized_constant(file, int(operator.inputs[weights])) is None or _has_bias(file, operator, place):
            continue
        other = next((int(index) for index in addition.inputs if index != result), result)
        bias = constant_vector(file, other, file.shape(result)[-1])
        if bias is None:
            continue
        inputs = [int(index) for index in operator.inputs][:place]
        final = int(addition.outputs[0])
        operator.builtinOptions.fusedActivationFunction = addition.builtinOptions.fusedActivationFunction
        file.set_inputs(operator, [*inputs, bias])
        file.remove(addition)
        file.set_output(operator, 0, final)
    file.prune()


def _has_bias(file: FileGraph, operator: Any, place: int) -> bool:
    if len(operator.inputs) <= place or operator.inputs[place] < 0:
        return False
    known = file.constant(int(operator.inputs[place]))
    return known is None or bool(known.any())


def take_layer(file: FileGraph, operator: Any, given: Sequence[Steps], result: Steps) -> str:  # noqa: ARG001
    """Give a layer integer weights and bias; return why it cannot have them, or nothing.

    Args:
        file: the graph.
        operator: one of :data:`LAYERS`.
        given: the steps of its data.
        result: those of its result.
    """
    _, place, bias_place, axis, version = LAYERS[file.kind(operator)]
    known = quantized_constant(file, int(operator.inputs[place]))
    if known is None or known[0].dtype != np.int8:
        return "its weights are no constants of 8 bits"
    weights = integer_weights(*known, axis)
    if weights is None:
        return "its weights have scales along another axis than that of the results, or zero points for each of these"
    array, steps = weights
    name = file.tensor(int(operator.inputs[place])).name
    bias_scale = (given[0].scale * steps.scale).astype(np.float32)
    bias = _bias(file, operator, bias_place, bias_scale, array.shape[axis])
    if isinstance(bias, str):
        return bias
    inputs = [int(index) for index in operator.inputs][:bias_place]
    inputs[place] = file.add_constant(array, name, steps)
    if bias is not None:
        zero = np.zeros(bias_scale.size, np.int64)
        inputs.append(file.add_constant(bias, name + b"_bias", Steps(bias_scale, zero)))
    elif file.kind(operator) == "FULLY_CONNECTED":
        inputs.append(-1)
    file.set_inputs(operator, inputs)
    is_dense = file.kind(operator) == "FULLY_CONNECTED"
    file.set_version(operator, _PER_CHANNEL_DENSE if is_dense and not steps.is_one else version)
    return ""


def integer_weights(array: np.ndarray, steps: Steps, axis: int) -> tuple[np.ndarray, Steps] | None:
    """Return weights in a form that kernels take, if they have scales along the axis alone.

    Kernels of int8 want the zero point 0. What needs more bits then is for kernels of uint8, which know one zero point.
    """
    if not steps.is_one and steps.axis != axis:
        return None
    if steps.zero_point.any():
        shifted = array.astype(np.int16) - steps.spread(array.ndim)[1]
        if shifted.min() < -128 or shifted.max() > 127:
            return _unsigned_array(array, steps) if steps.is_one else None
        array = shifted.astype(np.int8)
    return array, Steps(steps.scale, np.zeros(steps.scale.size, np.int64), 0 if steps.is_one else axis)


def _unsigned_array(array: np.ndarray, steps: Steps) -> tuple[np.ndarray, Steps]:
    """Return int8 and its steps as the same numbers in uint8."""
    return (array.astype(np.int16) + _OFFSET).astype(np.uint8), _unsigned(steps)


def _unsigned(steps: Steps) -> Steps:
    return Steps(steps.scale, steps.zero_point + _OFFSET)


def take_unsigned(file: FileGraph) -> None:
    """Let layers with weights of uint8 read and give uint8, between which and int8 QUANTIZE goes."""
    for operator in list(file.of_kind(*LAYERS)):
        data, weights, *_ = LAYERS[file.kind(operator)]
        if file.dtype(int(operator.inputs[weights])) != np.uint8:
            continue
        file.set_input(operator, data, _as_unsigned(file, int(operator.inputs[data])))
        result = int(operator.outputs[0])
        steps = file.steps(result)
        assert steps is not None
        own = file.add_tensor(result, np.uint8, _unsigned(steps))
        file.set_output(operator, 0, own)
        file.add("QUANTIZE", [own], [result], 2, ("QuantizeOptions", {}))
    file.prune()


def _as_unsigned(file: FileGraph, index: int) -> int:
    """Return a tensor of int8 as uint8: what it was made of, if that is uint8 in the same steps."""
    steps, producer = file.steps(index), file.producers.get(index)
    assert steps is not None
    wanted = _unsigned(steps)
    if producer is not None and file.kind(producer) == "QUANTIZE":
        given = int(producer.inputs[0])
        if file.dtype(given) == np.uint8 and file.steps(given) == wanted:
            return given
    result = file.add_tensor(index, np.uint8, wanted)
    file.add("QUANTIZE", [index], [result], 2, ("QuantizeOptions", {}))
    return result


def _bias(file: FileGraph, operator: Any, place: int, scale: np.ndarray, channels: int) -> np.ndarray | str | None:
    """Return a layer's bias in steps of the products; ``None`` where it has none."""
    if len(operator.inputs) <= place or operator.inputs[place] < 0:
        return None
    index = int(operator.inputs[place])
    known = quantized_constant(file, index)
    if known is None:
        floats = file.constant(index)
        if floats is None:
            return "its bias is no constant"
        values = floats.astype(np.float64)
    else:
        integers, steps = known
        if np.allclose(steps.scale, scale, rtol=1e-6, atol=0) and not steps.zero_point.any():
            return np.broadcast_to(integers.astype(np.int32).reshape(-1), [channels])
        own, zero = steps.spread(integers.ndim)
        values = (integers.astype(np.int64) - zero) * own.astype(np.float64)
    steps_of_bias = np.rint(values.reshape(-1) / scale.astype(np.float64))
    if (abs(steps_of_bias) > _INT32.max).any():
        return "its bias needs more than 32 bits in steps of the products"
    return np.broadcast_to(steps_of_bias.astype(np.int32), [channels])
