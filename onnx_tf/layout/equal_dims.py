"""Which dimensions an operator leaves as they are, where shape inference has given up on their names."""

from __future__ import annotations

from collections.abc import Iterable

import onnx_ir as ir

from onnx_tf.layout.frames import Frame
from onnx_tf.layout.shapes import Dim, Shapes, constant
from onnx_tf.schema import optional_int_attribute

__all__ = ["equate_dims"]

_CHANNELWISE = frozenset({"AveragePool", "GlobalAveragePool", "GlobalMaxPool", "LpPool", "MaxPool"})
_BATCHWISE = frozenset({"Conv", "ConvInteger", "ConvTranspose", "DepthToSpace", "QLinearConv", "SpaceToDepth"})
_ALONG_ONE_AXIS = frozenset({"Concat", "Gather", "Split", "TopK"})


def equate_dims(node: ir.Node, frame: Frame, shapes: Shapes) -> None:
    """Take note of the axes along which the operands and results of a node have the same size."""
    if frame.aligned:
        if node.op_type != "Expand":  # its data may be 1 where its shape input says more
            _equate_broadcast(node, frame, shapes)
        return
    for axis in _kept(node, frame.rank):
        sizes = [_size(value, axes, axis, shapes) for value, axes in frame.ports(node) if axis in axes]
        for size in sizes[1:]:
            shapes.equate(sizes[0], size)


def _kept(node: ir.Node, rank: int) -> Iterable[int]:
    if node.op_type in _CHANNELWISE:
        return range(2)
    if node.op_type in _BATCHWISE:
        return range(1)
    if node.op_type in _ALONG_ONE_AXIS:
        changed = optional_int_attribute(node, "axis")
        return () if changed is None else (a for a in range(rank) if a != changed % rank)
    if node.op_type == "Slice":
        axes = constant(node.inputs[3]) if len(node.inputs) > 3 else None
        return () if axes is None else set(range(rank)) - {int(a) % rank for a in axes}
    if node.op_type in ("Resize", "Upsample"):
        scales = constant(node.inputs[1 if len(node.inputs) == 2 else 2]) if 2 <= len(node.inputs) <= 3 else None
        return () if scales is None or scales.size != rank else (a for a in range(rank) if scales[a] == 1)
    return ()


def _equate_broadcast(node: ir.Node, frame: Frame, shapes: Shapes) -> None:
    """Where all operands that are not 1 have one size, the result has it too."""
    for axis in range(frame.rank):
        sizes: set[Dim] = set()
        for index, axes in frame.inputs.items():
            value = node.inputs[index]
            if value is not None and axis in axes:
                sizes.add(_size(value, axes, axis, shapes))
        sizes.discard(1)
        if len(sizes) == 1:
            size = sizes.pop()
            for index, axes in frame.outputs.items():
                shapes.equate(size, _size(node.outputs[index], axes, axis, shapes))


def _size(value: ir.Value, axes: tuple[int, ...], axis: int, shapes: Shapes) -> Dim:
    dims = shapes.dims(value)
    assert dims is not None
    return dims[axes.index(axis)]
