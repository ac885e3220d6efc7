"""Which values cannot hold -inf, whatever the model is given: kernels need not look out for it there."""

from __future__ import annotations

import math

import onnx_ir as ir

from onnx_tf.registry import BARRIER_DOMAIN, INTERNAL_DOMAINS
from onnx_tf.schema import float_attribute, optional_float_attribute, string_attribute

__all__ = ["values_bounded_below"]

_BOUNDED = frozenset(
    {
        "Abs",
        "Elu",
        "Erf",
        "Exp",
        "HardSigmoid",
        "HardSwish",
        "Relu",
        "Sigmoid",
        "Softmax",
        "Softplus",
        "Softsign",
        "Tanh",
    }
)
"""What never gives -inf: of -inf they make a number or a NaN."""

_MOVING = frozenset(
    """
    AveragePool Barrier DepthToSpace Dropout Expand Flatten Gather GlobalAveragePool GlobalMaxPool Identity MaxPool
    Reshape Slice SpaceToDepth Split Squeeze Tile Transpose Unsqueeze
    """.split()  # noqa: SIM905
)
"""What gives elements of its first input, or means of them."""


def values_bounded_below(graph: ir.Graph) -> frozenset[ir.Value]:
    """Return the values of a graph and its bodies of which no element is ever -inf."""
    found: set[ir.Value] = set()
    for node in graph.all_nodes():
        if _is_bounded(node, found):
            found.update(node.outputs)
    return frozenset(found)


def _is_bounded(node: ir.Node, known: set[ir.Value]) -> bool:
    if node.domain not in ("", BARRIER_DOMAIN, *INTERNAL_DOMAINS) or not node.inputs:
        return False
    if node.op_type in _BOUNDED:
        return True
    if node.op_type == "Clip":
        return _is_finite_clip(node)
    if node.op_type == "Concat":
        return all(value in known for value in node.inputs)
    if node.op_type == "Pad":
        return node.inputs[0] in known and _pads_with_numbers(node)
    return node.op_type in _MOVING and node.inputs[0] in known


def _is_finite_clip(node: ir.Node) -> bool:
    if (node.version or 1) < 11:
        bounds = [optional_float_attribute(node, name) for name in ("min", "max")]
    else:
        bounds = [None if value is None else _number(value) for value in (*node.inputs[1:], None, None)[:2]]
    return bounds[0] is not None and all(bound is None or math.isfinite(bound) for bound in bounds)


def _pads_with_numbers(node: ir.Node) -> bool:
    if string_attribute(node, "mode") != "constant":
        return True
    if (node.version or 1) < 11:
        return math.isfinite(float_attribute(node, "value"))
    value = node.inputs[2] if len(node.inputs) > 2 else None
    return value is None or math.isfinite(_number(value))


def _number(value: ir.Value) -> float:
    tensor = value.const_value
    return math.nan if tensor is None or tensor.size != 1 else float(tensor.numpy().item())
