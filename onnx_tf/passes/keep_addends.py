"""Keep the converter of .tflite files from adding constants that are added one after the other.

It makes ``x + (a + b)`` of ``(x + a) + b``, of no other order and of no differences (TensorFlow 2.21). That is another
number where ``a`` swallows ``x``, and takes more room where one of them is repeated along an axis of the other, as
position biases and masks of windows are.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx_ir.convenience import replace_all_uses_with

from onnx_tf.origins import hand_on, stand_for
from onnx_tf.passes._constants import add_constant
from onnx_tf.passes.keep_roundings import Merged, cancels

__all__ = ["keep_addends"]


def keep_addends(model: ir.Model) -> bool:
    """Subtract what is negated instead of adding it, where the sum of the constants is none to be added at once."""
    changed = False
    for graph in model.graphs():
        sums: dict[ir.Value, Merged] = {}
        negated: dict[ir.Value, ir.Value] = {}
        for node in list(graph):
            if not _is_kept(node, sums):
                continue
            _subtract(node, negated)
            changed = True
    return changed


def _is_kept(node: ir.Node, sums: dict[ir.Value, Merged]) -> bool:
    """Tell whether a constant must not join those before it; enter the sum that it joins or begins."""
    addends = _addends(node)
    if addends is None:
        return False
    value, _, tensor = addends
    own = tensor.numpy().astype(np.float64)
    size = np.abs(own)
    if value not in sums:
        sums[node.outputs[0]] = own, size, size
        return False
    total, largest, smallest = sums[value]
    with np.errstate(all="ignore"):
        both = total + own, np.maximum(largest, size), np.minimum(smallest, size)
        kept = both[0].size > total.size + own.size or cancels(both, tensor.dtype)
    if not kept:
        sums[node.outputs[0]] = both
    return kept


def _addends(node: ir.Node) -> tuple[ir.Value, ir.Value, ir.TensorProtocol] | None:
    """Return the computed addend of a sum of floats, the constant one and what that holds, if there is one of each."""
    if (node.domain, node.op_type) != ("", "Add") or (node.version or 1) < 7 or len(node.inputs) != 2:
        return None
    a, b = node.inputs
    for value, constant in ((a, b), (b, a)):
        tensor = None if constant is None or constant.is_graph_input() else constant.const_value
        if value is None or constant is None or tensor is None or not tensor.dtype.is_floating_point():
            continue
        return (value, constant, tensor) if value.is_graph_input() or value.const_value is None else None
    return None


def _subtract(node: ir.Node, negated: dict[ir.Value, ir.Value]) -> None:
    addends, graph = _addends(node), node.graph
    assert addends is not None and graph is not None  # noqa: PT018
    value, constant, tensor = addends
    if constant not in negated:
        shape = tensor.shape.numpy()
        negated[constant] = add_constant(
            graph, f"{constant.name}_negated", tensor.dtype, shape, lambda: -tensor.numpy()
        )
    difference = ir.node("Sub", [value, negated[constant]], version=node.version, name=node.name)
    result, old = difference.outputs[0], node.outputs[0]
    result.type, result.shape, name = old.type, old.shape, old.name
    stand_for(node, difference)
    hand_on(old, result)
    node.append(difference)
    replace_all_uses_with(old, result, replace_graph_outputs=True)
    graph.remove(node, safe=True)
    result.name = name
