"""Compute integers of dtypes without kernels as wider ones, where LiteRT has kernels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir
from onnx_ir.convenience import replace_all_uses_with

from onnx_tf.origins import hand_on, stand_for
from onnx_tf.passes._constants import add_constant
from onnx_tf.passes.known_ranges import INT32, Range, known_ranges
from onnx_tf.schema import string_attribute

__all__ = ["carry_integers", "carry_integers_in_32_bits"]

_CARRIERS = {
    ir.DataType.BOOL: ir.DataType.INT32,
    ir.DataType.INT8: ir.DataType.INT32,
    ir.DataType.UINT8: ir.DataType.INT32,
    ir.DataType.INT16: ir.DataType.INT32,
    ir.DataType.UINT16: ir.DataType.INT32,
    ir.DataType.UINT32: ir.DataType.INT64,
    ir.DataType.UINT64: ir.DataType.INT64,
}
"""The dtype in which a dtype is computed: results lose their high bits again, as they do in ONNX."""

_ORDERING = frozenset(
    "ArgMax ArgMin Clip Greater GreaterOrEqual Less LessOrEqual Max Min ReduceMax ReduceMin TopK".split()  # noqa: SIM905
)
"""What asks which number is larger: 64 unsigned bits come with the first one inverted."""

_MOVING = frozenset(
    """
    Compress Concat DepthToSpace Expand Gather GatherElements GatherND OneHot Pad ReverseSequence Scatter
    ScatterElements ScatterND Slice SpaceToDepth Split Tile Transpose Trilu Unique Where
    """.split()  # noqa: SIM905
)
_COMPUTING = frozenset(
    """
    Abs Add BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor CumProd CumSum Einsum Equal Gemm MatMul Mul Neg NonZero
    PRelu Range ReduceL1 ReduceProd ReduceSum ReduceSumSquare Relu Sub Sum
    """.split()  # noqa: SIM905
)
_DIVIDING = frozenset({"Div", "LogSoftmax", "MaxPool", "Mean", "Mod", "Pow", "ReduceL2", "ReduceMean", "Sign"})
"""What does not wrap around: 64 unsigned bits are too many."""

_PLACES = frozenset({"ArgMax", "ArgMin", "NonZero"})
"""What gives int64 places, whatever it reads."""

_OF_BYTES = frozenset({"Concat", "Expand", "Gather", "GatherElements", "GatherND", "Slice", "Split"})

_NATIVE = {
    ir.DataType.INT8: _OF_BYTES | {"ArgMax", "ArgMin", "Transpose"},
    ir.DataType.UINT8: _OF_BYTES | {"ArgMax", "ArgMin", "Tile", "Transpose"},
    ir.DataType.INT16: _OF_BYTES,
    ir.DataType.UINT64: {"Abs"},
    ir.DataType.BOOL: (_MOVING | _COMPUTING | {"ReduceMax", "ReduceMin"}) - {"ReverseSequence", "Unique"},
}
"""Operators that have kernels of a dtype."""

_OF_32_BITS = frozenset(
    "Abs ArgMax ArgMin BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Div Mod Pow ReduceL1 ReduceMean Sign".split()  # noqa: SIM905
)
"""What takes several operators of int64, and one or a few of int32."""


_UNSIGNED_SHIFT = 11
"""The opset version of BitShift of unsigned integers alone, which no sign bit follows."""


def carry_integers(model: ir.Model) -> bool:
    """Put Casts around nodes whose integers have no kernels; return whether there were any.

    64-bit integers that are known to fit into 32 bits are computed in these where that is less work.
    """
    return _carry(model, known_ranges(model.graph))


def carry_integers_in_32_bits(model: ir.Model) -> bool:
    """Do as :func:`carry_integers`, and take all 64-bit integers for such that fit into 32 bits."""
    return _carry(model, None)


def _carry(model: ir.Model, ranges: Mapping[ir.Value, Range] | None) -> bool:
    carried = []
    for graph in model.graphs():
        for node in list(graph):
            if node.domain == "" and node.op_type in _MOVING | _COMPUTING | _ORDERING | _DIVIDING:
                carried.append(_surround(node, ranges))
    return any(carried)


def _shifts_64_bits(node: ir.Node) -> bool:
    return node.op_type == "BitShift" and node.outputs[0].dtype == ir.DataType.UINT64


def _surround(node: ir.Node, ranges: Mapping[ir.Value, Range] | None) -> bool:
    """Replace a node by one of wider integers between Casts; return whether it needs one."""
    narrowed = node.op_type in _OF_32_BITS and _fits(node, ranges)
    given = [None if value is None else _carrier(node, value.dtype, narrowed) for value in node.inputs]
    made = [_carrier(node, value.dtype, narrowed) for value in node.outputs]
    if node.op_type in _PLACES:
        made = [None] * len(made)
    if not any(given) and not any(made):
        return False
    inputs = [
        value if value is None else _entered(node, value, dtype)
        for value, dtype in zip(node.inputs, given, strict=True)
    ]
    outputs = [
        ir.Value(type=value.type if dtype is None else ir.TensorType(dtype), shape=value.shape)
        for value, dtype in zip(node.outputs, made, strict=True)
    ]
    version = _UNSIGNED_SHIFT if _shifts_64_bits(node) else node.version
    inner = ir.Node(
        "", node.op_type, inputs, list(node.attributes.values()), outputs=outputs, version=version, name=node.name
    )
    _add(node, inner)
    for old, new, dtype in zip(list(node.outputs), outputs, made, strict=True):
        name = old.name
        new.name = name if dtype is None else f"{name}_{dtype.name.lower()}"
        left = new if dtype is None else _left(node, new, old)
        left.shape = old.shape
        hand_on(old, left)
        replace_all_uses_with(old, left, replace_graph_outputs=True)
        left.name = name
    assert node.graph is not None
    node.graph.remove(node, safe=True)
    return True


def _carrier(node: ir.Node, dtype: ir.DataType | None, narrowed: bool) -> ir.DataType | None:
    """Return the dtype in which a node computes what has a dtype; ``None`` is that dtype."""
    if dtype is ir.DataType.INT64 and narrowed:
        return ir.DataType.INT32
    if dtype not in _CARRIERS or (dtype is ir.DataType.UINT64 and node.op_type in _DIVIDING):
        return None
    if dtype is ir.DataType.BOOL and node.op_type == "Pad":
        return None if string_attribute(node, "mode") == "constant" else ir.DataType.INT32
    return None if node.op_type in _NATIVE.get(dtype, ()) else _CARRIERS[dtype]


def _fits(node: ir.Node, ranges: Mapping[ir.Value, Range] | None) -> bool:
    """Return whether all 64-bit integers that a node computes with fit into 32 bits."""
    if ranges is None:
        return True
    values = node.inputs if node.op_type in _PLACES else (*node.inputs, *node.outputs)
    wide = [value for value in values if value is not None and value.dtype is ir.DataType.INT64]
    found = [ranges.get(value) for value in wide]
    return all(r is not None and INT32[0] < r[0] and r[1] <= INT32[1] for r in found)


def _entered(node: ir.Node, value: ir.Value, dtype: ir.DataType | None) -> ir.Value:
    if dtype is None:
        return value
    carried = _cast(node, value, dtype)
    return _with_first_bit_inverted(node, carried) if _is_inverted(node, value.dtype) else carried


def _left(node: ir.Node, inner: ir.Value, old: ir.Value) -> ir.Value:
    if _is_inverted(node, old.dtype):
        inner = _with_first_bit_inverted(node, inner)
    assert old.dtype is not None
    return _cast(node, inner, old.dtype)


def _is_inverted(node: ir.Node, dtype: ir.DataType | None) -> bool:
    return dtype is ir.DataType.UINT64 and node.op_type in _ORDERING


def _with_first_bit_inverted(node: ir.Node, value: ir.Value) -> ir.Value:
    assert node.graph is not None
    bit = add_constant(node.graph, "first_bit", ir.DataType.INT64, (), lambda: np.array(-(1 << 63), np.int64))
    return _made(node, "Add", [value, bit], ir.DataType.INT64, value.shape)


def _cast(node: ir.Node, value: ir.Value, dtype: ir.DataType) -> ir.Value:
    return _made(node, "Cast", [value], dtype, value.shape, {"to": dtype.value})


def _made(
    node: ir.Node,
    op_type: str,
    inputs: list[ir.Value],
    dtype: ir.DataType,
    shape: ir.Shape | None,
    attributes: Mapping[str, int] | None = None,
) -> ir.Value:
    """Return the result of a new node before another, in the newest form that needs no more attributes."""
    made = ir.node(op_type, inputs, attributes, version=max(node.version or 1, 13))
    made.name = f"{node.name}_{op_type}"
    result = made.outputs[0]
    result.name, result.type, result.shape = f"{inputs[0].name}_{dtype.name.lower()}", ir.TensorType(dtype), shape
    _add(node, made)
    return result


def _add(node: ir.Node, made: ir.Node) -> None:
    stand_for(node, made)
    node.prepend(made)
