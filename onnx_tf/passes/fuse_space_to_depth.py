"""Recognise SpaceToDepth where it is written as the concatenation of every b-th row and column."""

from __future__ import annotations

import functools
import math

import numpy as np
import onnx_ir as ir

from onnx_tf.origins import Rearranged, hand_on, stand_for
from onnx_tf.passes._constants import add_constant
from onnx_tf.schema import int_attribute, optional_int_attribute

__all__ = ["fuse_space_to_depth"]

VERSION = 13
_HEIGHT, _WIDTH = 2, 3

_Place = tuple[int, int]
"""The row and the column of a block that a slice takes."""


def fuse_space_to_depth(model: ir.Model) -> bool:
    """Replace each such concatenation that a convolution reads; return whether any was found.

    As the stems of YOLOv5 and YOLOX ("focus") are written: four slices of an image with steps of 2, joined along the
    channels. Their order differs from that of SpaceToDepth: the filters' channels are put into the latter's.
    """
    fused = [_fuse(node) for graph in model.graphs() for node in list(graph)]
    return any(fused)


def _fuse(concat: ir.Node) -> bool:
    blocksize = math.isqrt(len(concat.inputs))
    if (concat.domain, concat.op_type) != ("", "Concat") or blocksize < 2 or blocksize**2 != len(concat.inputs):
        return False
    if optional_int_attribute(concat, "axis") != 1:
        return False
    convolutions = _readers(concat)
    found = [_sliced(value, blocksize) for value in concat.inputs]
    sources, places = [source for source, _ in found], [place for _, place in found]
    source = sources[0]
    every = {(row, column) for row in range(blocksize) for column in range(blocksize)}
    if source is None or any(other is not source for other in sources) or set(places) != every:
        return False
    channels = _channels(source, blocksize)
    if not convolutions or not channels or concat.graph is None:
        return False
    blocks = [places.index((row, column)) for row in range(blocksize) for column in range(blocksize)]
    order = tuple(block * channels + channel for block in blocks for channel in range(channels))
    _replace(concat, source, blocksize, order, convolutions)
    return True


def _readers(concat: ir.Node) -> list[ir.Node]:
    """Return the convolutions that read the result as their data, if nothing else does."""
    result = concat.outputs[0]
    uses = list(result.uses())
    if result.is_graph_output() or not all(_is_convolution(use.node) and use.idx == 0 for use in uses):
        return []
    return [use.node for use in uses]


def _is_convolution(node: ir.Node) -> bool:
    filters = node.inputs[1] if len(node.inputs) > 1 else None
    is_known = filters is not None and filters.const_value is not None
    return (node.domain, node.op_type) == ("", "Conv") and is_known and int_attribute(node, "group") == 1


def _channels(source: ir.Value, blocksize: int) -> int:
    """Return how many channels an image has whose known dimensions are whole blocks, else 0.

    Of open dimensions only such are right: the slices of others differ in size.
    """
    shape = source.shape
    if shape is None or shape.rank() != 4 or not isinstance(shape[1], int):
        return 0
    are_whole = all(not isinstance(dim, int) or dim % blocksize == 0 for dim in shape[_HEIGHT:])
    return shape[1] if are_whole else 0


def _sliced(value: ir.Value | None, step: int) -> tuple[ir.Value | None, _Place]:
    """Return the value of which another takes every step-th row and column, and the first of either."""
    starts: dict[int, int] = {}
    while value is not None and set(starts) != {_HEIGHT, _WIDTH}:
        node = value.producer()
        own = {} if node is None else _starts(node, step)
        if not own or own.keys() & starts.keys():
            return None, (0, 0)
        starts |= own
        value = node.inputs[0] if node is not None else None
    return value, (starts.get(_HEIGHT, 0), starts.get(_WIDTH, 0))


def _starts(node: ir.Node, step: int) -> dict[int, int]:
    """Return where a Slice with such steps up to the ends begins, by axis; nothing for another node."""
    if (node.domain, node.op_type) != ("", "Slice") or (node.version or 1) < 10 or len(node.inputs) != 5:
        return {}
    data, tensors = node.inputs[0], [None if v is None else v.const_value for v in node.inputs[1:]]
    if any(tensor is None for tensor in tensors) or data is None or data.shape is None:
        return {}
    lists = [tensor.numpy().tolist() for tensor in tensors if tensor is not None]
    found = {}
    for start, end, axis, own in zip(*lists, strict=True):
        place = axis + len(data.shape) if axis < 0 else axis
        size = data.shape[place] if place in (_HEIGHT, _WIDTH) else None
        last = size if isinstance(size, int) else np.iinfo(np.int32).max
        if place not in (_HEIGHT, _WIDTH) or own != step or not 0 <= start < step or end < last:
            return {}
        found[place] = start
    return found


def _replace(
    concat: ir.Node, source: ir.Value, blocksize: int, order: tuple[int, ...], convolutions: list[ir.Node]
) -> None:
    old = concat.outputs[0]
    node = ir.Node(
        "", "SpaceToDepth", [source], [ir.AttrInt64("blocksize", blocksize)], version=VERSION, name=concat.name
    )
    new = node.outputs[0]
    new.name, new.type, new.shape = old.name, old.type, old.shape
    stand_for(concat, node)
    hand_on(old, new, Rearranged(order))
    concat.append(node)
    for convolution in convolutions:
        convolution.replace_input_with(0, new)
        filters = convolution.inputs[1]
        assert filters is not None
        convolution.replace_input_with(1, _rearranged(concat, filters, order))
    unused = [concat]
    for producer in unused:  # grows: the slices, and what they slice
        values = [value for value in producer.inputs if value is not None]
        graph = producer.graph
        assert graph is not None
        graph.remove(producer, safe=True)
        above = dict.fromkeys(value.producer() for value in values if not value.uses() and not value.is_graph_output())
        unused += [n for n in above if n is not None and n.op_type == "Slice" and n not in unused]


def _rearranged(concat: ir.Node, filters: ir.Value, order: tuple[int, ...]) -> ir.Value:
    """Return filters M, C, ... whose channels lie in another order."""
    tensor, graph = filters.const_value, concat.graph
    assert tensor is not None
    assert graph is not None
    if len(list(filters.uses())) == 1 and graph.initializers.get(str(filters.name)) is filters:
        del graph.initializers[str(filters.name)]  # whose name goes on
    compute = functools.partial(lambda tensor: tensor.numpy()[:, list(order)], tensor)
    new = add_constant(graph, str(filters.name), tensor.dtype, tensor.shape, compute)
    hand_on(filters, new, Rearranged(order))
    return new
