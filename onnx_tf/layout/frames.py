"""Frames: which axes of an operator's inputs and results are the same axis of its computation.

An operator that treats its axes alike, up to numbers that name them, has a frame: axes 0..rank-1
of the computation, and for each data port the axes that it holds, in ONNX order. Whoever permutes
the axes of the computation knows from it how each port is permuted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import onnx_ir as ir

from onnx_tf.layout.shapes import Shapes, constant
from onnx_tf.schema import int_attribute, ints_attribute, optional_int_attribute, string_attribute

__all__ = ["Frame", "FrameFunction", "einsum_terms"]


@dataclass(frozen=True)
class Frame:
    """The axes of each data port.

    Attributes:
        rank: the number of axes of the computation.
        inputs: by input position, the axis of the computation that each axis of the input is.
        outputs: likewise by output position.
        aligned: whether inputs of lower rank broadcast from the right.
        alike: axes that are different ones but have the same role.
    """

    rank: int
    inputs: Mapping[int, tuple[int, ...]]
    outputs: Mapping[int, tuple[int, ...]]
    aligned: bool = False
    alike: tuple[int, ...] = ()

    def ports(self, node: ir.Node) -> Iterable[tuple[ir.Value, tuple[int, ...]]]:
        """Return the values of the ports that are not constant, with their axes."""
        for index, axes in self.inputs.items():
            value = node.inputs[index]
            if value is not None and value.const_value is None:
                yield value, axes
        for index, axes in self.outputs.items():
            yield node.outputs[index], axes


FrameFunction = Callable[[ir.Node, Shapes], Frame | None]


def present(node: ir.Node) -> list[int]:
    """Return the positions of the inputs that are there."""
    return [i for i, value in enumerate(node.inputs) if value is not None]


def same_axes(inputs: Iterable[int] | None = (0,), outputs: Iterable[int] | None = (0,)) -> FrameFunction:
    """Frame of an operator whose data ports all have the same axes (``None``: all ports)."""

    def frame(node: ir.Node, shapes: Shapes) -> Frame | None:
        ins = [i for i in (present(node) if inputs is None else inputs) if i < len(node.inputs)]
        outs = [i for i in (range(len(node.outputs)) if outputs is None else outputs) if i < len(node.outputs)]
        ins = [i for i in ins if node.inputs[i] is not None]
        outs = [i for i in outs if node.outputs[i].name]
        ranks = {shapes.rank(node.inputs[i]) for i in ins} | {shapes.rank(node.outputs[i]) for i in outs}
        if len(ranks) != 1 or None in ranks:
            return None
        rank = ranks.pop() or 0
        axes = tuple(range(rank))
        return Frame(rank, dict.fromkeys(ins, axes), dict.fromkeys(outs, axes))

    return frame


def broadcast(inputs: Iterable[int] | None = None, outputs: Iterable[int] | None = None) -> FrameFunction:
    """Frame of an elementwise operator whose inputs broadcast from the right."""

    def frame(node: ir.Node, shapes: Shapes) -> Frame | None:
        ins = [i for i in (present(node) if inputs is None else inputs) if i < len(node.inputs)]
        ins = [i for i in ins if node.inputs[i] is not None]
        outs = [i for i in (range(len(node.outputs)) if outputs is None else outputs) if i < len(node.outputs)]
        outs = [i for i in outs if node.outputs[i].name]
        ranks = [shapes.rank(node.inputs[i]) for i in ins]
        if None in ranks:
            return None
        if optional_int_attribute(node, "broadcast"):
            return _legacy_scalar(node, shapes)
        rank = max((r for r in ranks if r is not None), default=0)
        if any(shapes.rank(node.outputs[i]) != rank for i in outs):
            return None
        axes = tuple(range(rank))
        return Frame(
            rank,
            {i: axes[rank - (r or 0) :] for i, r in zip(ins, ranks, strict=True)},
            dict.fromkeys(outs, axes),
            aligned=True,
        )

    return frame


def _legacy_scalar(node: ir.Node, shapes: Shapes) -> Frame | None:
    # Until opset 6 the second operand could start at any axis; only a single number is free of that.
    second = constant(node.inputs[1])
    return same_axes()(node, shapes) if second is not None and second.size == 1 else None


def prelu(node: ir.Node, shapes: Shapes) -> Frame | None:
    """Frame of PRelu; until opset 6 the slope is one number, or one per channel."""
    if (node.version or 1) >= 7:
        return broadcast()(node, shapes)
    return _legacy_scalar(node, shapes)


def quantized_binary(node: ir.Node, shapes: Shapes) -> Frame | None:
    """Frame of QLinearAdd and its like: A and B among their scales and zero points."""
    return broadcast(inputs=(0, 3), outputs=(0,))(node, shapes)


def quantized_concat(node: ir.Node, shapes: Shapes) -> Frame | None:
    """Frame of QLinearConcat: the result's scale and zero point, then data, scale, zero point."""
    return same_axes(inputs=range(2, len(node.inputs), 3))(node, shapes)


def sensitive(inputs: Iterable[int] = (0,), outputs: Iterable[int] = (0,)) -> FrameFunction:
    """Frame of an operator that needs N, C, spatial...."""
    same = same_axes(inputs, outputs)

    def frame(node: ir.Node, shapes: Shapes) -> Frame | None:
        found = same(node, shapes)
        return found if found is not None and found.rank >= 3 else None

    return frame


def reduced(node: ir.Node, shapes: Shapes) -> Frame | None:
    """Frame of a reduction over the axes of an attribute or an input."""
    rank = shapes.rank(node.inputs[0])
    if rank is None:
        return None
    axes = tuple(range(rank))
    kept = axes
    if not int_attribute(node, "keepdims"):
        dropped = _reduced_axes(node, rank)
        if dropped is None:
            return None
        kept = tuple(a for a in axes if a not in dropped)
    if shapes.rank(node.outputs[0]) != len(kept):
        return None
    return Frame(rank, {0: axes}, {0: kept})


def _reduced_axes(node: ir.Node, rank: int) -> set[int] | None:
    if "axis" in node.attributes or node.op_type in ("ArgMax", "ArgMin"):
        return {int_attribute(node, "axis") % rank} if rank else set()
    given = ints_attribute(node, "axes")
    if len(node.inputs) > 1 and node.inputs[1] is not None:
        array = constant(node.inputs[1])
        if array is None:
            return None
        given = tuple(int(a) for a in array.reshape(-1))
    if not given:
        return set() if optional_int_attribute(node, "noop_with_empty_axes") else set(range(rank))
    return {a % rank for a in given}


def gathered(node: ir.Node, shapes: Shapes) -> Frame | None:
    """Frame of a Gather: several axes of indices follow the axis in whose place they come."""
    data, indices = node.inputs[:2]
    rank, index_rank = shapes.rank(data), shapes.rank(indices)
    if not rank or index_rank is None:
        return None
    axis = int_attribute(node, "axis") % rank
    axes = tuple(range(rank))
    if index_rank > 1:
        return _gathered_by_several(node, rank, axis, index_rank, shapes)
    kept = axes if index_rank else axes[:axis] + axes[axis + 1 :]
    if shapes.rank(node.outputs[0]) != len(kept):
        return None
    return Frame(rank, {0: axes}, {0: kept})


def _gathered_by_several(node: ir.Node, rank: int, axis: int, index_rank: int, shapes: Shapes) -> Frame | None:
    all_axes = tuple(range(rank + index_rank))
    after = axis + 1 + index_rank
    if shapes.rank(node.outputs[0]) != len(all_axes) - 1:
        return None
    data, result = all_axes[: axis + 1] + all_axes[after:], all_axes[:axis] + all_axes[axis + 1 :]
    return Frame(len(all_axes), {0: data}, {0: result}, alike=all_axes[axis:after])


def expanded(node: ir.Node, shapes: Shapes) -> Frame | None:
    """Frame of Expand: the data broadcasts to the rank of the result."""
    rank = shapes.rank(node.outputs[0])
    data = shapes.rank(node.inputs[0])
    target = shapes.dims(node.inputs[1])
    if rank is None or data is None or target is None or not isinstance(target[0], int):
        return None
    if rank != max(data, target[0]) or (target[0] != rank and constant(node.inputs[1]) is None):
        return None
    axes = tuple(range(rank))
    return Frame(rank, {0: axes[rank - data :]}, {0: axes}, aligned=True)


def sliced(node: ir.Node, shapes: Shapes) -> Frame | None:
    """Frame of Slice whose axes are known, or arrive at run time (negative ones from opset 11)."""
    if len(node.inputs) > 3 and node.inputs[3] is not None:
        if constant(node.inputs[3]) is None and (node.version or 1) < 11:
            return None
    elif len(node.inputs) > 1:
        starts = shapes.dims(node.inputs[1])
        if not starts or not isinstance(starts[0], int):
            return None
    return same_axes()(node, shapes)


def normalized(node: ir.Node, shapes: Shapes) -> Frame | None:
    """Frame of LayerNormalization: scale and bias broadcast to the data."""
    return broadcast(inputs=(0, 1, 2))(node, shapes)


def multiplied(node: ir.Node, shapes: Shapes) -> Frame | None:
    """Axes of MatMul with a constant matrix on the right: all but the last stay."""
    right = node.inputs[1]
    if right is None or right.const_value is None or shapes.rank(right) != 2:
        return None
    return same_axes()(node, shapes)


def einsum_terms(node: ir.Node) -> tuple[list[str], str] | None:
    """Return the letters of each operand and of the result of an Einsum; ``None`` with dots or a repeated letter."""
    equation = string_attribute(node, "equation").replace(" ", "")
    given, arrow, result = equation.partition("->")
    operands = given.split(",")
    if not arrow:
        result = "".join(sorted(letter for letter in set(given) - {","} if given.count(letter) == 1))
    if "." in equation or any(len(set(term)) < len(term) for term in (*operands, result)):
        return None
    return operands, result


def contracted(node: ir.Node, shapes: Shapes) -> Frame | None:
    """Axes of Einsum: its letters."""
    terms = einsum_terms(node)
    if terms is None:
        return None
    operands, result = terms
    ranks = [shapes.rank(value) for value in (*node.inputs, node.outputs[0])]
    if ranks != [len(term) for term in (*operands, result)]:
        return None
    letters = list(dict.fromkeys("".join(operands)))
    inputs, output = [tuple(letters.index(letter) for letter in term) for term in operands], result
    return Frame(len(letters), dict(enumerate(inputs)), {0: tuple(letters.index(letter) for letter in output)})


def tiled(node: ir.Node, shapes: Shapes) -> Frame | None:
    """Frame of Tile with a vector of repeats."""
    return same_axes()(node, shapes) if len(node.inputs) == 2 else None


def filled(node: ir.Node, shapes: Shapes) -> Frame | None:
    """Frame of ConstantOfShape."""
    return same_axes(inputs=())(node, shapes)


def dequantized(node: ir.Node, shapes: Shapes) -> Frame | None:
    """Frame of QuantizeLinear and DequantizeLinear per tensor or per axis."""
    if optional_int_attribute(node, "block_size") or shapes.rank(node.inputs[1]) not in (0, 1):
        return None
    return same_axes()(node, shapes)


def batch_normalized(node: ir.Node, shapes: Shapes) -> Frame | None:
    """Frame of BatchNormalization per channel (not per element, as ``spatial=0`` had it until opset 8)."""
    return None if optional_int_attribute(node, "spatial") == 0 else sensitive()(node, shapes)


def quantized_pool(node: ir.Node, shapes: Shapes) -> Frame | None:
    """Frame of QLinearAveragePool and QLinearGlobalAveragePool in ONNX order."""
    return None if optional_int_attribute(node, "channels_last") else sensitive()(node, shapes)
