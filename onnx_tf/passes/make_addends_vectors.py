"""Give what is added to the result of a transposed convolution one axis.

TensorFlow's converter makes a scalar that is added there, or a constant of more axes with one element, the
bias of the convolution, which is then of the wrong length (TensorFlow 2.21): the file is refused when it is
loaded, or gives NaN. Of a vector of one element it keeps the sum.
"""

from __future__ import annotations

import functools

import numpy as np
import onnx_ir as ir

from onnx_tf.passes._constants import add_constant

__all__ = ["make_addends_vectors"]

_MOVED_THROUGH = frozenset({"Add", "Div", "Identity", "Mul", "Neg", "Reshape", "Squeeze", "Sub", "Transpose"})
_MAX_DISTANCE = 8


def make_addends_vectors(model: ir.Model) -> bool:
    """Reshape each such constant to one axis; return whether there were any."""
    changed = [_change(node) for graph in model.graphs() for node in list(graph)]
    return any(changed)


def _change(node: ir.Node) -> bool:
    if node.domain != "" or node.op_type not in ("Add", "Sub") or len(node.inputs) != 2 or (node.version or 1) < 7:
        return False
    for index, other in ((0, 1), (1, 0)):
        value, data = node.inputs[index], node.inputs[other]
        tensor = None if value is None else value.const_value
        if value is None or tensor is None or tensor.size != 1 or len(tensor.shape) == 1:
            continue
        if data is None or not _is_of_transposed_convolution(data):
            continue
        # A result of more axes than the convolution's has them of the constant.
        if data.shape is None or len(tensor.shape) > data.shape.rank() or node.graph is None:
            continue
        vector = add_constant(
            node.graph, f"{value.name}_vector", tensor.dtype, (1,), functools.partial(_elements, tensor)
        )
        node.replace_input_with(index, vector)
        return True
    return False


def _elements(tensor: ir.TensorProtocol) -> np.ndarray:
    return tensor.numpy().reshape(1)


def _is_of_transposed_convolution(value: ir.Value) -> bool:
    level = [value]
    for _ in range(_MAX_DISTANCE):
        producers = [producer for v in level if (producer := v.producer()) is not None]
        if any(producer.op_type == "ConvTranspose" for producer in producers):
            return True
        level = [i for p in producers if p.op_type in _MOVED_THROUGH for i in p.inputs if i is not None]
    return False
