"""Entries of onnx2tf's parameter replacement in the terms of the ONNX graph.

They speak of a graph in which every value of three axes or more lies as N, spatial..., C. Values of fewer axes are as
they are in ONNX.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from onnx_tf.edits.channels_last import channels_last, in_onnx_order
from onnx_tf.edits.misfit import Misfit
from onnx_tf.edits.node_changes import input_index, schema_of
from onnx_tf.edits.operation_terms import of_operation
from onnx_tf.overrides import NodeOverride, Replacement

__all__ = ["translated"]

_BROADCASTING = frozenset({
    "Add", "And", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Equal", "Greater", "GreaterOrEqual",
    "Less", "LessOrEqual", "Max", "Mean", "Min", "Mod", "Mul", "Or", "PRelu", "Pow", "Sub", "Sum", "Where", "Xor",
})  # fmt: skip


def translated(node: ir.Node, entry: Replacement) -> NodeOverride:
    """Return what an entry asks of a node, in ONNX's order of axes.

    Args:
        node: the node that it names; ranks of what it reads and computes are known as far as they are needed.
        entry: the entry.

    Raises:
        Misfit: it cannot be said of the ONNX node, or a rank is missing.
    """
    if entry.target == "op":
        return of_operation(node, entry)
    if entry.target == "outputs":
        perm = entry.post_process_transpose_perm or ()
        return NodeOverride(entry.node, transpose_after={entry.parameter: _perm(perm)}, place=entry.place)
    if entry.target == "attributes":
        return _attribute(node, entry)
    inputs, before = {}, {}
    if entry.has_values:
        inputs[entry.parameter] = _constant(node, entry.parameter, entry.values)
    if entry.pre_process_transpose_perm is not None:
        before[entry.parameter] = _perm(entry.pre_process_transpose_perm)
    return NodeOverride(entry.node, inputs=inputs, transpose_before=before, place=entry.place)


def _perm(perm: Sequence[int]) -> tuple[int, ...]:
    """Return a permutation of a channels-last value's axes, which gives another such value, in ONNX's axes."""
    order = channels_last(len(perm))
    found = [0] * len(perm)
    for axis, source in enumerate(perm):
        found[order[axis]] = order[source]
    return tuple(found)


def _axis(axis: Any, rank: int) -> int:
    if type(axis) is not int or not -rank <= axis < rank:
        raise Misfit(f"{axis!r} is no axis of {rank}")
    return channels_last(rank)[axis % rank]


def _rank(value: ir.Value | None, name: str) -> int:
    if value is None or value.shape is None:
        raise Misfit(
            f"the rank of {name} is not known, and with it not which axes are meant: state the entry in ONNX's"
        )
    return len(value.shape)


def _attribute(node: ir.Node, entry: Replacement) -> NodeOverride:
    name, value = entry.parameter, entry.values
    if name == "perm":
        value = None if value is None else _perm(_permutation(value))
    elif name in ("axis", "axes") and node.op_type not in ("Flatten", "DequantizeLinear", "QuantizeLinear"):
        value = _axes(value, _rank_of_axes(node, value))
    schema = schema_of(node)
    if schema is not None and name not in schema.attributes and name in [formal.name for formal in schema.inputs]:
        # What became an input in a later opset is an attribute to onnx2tf all the same.
        return NodeOverride(entry.node, inputs={name: value}, place=entry.place)
    return NodeOverride(entry.node, attributes={name: value}, place=entry.place)


def _permutation(value: Any) -> list[int]:
    if not isinstance(value, list) or sorted(value) != list(range(len(value))):
        raise Misfit(f"{value!r} is no permutation, as in [0, 2, 3, 1]")
    return value


def _axes(value: Any, rank: int) -> Any:
    return [_axis(axis, rank) for axis in value] if isinstance(value, list) else _axis(value, rank)


def _rank_of_axes(node: ir.Node, axes: Any) -> int:
    first = node.inputs[0] if node.inputs else None
    if node.op_type == "Unsqueeze":
        return _rank(first, "the input") + (len(axes) if isinstance(axes, list) else 1)
    return _rank(first, "the input")


def _constant(node: ir.Node, name: str, values: Any) -> Any:
    """Return the value of a constant input of a node in ONNX's order."""
    index = input_index(node, name)
    schema = schema_of(node)
    formals = [] if schema is None else schema.inputs
    what = formals[min(index, len(formals) - 1)].name if formals else ""
    special = _INPUTS.get((node.op_type, what)) or _INPUTS.get(("", what))
    if special is not None:
        return special(node, values if isinstance(values, list) or what == "indices" else [values])
    if node.op_type in ("Conv", "ConvTranspose") and index == 1:
        array = np.asarray(values)
        return array.transpose(array.ndim - 1, array.ndim - 2, *range(array.ndim - 2))
    return _data(node, np.asarray(values))


def _data(node: ir.Node, array: np.ndarray) -> np.ndarray:
    rank = array.ndim
    if node.op_type in _BROADCASTING and array.size > 1:
        # What has fewer axes lies along the last ones, of which the very last are the channels.
        rank = max(
            [rank, *(len(v.shape) for v in (*node.inputs, *node.outputs) if v is not None and v.shape is not None)]
        )
        array = array.reshape((1,) * (rank - array.ndim) + array.shape)
    return array.transpose(np.argsort(channels_last(rank)))


def _pads(_node: ir.Node, values: Sequence[Any]) -> list[Any]:
    half = len(values) // 2
    return in_onnx_order(values[:half]) + in_onnx_order(values[half:])


def _positions(node: ir.Node, values: Sequence[Any]) -> Sequence[Any]:
    """Return the starts, ends or steps of a Slice, which go with its axes."""
    has_axes = len(node.inputs) > 3 and node.inputs[3] is not None
    if has_axes or len(values) < 3:
        return values
    if len(values) != _rank(node.inputs[0], "the input"):
        raise Misfit("it is not known which axes are meant: state all of them")
    return in_onnx_order(values)


def _resized(node: ir.Node, values: Sequence[Any], of_input: Callable[[int | ir.SymbolicDim], Any]) -> list[Any]:
    rank = _rank(node.inputs[0], "the input")
    if len(values) == rank:
        return in_onnx_order(values)
    shape = node.inputs[0].shape if node.inputs[0] is not None else None
    if len(values) != rank - 2 or shape is None:
        raise Misfit(f"{len(values)} numbers are given, of {rank - 2} spatial axes")
    return [of_input(shape[0]), of_input(shape[1]), *values]


def _scales(node: ir.Node, values: Sequence[Any]) -> list[Any]:
    return _resized(node, values, lambda _: 1.0)


def _resized_to(node: ir.Node, values: Sequence[Any]) -> list[Any]:
    return _resized(node, values, _known)


def _known(dim: int | ir.SymbolicDim) -> int:
    if not isinstance(dim, int):
        raise Misfit("batch or channels of what is resized are open: state the entry in ONNX's terms")
    return dim


def _along_axes(node: ir.Node, values: Sequence[Any]) -> list[int]:
    found: list[int] = _axes(list(values), _rank_of_axes(node, list(values)))
    return found


def _in_order(_node: ir.Node, values: Sequence[Any]) -> list[Any]:
    return in_onnx_order(values)


def _indices(node: ir.Node, values: Sequence[Any]) -> Any:
    """Return indices of a Gather; into a shape they are axes."""
    shape = node.inputs[0].producer() if node.inputs[0] is not None else None
    index = np.asarray(values)
    if shape is not None and shape.op_type == "Shape" and not shape.attributes:
        order = channels_last(_rank(shape.inputs[0], "what the shape is of"))
        if index.size and not -len(order) <= index.min() <= index.max() < len(order):
            raise Misfit(f"{index.tolist()} are no axes of {len(order)}")
        return np.asarray(order)[index]
    return index.transpose(np.argsort(channels_last(index.ndim)))


def _as_it_is(_node: ir.Node, values: Sequence[Any]) -> Sequence[Any]:
    return values


_INPUTS: Mapping[tuple[str, str], Callable[[ir.Node, Sequence[Any]], Any]] = {
    ("", "shape"): _in_order,
    ("", "repeats"): _in_order,
    ("ConstantOfShape", "input"): _in_order,
    ("", "axes"): _along_axes,
    ("Pad", "pads"): _pads,
    ("Slice", "starts"): _positions,
    ("Slice", "ends"): _positions,
    ("Slice", "steps"): _positions,
    ("Resize", "scales"): _scales,
    ("Resize", "sizes"): _resized_to,
    ("Split", "split"): _as_it_is,
    ("Gather", "indices"): _indices,
}
"""What the inputs mean that hold no data, by operator (``""``: any) and the schema's name."""
