"""Heads of attention: projections that are moved apart into heads, and heads that are joined and projected."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnx_tf.passes._projections import (
    FEATURES,
    Product,
    is_vector,
    length_of,
    only_reader,
    operands_of,
    product_of,
    scaled,
)
from onnx_tf.passes._sizes import Size
from onnx_tf.passes._views import Part, View, dims_of, moved, positions

__all__ = ["Heads", "Joined", "Lead", "heads_of", "joined"]

Lead = tuple[tuple[str, ...], ...]
"""Of each axis before the last two, what lies along it: ``"batch"``, ``"heads"`` or both, or nothing.

The first has something; axes of one element before it are left out."""


@dataclass(frozen=True)
class Heads:
    """What attention takes: a projection in heads.

    Attributes:
        product: the projection.
        index: which of its outputs is which element of which head: heads, size of a head.
        batch: which axis of its source is the batch; the other one of the first two is time.
        lead: what lies along the axes before time and the elements of a head.
        batch_size: how large the batch is.
        scale: what the result was multiplied by.
        nodes: what computes it.
    """

    product: Product
    index: np.ndarray
    batch: int
    lead: Lead
    batch_size: Size
    scale: float
    nodes: tuple[ir.Node, ...]


@dataclass(frozen=True)
class Joined:
    """What becomes of the heads that attention gives: they are joined and projected.

    Attributes:
        kernel: the matrix.
        transposed: whether it is outputs, inputs.
        bias: the vector that is added.
        are_features_first: whether the matrix has the elements of a head before the heads.
        is_time_first: whether the result is time, batch, features.
        nodes: what computes it; the last one gives it.
    """

    kernel: ir.Value
    transposed: bool
    bias: ir.Value | None
    are_features_first: bool
    is_time_first: bool
    nodes: tuple[ir.Node, ...]


def heads_of(value: ir.Value | None, *, turned: bool = False) -> Heads | None:
    """Return the projection whose heads a value holds.

    Args:
        value: batch and heads in any axes, then time and the elements of a head.
        turned: the last two axes are exchanged.
    """
    path: list[tuple[ir.Node, ir.Value]] = []
    nodes, factor = [], 1.0
    while value is not None and value.producer() is not None:
        node = value.producer()
        assert node is not None
        scaling = scaled(node)
        product = None if scaling else product_of(value)
        if product is not None:
            break
        if scaling is not None:
            source, number = scaling
            factor *= number
            value = source
        else:
            path.append((node, value))
            value = node.inputs[0] if node.inputs else None
        nodes.append(node)
    else:
        return None
    view: View | None = product.view
    for node, output in reversed(path):
        view = None if view is None else moved(view, node, output)
    return None if view is None else _as_heads(product, view, turned, factor, (*nodes, *product.nodes))


def _as_heads(product: Product, view: View, turned: bool, factor: float, nodes: tuple[ir.Node, ...]) -> Heads | None:
    *lead, time, features = view.axes if not turned else (*view.axes[:-2], view.axes[-1], view.axes[-2])
    of_batch = [part for axis in lead for part in axis if part.axis != FEATURES]
    of_heads = [part for axis in lead for part in axis if part.axis == FEATURES]
    whole = dims_of(product.source)
    assert whole is not None
    if any(part.axis != FEATURES for part in features) or any(part.axis == FEATURES for part in time):
        return None
    if len(of_batch) > 1 or len(time) > 1 or view.start(0) or view.start(1):
        return None
    batch = of_batch[0].axis if of_batch else 1 - time[0].axis if time else 0
    taken = {part.axis: part.size for part in (*of_batch, *time)}
    if any(taken.get(axis, Size(1)) != whole[axis] for axis in (0, 1)) or batch in {part.axis for part in time}:
        return None
    kinds = [("heads" if part.axis == FEATURES else "batch" for part in axis) for axis in lead]
    names = tuple(tuple(kind for kind, _ in itertools.groupby(axis)) for axis in kinds)
    names = tuple(itertools.dropwhile(lambda axis: not axis, names))
    if sum(axis.count("heads") for axis in names) > 1:
        return None
    index = positions(view.start(FEATURES), [*of_heads, *features])
    index = index.reshape(math.prod(part.size.factor for part in of_heads), -1)
    return Heads(product, index, batch, names, whole[batch], factor, nodes)


def joined(value: ir.Value, lead: Lead, batch: Size, time: Size, heads: int, size: int) -> Joined | None:
    """Return what becomes of a value: of batch and heads as ``lead`` says, then time and the elements of a head."""
    parts = {"batch": Part(0, batch), "heads": Part(2, Size(heads))}
    rank = len(dims_of(value) or ())
    sizes = [tuple(parts[name] for name in axis) for axis in ((),) * (rank - 2 - len(lead)) + lead]
    ends = [Part(1, time), Part(3, Size(size))]
    view: View | None = View((*sizes, *(() if part.size == Size(1) else (part,) for part in ends)))
    nodes: list[ir.Node] = []
    while (node := only_reader(value)) is not None and (parts_of := _product_of_heads(node, value)) is None:
        view = None if view is None else moved(view, node, node.outputs[0])
        if view is None or node.inputs[0] is not value:
            return None
        nodes.append(node)
        value = node.outputs[0]
    if node is None or parts_of is None or view is None or view.starts:
        return None
    kernel, transposed, bias = parts_of
    order = [part.axis for part in view.axes[-1]]
    if sorted(order) != [axis for axis, n in ((2, heads), (3, size)) if n != 1]:
        return None
    outputs = length_of(kernel, 0 if transposed else 1)
    result = _projected(node, View((*view.axes[:-1], (Part(4, Size(outputs)),))), bias)
    if result is None:
        return None
    bias, is_time_first, further = result
    return Joined(kernel, transposed, bias, order == [3, 2], is_time_first, (*nodes, node, *further))


def _product_of_heads(node: ir.Node, value: ir.Value) -> tuple[ir.Value, bool, ir.Value | None] | None:
    if node.domain != "" or node.op_type not in ("MatMul", "Gemm"):
        return None
    found = operands_of(node)
    return found[1:] if found is not None and found[0] is value else None


def _projected(
    node: ir.Node, view: View, bias: ir.Value | None
) -> tuple[ir.Value | None, bool, tuple[ir.Node, ...]] | None:
    """Return the bias, whether time is first, and the nodes between a product and the result of three axes."""
    outputs, found, value = view.axes[-1][0].size.factor, list[ir.Node](), node.outputs[0]
    while True:
        reader = only_reader(value)
        other = None if reader is None or bias is not None else _added(reader, value, outputs)
        if other is not None:
            bias = other
        elif reader is not None and len(view.axes) == 2 and reader.op_type == "Reshape":
            reshaped = moved(view, reader, reader.outputs[0])
            if reshaped is None:
                return None
            view = reshaped
        else:
            break
        assert reader is not None
        found.append(reader)
        value = reader.outputs[0]
    axes = [[part.axis for part in axis] for axis in view.axes]
    if len(axes) != 3 or axes[2] != [4] or any(len(axis) > 1 for axis in axes):
        return None
    return bias, [1] in axes[:1] or [0] in axes[1:2], tuple(found)


def _added(node: ir.Node, value: ir.Value, length: int) -> ir.Value | None:
    """Return the constant vector that a node adds to a value."""
    if (node.domain, node.op_type) != ("", "Add"):
        return None
    other = node.inputs[1] if node.inputs[0] is value else node.inputs[0]
    return other if other is not None and is_vector(other, length) else None
