"""How a node changes when the axes of its computation are put in another order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import onnx_ir as ir

from onnx_tf.layout.shapes import constant
from onnx_tf.schema import int_attribute, ints_attribute, optional_int_attribute

__all__ = [
    "Move",
    "Remap",
    "axes_attribute_or_input",
    "axis_attribute",
    "axis_input",
    "channels_last_attribute",
    "gathered_axis",
    "nothing",
    "pads",
    "per_axis_attribute",
    "per_axis_input",
    "slices",
]


class Move(Protocol):
    """A node whose computation moves to another order of its axes.

    Attributes:
        node: the node; its data inputs are replaced already.
        order: for each axis of the computation in the new order, its number in the ONNX order.
    """

    @property
    def node(self) -> ir.Node: ...  # noqa: D102

    @property
    def order(self) -> Sequence[int]: ...  # noqa: D102

    def constant(self, array: np.ndarray, hint: str) -> ir.Value:
        """Return a constant of the node's graph."""

    def emit(self, op_type: str, inputs: Sequence[ir.Value], **attributes: object) -> ir.Value:
        """Insert a node of ai.onnx before the node and return its first output."""


Remap = Callable[[Move], None]


def nothing(move: Move) -> None:
    """Elementwise operators, and those whose attributes keep the ONNX numbering in any order."""


def new_axis(move: Move, axis: int) -> int:
    """Return the number in the new order of an axis numbered as in ONNX."""
    return list(move.order).index(axis % len(move.order))


def axis_attribute(without_default: int | None = None) -> Remap:
    """The attribute ``axis`` names one axis: ``without_default`` where neither node nor schema states it."""

    def remap(move: Move) -> None:
        stated = optional_int_attribute(move.node, "axis")
        axis = without_default if stated is None else stated
        if axis is not None:
            move.node.attributes["axis"] = ir.AttrInt64("axis", new_axis(move, axis))

    return remap


def gathered_axis(move: Move) -> None:
    """Gather: the axes of the indices, if they have several, are axes of the computation but not of the data."""
    indices = move.node.inputs[1]
    assert indices is not None
    shape = indices.shape if indices.const_value is None else indices.const_value.shape
    index_rank = 0 if shape is None else len(shape)
    data_rank = len(move.order) - (index_rank if index_rank > 1 else 0)
    axis = int_attribute(move.node, "axis") % data_rank
    move.node.attributes["axis"] = ir.AttrInt64("axis", list(move.order).index(axis))


def per_axis_attribute(name: str, repeats: int = 1) -> Remap:
    """An attribute holds one number per axis, or as many runs of that."""

    def remap(move: Move) -> None:
        given = ints_attribute(move.node, name)
        if given is not None:
            move.node.attributes[name] = ir.AttrInt64s(name, [given[i] for i in _runs(move.order, repeats)])

    return remap


def _runs(order: Sequence[int], repeats: int) -> list[int]:
    return [run * len(order) + axis for run in range(repeats) for axis in order]


def per_axis_input(index: int, repeats: int = 1) -> Remap:
    """An input is a vector of one number per axis, or as many runs of that."""

    def remap(move: Move) -> None:
        given = move.node.inputs[index]
        assert given is not None
        array = constant(given)
        where = _runs(move.order, repeats)
        if array is not None:
            if index == 1 and move.node.op_type == "Expand" and array.size < len(where):
                array = np.concatenate([np.ones(len(where) - array.size, array.dtype), array])
            moved = move.constant(array.reshape(-1)[where], f"{given.name}_permuted")
        else:
            moved = move.emit("Gather", [given, move.constant(np.array(where, np.int64), "order")], axis=0)
        move.node.replace_input_with(index, moved)

    return remap


def axis_input(index: int) -> Remap:
    """An input, where it is there, holds the numbers of axes (negative ones count from the end)."""

    def remap(move: Move) -> None:
        if index >= len(move.node.inputs) or move.node.inputs[index] is None:
            return
        given = move.node.inputs[index]
        assert given is not None
        table = np.argsort(move.order).astype(np.int64)
        array = constant(given)
        if array is not None:
            moved = move.constant(table[array].astype(array.dtype), f"{given.name}_permuted")
        else:
            moved = move.emit("Gather", [move.constant(table, "axis_table"), given], axis=0)
            if given.dtype not in (None, ir.DataType.INT64):
                moved = move.emit("Cast", [moved], to=int(given.dtype))
        move.node.replace_input_with(index, moved)

    return remap


def axes_attribute_or_input(move: Move) -> None:
    """Reductions: the axes are an attribute in older versions, the second input in newer ones."""
    given = ints_attribute(move.node, "axes")
    if given is not None:
        move.node.attributes["axes"] = ir.AttrInt64s("axes", sorted(new_axis(move, a) for a in given))
    axis_input(1)(move)


def pads(move: Move) -> None:
    """Pad: begins of all axes, then ends; or of the axes that a fourth input names."""
    node = move.node
    for name in ("pads", "paddings"):
        per_axis_attribute(name, repeats=2)(move)
    if len(node.inputs) > 3 and node.inputs[3] is not None:
        axis_input(3)(move)
    elif len(node.inputs) > 1:
        per_axis_input(1, repeats=2)(move)


def slices(move: Move) -> None:
    """Slice: starts and ends of the axes named, of the leading axes where none are."""
    node = move.node
    starts = ints_attribute(node, "starts")
    if starts is not None:
        axes = ints_attribute(node, "axes") or list(range(len(starts)))
        node.attributes["axes"] = ir.AttrInt64s("axes", [new_axis(move, a) for a in axes])
        return
    if len(node.inputs) > 3 and node.inputs[3] is not None:
        axis_input(3)(move)
        return
    count = node.inputs[1].shape[0]  # type: ignore[union-attr, index]
    table = np.argsort(move.order).astype(np.int64)
    if len(node.inputs) < 4:
        node.resize_inputs(4)
    node.replace_input_with(3, move.constant(table[:count], "axes"))


def channels_last_attribute(move: Move) -> None:
    """Operators of com.microsoft that take channels-last data by an attribute."""
    move.node.attributes["channels_last"] = ir.AttrInt64("channels_last", 1)
