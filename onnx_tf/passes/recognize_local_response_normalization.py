"""Recognise LRN where it is written out, as PyTorch does: squares, their mean over neighbouring channels, a power."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from onnx_ir.convenience import replace_all_uses_with

from onnx_tf.origins import hand_on, stand_for
from onnx_tf.schema import float_attribute, int_attribute, ints_attribute, optional_int_attribute, string_attribute

__all__ = ["recognize_local_response_normalization"]

VERSION = 13
"""The opset version of LRN."""

_VIEWS = ("Reshape", "Squeeze", "Unsqueeze")
_CHANNELS = 2
"""The axis of the channels where the mean is taken: N, 1, C, ..."""


def recognize_local_response_normalization(model: ir.Model) -> bool:
    """Replace x / (k + alpha * mean of squares) ^ beta by one operator; return whether any was found.

    The mean is an AveragePool over N, 1, C, ..., of as many channels below as above, whose padding counts. What
    lies between x and the quotient is read by nothing else.
    """
    found = [_recognize(node) for graph in model.graphs() for node in list(graph)]
    return any(found)


@dataclass
class _Path:
    """A way against the flow of data, along values that only one node reads."""

    value: ir.Value | None
    nodes: list[ir.Node]

    def step(self, *kinds: str) -> ir.Node | None:
        """Return what computes the value where it is of these kinds, and go before it, to its first input."""
        node = None if self.value is None else self.value.producer()
        if node is None or self.value is None or node.domain or node.op_type not in kinds:
            return None
        if len(self.value.uses()) != 1 or self.value.is_graph_output():
            return None
        self.nodes.append(node)
        self.value = node.inputs[0]
        return node

    def views(self) -> None:
        """Go before all that changes a shape alone."""
        while self.step(*_VIEWS):
            pass

    def number(self, kind: str) -> float | None:
        """Go before a node that computes with one constant number, and return it."""
        node = self.step(kind)
        if node is None or len(node.inputs) != 2:
            return None
        numbers = [_number(value) for value in node.inputs]
        if numbers[0] is not None and kind != "Pow":
            self.value, numbers = node.inputs[1], numbers[::-1]
        return numbers[1]


def _recognize(quotient: ir.Node) -> bool:
    """Begin at the quotient, and go up to x."""
    if (quotient.domain, quotient.op_type) != ("", "Div") or quotient.graph is None:
        return False
    source, divisor = quotient.inputs
    if source is None or source.dtype is not ir.DataType.FLOAT:  # of others the steps round as the operator does not
        return False
    path = _Path(divisor, [])
    beta, bias, alpha = path.number("Pow"), path.number("Add"), path.number("Mul")
    mean = path.value
    if beta is None or bias is None or alpha is None or not _has_shape(mean, source):
        return False
    path.views()
    pool = path.step("AveragePool")
    pad = path.step("Pad")
    windowed = path.value
    path.views()
    size = None if pool is None else _size(pool, pad, windowed, source)
    square = path.step("Mul", "Pow")
    if size is None or square is None or not _is_square(square, source):
        return False
    _replace(quotient, source, path.nodes, size=size, alpha=alpha, beta=beta, bias=bias)
    return True


def _number(value: ir.Value | None) -> float | None:
    tensor = None if value is None else value.const_value
    return float(tensor.numpy().reshape(-1)[0]) if tensor is not None and tensor.size == 1 else None


def _is_square(node: ir.Node, source: ir.Value) -> bool:
    if node.op_type == "Mul":
        return all(value is source for value in node.inputs)
    return node.inputs[0] is source and _number(node.inputs[1]) == 2


def _has_shape(value: ir.Value | None, source: ir.Value) -> bool:
    """Tell whether a value of as many elements has the shape of the source: all dimensions but one are equal."""
    one, other = source.shape, None if value is None else value.shape
    if one is None or other is None or one.rank() != other.rank() or one.rank() < 3:
        return False
    return (
        sum(a != b or a == 0 or (not isinstance(a, int) and a.value is None) for a, b in zip(one, other, strict=True))
        <= 1
    )


def _size(pool: ir.Node, pad: ir.Node | None, data: ir.Value | None, source: ir.Value) -> int | None:
    """Return the number of channels that a pool, and a Pad before it, take the mean of around each."""
    shape, channels = None if data is None else data.shape, source.shape[1] if source.shape is not None else None
    if shape is None or shape.rank() <= _CHANNELS or shape[1] != 1 or not isinstance(channels, int):
        return None
    if shape[_CHANNELS] != channels or source.shape is None or not _is_same(shape[0], source.shape[0]):
        return None
    rank = shape.rank()
    kernel = ints_attribute(pool, "kernel_shape") or ()
    size = kernel[0] if kernel else 0
    steps = (*(ints_attribute(pool, "strides") or ()), *(ints_attribute(pool, "dilations") or ()))
    if size < 1 or set(kernel[1:]) - {1} or set(steps) - {1} or string_attribute(pool, "auto_pad") != "NOTSET":
        return None
    own = _of_axes(ints_attribute(pool, "pads") or (0,) * 2 * (rank - 2), _CHANNELS, rank)
    if optional_int_attribute(pool, "ceil_mode") or (
        any(map(any, own)) and not int_attribute(pool, "count_include_pad")
    ):
        return None
    before = _of_pad(pad, rank) if pad is not None else [(0, 0)] * rank
    if before is None:
        return None
    total = [(a + c, b + d) for (a, b), (c, d) in zip(own, before, strict=True)]
    wanted = [(0, 0)] * rank
    wanted[_CHANNELS] = ((size - 1) // 2, size // 2)
    return size if total == wanted else None


def _is_same(one: int | ir.SymbolicDim, other: int | ir.SymbolicDim) -> bool:
    return one == other and (isinstance(one, int) or one.value is not None)


def _of_axes(pads: tuple[int, ...], first: int, rank: int) -> list[tuple[int, int]]:
    """Return the pads of all axes, of which those before the first are not stated."""
    half = len(pads) // 2
    stated = [*zip(pads[:half], pads[half:], strict=True)]
    return [(0, 0)] * first + stated if half == rank - first else []


def _of_pad(pad: ir.Node, rank: int) -> list[tuple[int, int]] | None:
    """Return the zeros that a Pad adds on each axis; ``None`` if it adds something else, or axes of its own choice."""
    if string_attribute(pad, "mode") != "constant":
        return None
    if (pad.version or 1) >= 11:
        inputs = [*pad.inputs, None, None, None]
        tensor = inputs[1].const_value if inputs[1] is not None else None
        if tensor is None or inputs[3] is not None or (inputs[2] is not None and _number(inputs[2]) != 0):
            return None
        pads = tuple(int(n) for n in np.asarray(tensor.numpy()).reshape(-1))
    elif (pad.version or 1) == 1 or float_attribute(pad, "value") != 0:  # the first version calls pads otherwise
        return None
    else:
        pads = ints_attribute(pad, "pads") or ()
    found = _of_axes(pads, 0, rank)
    return found if len(found) == rank and all(n >= 0 for pair in found for n in pair) else None


def _replace(
    quotient: ir.Node, source: ir.Value, inside: list[ir.Node], *, size: int, alpha: float, beta: float, bias: float
) -> None:
    graph, old = quotient.graph, quotient.outputs[0]
    assert graph is not None
    attributes = [
        ir.AttrInt64("size", size),
        *(ir.AttrFloat32(name, value) for name, value in (("alpha", alpha), ("beta", beta), ("bias", bias))),
    ]
    lrn = ir.Node("", "LRN", [source], attributes, version=VERSION, name=quotient.name)
    result, name = lrn.outputs[0], old.name
    result.type, result.shape = old.type, old.shape
    stand_for(quotient, lrn)
    hand_on(old, result)
    quotient.append(lrn)
    replace_all_uses_with(old, result, replace_graph_outputs=True)
    graph.remove([quotient, *inside], safe=True)
    result.name = name
