"""Fold BatchNormalization into the convolution before it."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx_ir.convenience import replace_all_uses_with

from onnx_tf.origins import Rescaled, change, forget, hand_on, stand_for
from onnx_tf.passes._constants import add_constant
from onnx_tf.schema import float_attribute, int_attribute, optional_int_attribute

_CHANNEL_AXIS = {"Conv": 0, "ConvTranspose": 1}
_FLOATS = (ir.DataType.FLOAT, ir.DataType.DOUBLE)


def fold_batch_normalization(model: ir.Model) -> bool:
    """Scale the filters of convolutions that only feed a BatchNormalization; return whether any was folded.

    Convolutions may be concatenated in between. For inference alone: training needs the statistics as
    they are.
    """
    for graph in model.graphs():
        for node in list(graph):
            _split_over_concat(node)
    folded = [_fold(node) for graph in model.graphs() for node in list(graph)]
    return any(folded)


def _fold(node: ir.Node) -> bool:
    conv = node.inputs[0].producer() if node.inputs and node.inputs[0] is not None else None
    if node.domain != "" or node.op_type != "BatchNormalization" or conv is None or not _is_foldable(node, conv):
        return False
    filters, bias = conv.inputs[1], conv.inputs[2] if len(conv.inputs) > 2 else None
    assert filters is not None
    assert filters.const_value is not None
    parameters = [value.const_value for value in node.inputs[1:5] if value is not None]
    epsilon = float_attribute(node, "epsilon")

    def factors() -> tuple[np.ndarray, ...]:
        scale, shift, mean, variance = (t.numpy().astype(np.float64) for t in parameters if t is not None)
        return scale / np.sqrt(variance + epsilon), shift, mean

    weights, given = filters.const_value, None if bias is None else bias.const_value
    axis, groups = _CHANNEL_AXIS[conv.op_type], int_attribute(conv, "group")

    def scaled_filters() -> np.ndarray:
        array = weights.numpy()
        factor = factors()[0]
        if axis == 0:
            return array * factor.reshape(-1, *[1] * (array.ndim - 1))
        # The filters of a transposed convolution are C, M/group: channel m lies in its group's rows.
        parts = array.reshape(groups, -1, *array.shape[1:]) * factor.reshape(groups, 1, -1, *[1] * (array.ndim - 2))
        return parts.reshape(array.shape)

    def shifted_bias() -> np.ndarray:
        factor, shift, mean = factors()
        before = 0.0 if given is None else given.numpy().astype(np.float64)
        return (before - mean) * factor + shift

    channels = parameters[0].shape if parameters[0] is not None else ir.Shape([])
    name, graph, dtype = node.outputs[0].name, conv.graph, weights.dtype
    assert graph is not None
    conv.replace_input_with(1, add_constant(graph, f"{name}_filters", dtype, weights.shape, scaled_filters))
    conv.resize_inputs(3)
    conv.replace_input_with(2, add_constant(graph, f"{name}_bias", dtype, channels, shifted_bias))
    _undo(node, conv.outputs[0])
    hand_on(node.outputs[0], conv.outputs[0])
    replace_all_uses_with(node.outputs[0], conv.outputs[0], replace_graph_outputs=True)
    if node.graph is not None:
        node.graph.remove(node, safe=True)
    conv.outputs[0].name = name
    return True


def _split_over_concat(node: ir.Node) -> None:
    """Normalize each of the convolutions whose concatenation a BatchNormalization takes, if all are foldable."""
    concat = node.inputs[0].producer() if node.inputs and node.inputs[0] is not None else None
    if node.domain != "" or node.op_type != "BatchNormalization" or concat is None or concat.op_type != "Concat":
        return
    joined = concat.outputs[0]
    if optional_int_attribute(concat, "axis") != 1 or joined.is_graph_output() or len(joined.uses()) != 1:
        return
    convs = [None if value is None else value.producer() for value in concat.inputs]
    if not all(conv is not None and _is_foldable(node, conv) for conv in convs) or concat.graph is not node.graph:
        return
    start = 0
    for index, conv in enumerate(convs):
        assert conv is not None
        stop = start + _channels(conv)
        slices = [_slice(value, start, stop) for value in node.inputs[1:]]
        result = conv.outputs[0]
        own = ir.Node("", node.op_type, [result, *slices], node.attributes.values(), version=node.version)
        own.name, own.outputs[0].name = f"{node.name}_{index}", f"{node.outputs[0].name}_{index}"
        own.outputs[0].type, own.outputs[0].shape = result.type, result.shape
        stand_for(node, own)
        conv.append(own)
        concat.replace_input_with(index, own.outputs[0])
        start = stop
    name = node.outputs[0].name
    _undo(node, joined)
    hand_on(node.outputs[0], joined)
    replace_all_uses_with(node.outputs[0], joined, replace_graph_outputs=True)
    assert node.graph is not None
    node.graph.remove(node, safe=True)
    joined.name = name


def _undo(node: ir.Node, value: ir.Value) -> None:
    """State what a value was before the normalization that it will contain."""
    tensors = [v.const_value for v in node.inputs[1:5] if v is not None]
    scale, shift, mean, variance = (tensor.numpy().astype(np.float64) for tensor in tensors if tensor is not None)
    deviation = np.sqrt(variance + float_attribute(node, "epsilon"))
    if not scale.all():
        forget(value)
        return
    change(value, Rescaled(deviation / scale, mean - shift * deviation / scale))


def _channels(conv: ir.Node) -> int:
    filters = conv.inputs[1]
    assert filters is not None
    assert filters.const_value is not None
    size = filters.const_value.shape.numpy()[_CHANNEL_AXIS[conv.op_type]]
    return int(size * (int_attribute(conv, "group") if conv.op_type == "ConvTranspose" else 1))


def _slice(value: ir.Value | None, start: int, stop: int) -> ir.Value:
    assert value is not None
    assert value.const_value is not None
    tensor = ir.tensor(value.const_value.numpy()[start:stop], name=f"{value.name}_{start}_{stop}")
    return ir.Value(name=tensor.name, type=value.type, shape=ir.Shape([stop - start]), const_value=tensor)


def _is_foldable(node: ir.Node, conv: ir.Node) -> bool:
    if conv.domain != "" or conv.op_type not in _CHANNEL_AXIS or len(node.outputs) != 1 or len(node.inputs) != 5:
        return False
    if optional_int_attribute(node, "training_mode") or optional_int_attribute(node, "spatial") == 0:
        return False
    # Until opset 6 a node trains unless it says that it tests.
    if (node.version or 1) < 7 and not optional_int_attribute(node, "is_test"):
        return False
    result = conv.outputs[0]
    if result.is_graph_output() or len(result.uses()) != 1 or conv.graph is not node.graph:
        return False
    values = [*conv.inputs[1:], *node.inputs[1:]]
    constants = [None if value is None else value.const_value for value in values if value is not None]
    return all(c is not None and c.dtype in _FLOATS for c in constants) and len({c.dtype for c in constants if c}) == 1
