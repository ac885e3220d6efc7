"""Quantise constants once: QuantizeLinear of an initializer becomes one of integers."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnx_tf.origins import hand_on
from onnx_tf.passes._constants import add_constant
from onnx_tf.passes._quantization import BYTES, is_linear
from onnx_tf.schema import int_attribute, optional_int_attribute

__all__ = ["quantize_constants"]

_RANGES = {ir.DataType.INT8: (-128, 127), ir.DataType.UINT8: (0, 255)}


def quantize_constants(model: ir.Model) -> bool:
    """Replace such nodes by initializers; return whether there were any."""
    replaced = [_replace(node) for graph in model.graphs() for node in list(graph)]
    return any(replaced)


def _replace(node: ir.Node) -> bool:
    if not is_linear(node, "QuantizeLinear") or optional_int_attribute(node, "block_size"):
        return False
    (result,) = node.outputs
    tensors = [None if value is None else value.const_value for value in node.inputs]
    x, scale, *rest = tensors
    if x is None or scale is None or result.dtype not in BYTES or result.is_graph_output():
        return False
    if x.dtype is not ir.DataType.FLOAT or scale.dtype is not ir.DataType.FLOAT or len(scale.shape) > 1:
        return False
    if len(node.inputs) > 2 and node.inputs[2] is not None and rest[0] is None:
        return False
    zero_point, dtype = rest[0] if rest else None, result.dtype
    axis = int_attribute(node, "axis") if scale.size > 1 else 0

    def quantized() -> np.ndarray:
        numbers = x.numpy()
        dims = [1] * numbers.ndim
        if scale.size > 1:
            dims[axis] = -1
        steps = np.rint(numbers / scale.numpy().reshape(dims))
        zeros = 0 if zero_point is None else zero_point.numpy().reshape(dims).astype(np.float64)
        return np.clip(steps + zeros, *_RANGES[dtype])

    assert node.graph is not None
    value = add_constant(node.graph, str(result.name), dtype, x.shape.numpy(), quantized)
    hand_on(result, value)
    result.replace_all_uses_with(value)
    node.graph.remove(node, safe=True)
    return True
