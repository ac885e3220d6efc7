"""Which elements of a tensor lie where in another one, through nodes that only move them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from onnx_tf.passes._sizes import Size, quotient
from onnx_tf.schema import int_attribute, ints_attribute

__all__ = ["Part", "View", "dims_of", "gives_what_it_takes", "moved", "positions", "view_of"]

_MOVING = ("Flatten", "Gather", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze")
"""The operators that are followed, besides those that give what they take."""


@dataclass(frozen=True)
class Part:
    """An index along an axis, or one of those that an axis is split into.

    Attributes:
        axis: which axis of the first tensor it counts along.
        size: how many there are.
        stride: by how much one more goes on along that axis.
    """

    axis: int
    size: Size
    stride: int = 1


@dataclass(frozen=True)
class View:
    """What lies along each axis of a tensor: parts, the outermost first; axes of one element have none.

    Attributes:
        axes: the parts of each axis.
        starts: where the axes of the first tensor begin that are cut.
    """

    axes: tuple[tuple[Part, ...], ...]
    starts: tuple[tuple[int, int], ...] = ()

    def start(self, axis: int) -> int:
        """Return where an axis of the first tensor begins."""
        return sum(offset for own, offset in self.starts if own == axis)


def view_of(dims: Sequence[Size]) -> View:
    """Return the view of a tensor by itself."""
    return View(tuple(() if dim == Size(1) else (Part(axis, dim),) for axis, dim in enumerate(dims)))


def dims_of(value: ir.Value | None) -> list[Size] | None:
    """Return the dimensions of a value; those without a name get one."""
    if value is None or value.shape is None:
        return None
    texts = (d if isinstance(d, int) else d.value or f"{value.name}.{i}" for i, d in enumerate(value.shape))
    return [Size(text) if isinstance(text, int) else _parsed(str(text)) for text in texts]


def _parsed(text: str) -> Size:
    """Return the size that ``str`` of one gave."""
    numbers = re.fullmatch(r"(\d+)\*(.+)", text)
    factor, names = (int(numbers[1]), numbers[2]) if numbers else (1, text)
    return Size(factor, tuple(sorted(names.split("*"))))


def moved(view: View, node: ir.Node, output: ir.Value) -> View | None:
    """Return the view of what a node gives for its first input; ``None`` where it is not known to move alone."""
    source, dims = node.inputs[0], dims_of(output)
    if source is not None and gives_what_it_takes(node):
        return view
    if source is None or dims is None or node.domain != "" or node.op_type not in _MOVING:
        return None
    if node.op_type == "Transpose":
        perm = ints_attribute(node, "perm") or range(len(view.axes))[::-1]
        return replace(view, axes=tuple(view.axes[axis] for axis in perm))
    if node.op_type == "Gather":
        return _gathered(view, node)
    if node.op_type == "Split":
        return _piece(view, node, output)
    if node.op_type == "Slice":
        return _sliced(view, node, dims)
    return _regrouped(view, dims)


def gives_what_it_takes(node: ir.Node) -> bool:
    """Tell whether a node gives its first input: a Cast to the dtype that it has, an Expand to its shape."""
    source, output = node.inputs[0], node.outputs[0]
    if source is None or node.domain != "":
        return False
    if node.op_type == "Expand":
        return dims_of(source) is not None and dims_of(source) == dims_of(output)
    return node.op_type == "Identity" or (node.op_type == "Cast" and source.dtype is output.dtype)


def _regrouped(view: View, dims: Sequence[Size]) -> View | None:
    """Return a view in other dimensions: they take the parts one after another, and split what is too large."""
    waiting = [part for axis in view.axes for part in axis][::-1]
    axes = []
    for dim in dims:
        missing, taken = dim, list[Part]()
        while missing != Size(1):
            if not waiting:
                return None
            part = waiting.pop()
            rest = quotient(missing, part.size)
            if rest is not None:
                taken.append(part)
                missing = rest
                continue
            inner = quotient(part.size, missing)
            if inner is None or inner.number is None:
                return None
            taken.append(Part(part.axis, missing, part.stride * inner.number))
            waiting.append(Part(part.axis, inner, part.stride))
            missing = Size(1)
        axes.append(tuple(taken))
    return None if waiting else replace(view, axes=tuple(axes))


def _numbers(value: ir.Value | None) -> list[int] | None:
    tensor = None if value is None else value.const_value
    return None if tensor is None or tensor.size > 1 else [int(n) for n in tensor.numpy().reshape(-1)]


def _cut(view: View, axis: int, start: int, size: int) -> View | None:
    """Return a view of consecutive elements of an axis that is one part; its length stays where it is 1."""
    parts = view.axes[axis]
    if len(parts) != 1 or parts[0].size.number is None:
        return None
    (part,) = parts
    start += part.size.factor if start < 0 else 0
    if not 0 <= start <= start + size <= part.size.factor:
        return None
    kept = () if size == 1 else (replace(part, size=Size(size)),)
    starts = (*view.starts, (part.axis, start * part.stride))
    return View((*view.axes[:axis], kept, *view.axes[axis + 1 :]), starts)


def _gathered(view: View, node: ir.Node) -> View | None:
    indices, axis = node.inputs[1], int_attribute(node, "axis") % len(view.axes)
    numbers = _numbers(indices)
    found = None if not numbers else _cut(view, axis, numbers[0], 1)
    if found is None or indices is None or indices.shape is None or indices.shape.rank() > 1:
        return None
    left = found.axes[axis : axis + 1] * indices.shape.rank()
    return replace(found, axes=(*found.axes[:axis], *left, *found.axes[axis + 1 :]))


def _piece(view: View, node: ir.Node, output: ir.Value) -> View | None:
    axis = int_attribute(node, "axis") % len(view.axes)
    sizes = [None if dims is None else dims[axis].number for dims in map(dims_of, node.outputs)]
    before = [n for n in sizes[: node.outputs.index(output) + 1] if n is not None]
    if len(before) <= node.outputs.index(output):
        return None
    return _cut(view, axis, sum(before[:-1]), before[-1])


def _sliced(view: View, node: ir.Node, dims: Sequence[Size]) -> View | None:
    if len(node.inputs) < 4:
        return None
    starts, axes = (_numbers(node.inputs[i]) for i in (1, 3))
    steps = _numbers(node.inputs[4]) if len(node.inputs) > 4 and node.inputs[4] is not None else [1]
    if not starts or not axes or steps != [1]:
        return None
    size = dims[axes[0] % len(dims)].number
    return None if size is None else _cut(view, axes[0] % len(dims), starts[0], size)


def positions(start: int, parts: Sequence[Part]) -> np.ndarray:
    """Return where along their axis the elements of parts lie, as an array with an axis for each."""
    found = np.array(start)
    for part in parts:
        found = found[..., None] + part.stride * np.arange(part.size.factor)
    return found
