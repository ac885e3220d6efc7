"""Gather bools as integers: coremltools 9 reads no Gather of bools, and masks of transformers are such.

What is added are two operations of one kernel each on a mask, which a graph optimiser cannot merge wrongly.
"""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.convenience import replace_all_uses_with

from onnx_tf.origins import hand_on, stand_for

__all__ = ["gather_integers"]

_GATHERS = frozenset({"Gather", "GatherElements", "GatherND"})
_VERSION = 13
"""The opset version of the Casts: what they are asked for here has been the same since 6."""


def gather_integers(model: ir.Model) -> bool:
    """Let each Gather of bools read int32, of which bools are made again; return whether there were any."""
    gathers = [node for graph in model.graphs() for node in graph if _is_of_bools(node)]
    for node in gathers:
        _change(node)
    return bool(gathers)


def _is_of_bools(node: ir.Node) -> bool:
    data = node.inputs[0] if node.domain == "" and node.op_type in _GATHERS else None
    return data is not None and data.dtype == ir.DataType.BOOL


def _change(node: ir.Node) -> None:
    data, result = node.inputs[0], node.outputs[0]
    assert data is not None and node.graph is not None  # noqa: PT018
    before = _cast(data, ir.DataType.INT32, node)
    node.prepend(before)
    integers = before.outputs[0]
    integers.shape, integers.name = data.shape, f"{data.name}_integers"
    gather = ir.Node(
        node.domain, node.op_type, [integers, *node.inputs[1:]], list(node.attributes.values()),
        version=node.version, name=node.name,
    )  # fmt: skip
    gathered = gather.outputs[0]
    gathered.shape, gathered.type, gathered.name = result.shape, integers.type, f"{result.name}_integers"
    stand_for(node, gather)
    node.append(gather)
    after = _cast(gathered, ir.DataType.BOOL, node)
    gather.append(after)
    new, name = after.outputs[0], result.name
    new.shape = result.shape
    hand_on(result, new)
    replace_all_uses_with(result, new, replace_graph_outputs=True)
    node.graph.remove(node, safe=True)
    new.name = name


def _cast(value: ir.Value, dtype: ir.DataType, node: ir.Node) -> ir.Node:
    new = ir.Node(
        "", "Cast", [value], [ir.AttrInt64("to", dtype)], version=_VERSION, name=f"{node.name}_{dtype.name.lower()}"
    )
    new.outputs[0].type = ir.TensorType(dtype)
    stand_for(node, new)
    return new
