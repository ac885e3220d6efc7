"""Which values cannot hold -inf, whatever the model is given, and what they hold no number below."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from onnx_tf.registry import BARRIER_DOMAIN, INTERNAL_DOMAINS
from onnx_tf.schema import float_attribute, optional_float_attribute, string_attribute

__all__ = ["lower_bounds"]

_BOUNDS = {
    "Abs": 0.0,
    "Erf": -1.0,
    "Exp": 0.0,
    "HardSigmoid": 0.0,
    "HardSwish": -0.375,
    "Relu": 0.0,
    "Sigmoid": 0.0,
    "Softmax": 0.0,
    "Softplus": 0.0,
    "Softsign": -1.0,
    "Tanh": -1.0,
}
"""The least numbers of what never gives -inf: of -inf they make a number or a NaN."""

_LEAST = {ir.DataType.INT8: -128, ir.DataType.UINT8: 0, ir.DataType.INT16: -(1 << 15), ir.DataType.UINT16: 0}

_MOVING = frozenset(
    """
    Barrier DepthToSpace Dropout Expand Flatten Gather GlobalAveragePool GlobalMaxPool Identity MaxPool
    Reshape Slice SpaceToDepth Split Squeeze Tile Transpose Unsqueeze
    """.split()  # noqa: SIM905
)
"""What gives elements of its first input, or means of them."""


def lower_bounds(graph: ir.Graph) -> dict[ir.Value, float]:
    """Return the values of a graph and its bodies of which no element is ever -inf, and what none is below."""
    found: dict[ir.Value, float] = {}
    for node in graph.all_nodes():
        bound = _bound(node, found)
        if bound > -math.inf:
            found.update(dict.fromkeys(node.outputs, bound))
    return found


def _bound(node: ir.Node, known: dict[ir.Value, float]) -> float:
    if node.domain not in ("", BARRIER_DOMAIN, *INTERNAL_DOMAINS) or not node.inputs:
        return -math.inf
    bounds = [-math.inf if value is None else known.get(value, -math.inf) for value in node.inputs]
    if node.op_type in _BOUNDS:
        return _BOUNDS[node.op_type]
    if node.op_type == "Elu":
        return -abs(float_attribute(node, "alpha"))
    if node.op_type == "Clip":
        return _least_of_clip(node)
    if node.op_type == "DequantizeLinear":
        return _least_of_integers(node)
    if node.op_type == "Concat":
        return min(bounds)
    if node.op_type == "Pad":
        return min(bounds[0], _padding(node))
    if node.op_type == "AveragePool":
        return min(bounds[0], 0.0)  # which the padding counts as
    return bounds[0] if node.op_type in _MOVING else -math.inf


def _least_of_clip(node: ir.Node) -> float:
    if (node.version or 1) < 11:
        bounds = [optional_float_attribute(node, name) for name in ("min", "max")]
    else:
        bounds = [None if value is None else _number(value) for value in (*node.inputs[1:], None, None)[:2]]
    numbers = [bound for bound in bounds if bound is not None]
    return min(numbers) if bounds[0] is not None and all(map(math.isfinite, numbers)) else -math.inf


def _least_of_integers(node: ir.Node) -> float:
    """Return what the least integer of a dtype stands for, as it is computed."""
    value, scale, *rest = node.inputs
    zero_point = rest[0] if rest else None
    if value is None or scale is None or value.dtype not in _LEAST:
        return -math.inf
    zero = 0.0 if zero_point is None else _number(zero_point)
    return float(np.float32(_LEAST[value.dtype] - zero) * np.float32(_number(scale)))


def _padding(node: ir.Node) -> float:
    """Return what is padded with: with elements of the data, nothing less than they are."""
    if string_attribute(node, "mode") != "constant":
        return math.inf
    if (node.version or 1) < 11:
        value = float_attribute(node, "value")
    else:
        given = node.inputs[2] if len(node.inputs) > 2 else None
        value = 0.0 if given is None else _number(given)
    return value if math.isfinite(value) else -math.inf


def _number(value: ir.Value) -> float:
    tensor = value.const_value
    return math.nan if tensor is None or tensor.size != 1 else float(tensor.numpy().item())
