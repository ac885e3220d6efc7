"""The rule table: what each operator needs of the memory order of its data.

The contract of channels-last operators: a node of domain ``CHANNELS_LAST_DOMAIN`` is the ai.onnx
operator of the same name, version, attributes and inputs, except that its *data* tensors, the
ports that the operator's frame names, lie as N, spatial..., C. All attributes and all other inputs
(weights, scales, sizes, axes, rois, grids) keep their ONNX meaning, order and axis numbering.

Kinds of rules:

- an operator with a *frame* (see :mod:`onnx_tf.layout.frames`) computes in any order of its axes
  once its attributes or inputs that number axes are remapped; with ``wants_last`` it is computed
  channels-last only; with ``moves`` it joins the channels-last domain when its data lies so;
- ``RESHAPE``: the result is the same memory where no group of axes is torn apart;
- ``TRANSPOSE``: another name for the same memory, or a movement of data that takes its operand
  in either order;
- ``PEEK``: reads the shape alone, from any order;
- ``PRODUCT``: an Einsum, which names the axes of each operand and of the result: all may lie in any order;
- everything else is a barrier: its ports keep the ONNX order. A frame with ``fixed`` is one that
  tells which axes correspond, no more.

An operator without a row is a barrier, which is always right.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from onnx_tf.layout import frames, remaps
from onnx_tf.layout.frames import Frame, FrameFunction
from onnx_tf.layout.remaps import Remap
from onnx_tf.schema import optional_int_attribute

__all__ = ["RULES", "OperatorKind", "Rule", "rule_of"]

Allows = Callable[[ir.Node, Frame, Sequence[int]], bool]


class OperatorKind(enum.Enum):
    """How an operator relates the memory of its operands and results."""

    FRAME = "frame"
    RESHAPE = "reshape"
    TRANSPOSE = "transpose"
    PEEK = "peek"
    PRODUCT = "product"


def anything(node: ir.Node, frame: Frame, order: Sequence[int]) -> bool:  # noqa: ARG001
    """Allow every order."""
    return True


def same_tail(node: ir.Node, frame: Frame, order: Sequence[int]) -> bool:
    """Allow orders that keep the axes from ``axis`` on together at the end."""
    axis = optional_int_attribute(node, "axis")
    if axis is None:  # LayerNormalization before opset 17 is ONNX Runtime's own
        axis = -1
    if not 0 <= axis < frame.rank:
        axis %= max(frame.rank, 1)
    return set(order[axis:]) == set(range(axis, frame.rank))


def indices_together(node: ir.Node, frame: Frame, order: Sequence[int]) -> bool:  # noqa: ARG001
    """Allow orders in which the axes of a Gather's indices follow the axis in whose place they come."""
    where = [list(order).index(axis) for axis in frame.alike]
    return where == list(range(where[0], where[0] + len(where))) if where else True


@dataclass(frozen=True)
class Rule:
    """What an operator needs.

    Attributes:
        kind: the kind of the operator.
        frame: the axes of its data ports; ``None`` for a node makes that node a barrier.
        remap: what changes in the node when its axes are permuted.
        allows: whether it can compute in a given order of its axes.
        channel_axis: whether axis 0 is the batch, axis 1 the channel and the others are spatial.
        wants_last: whether it is computed channels-last only.
        moves: whether it joins the channels-last domain when its data is channels-last.
        fixed: whether it keeps the ONNX order although its axes are known.
        weak: whether it only says which axis is the channel where no other operator does.
    """

    kind: OperatorKind = OperatorKind.FRAME
    frame: FrameFunction | None = None
    remap: Remap = remaps.nothing
    allows: Allows = anything
    channel_axis: bool = False
    wants_last: bool = False
    moves: bool = False
    fixed: bool = False
    weak: bool = False


def rule_of(node: ir.Node) -> Rule | None:
    """Return the rule for a node, or ``None`` for a barrier."""
    rows = RULES.get((node.domain, node.op_type), ())
    return next((rule for since, rule in reversed(rows) if since <= (node.version or 1)), None)


RULES: dict[tuple[str, str], list[tuple[int, Rule]]] = {}
"""By (domain, operator): the rules with the opset version from which each holds, ascending."""


def _add(names: str, rule: Rule, *, since: int = 1, domain: str = "") -> None:
    for name in names.split():
        RULES.setdefault((domain, name), []).append((since, rule))


def _needs_channels_last(inputs: Sequence[int] = (0,), outputs: Sequence[int] = (0,)) -> Rule:
    frame = frames.sensitive(inputs, outputs)
    return Rule(frame=frame, channel_axis=True, wants_last=True, moves=True)


def _only_first_output(rule: Rule) -> Rule:
    inner = rule.frame
    assert inner is not None

    def frame(node: ir.Node, shapes: frames.Shapes) -> Frame | None:
        used = any(o.name and (o.uses() or o.is_graph_output()) for o in node.outputs[1:])
        return None if used else inner(node, shapes)

    return Rule(frame=frame, channel_axis=True, wants_last=rule.wants_last, moves=rule.moves)


ELEMENTWISE = Rule(frame=frames.broadcast())
FIRST_INPUT = Rule(frame=frames.broadcast(inputs=(0,)))

_add(
    """
    Abs Acos Acosh Add Affine And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast Ceil
    Celu Cos Cosh Div Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid HardSwish Identity IsInf IsNaN
    LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not Or ParametricSoftplus Pow Reciprocal Relu Round
    Scale ScaledTanh Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu
    Where Xor
    """,
    ELEMENTWISE,
)
_add("CastLike Clip Dropout", FIRST_INPUT)
_add("DynamicQuantizeLinear", Rule(frame=frames.broadcast(inputs=(0,), outputs=(0,))))
_add("PRelu", Rule(frame=frames.prelu))

_add("Concat", Rule(frame=frames.same_axes(inputs=None), remap=remaps.axis_attribute(without_default=1)))
_add("Split", Rule(frame=frames.same_axes(outputs=None), remap=remaps.axis_attribute(without_default=0)))
_add("Softmax LogSoftmax", Rule(frame=frames.same_axes(), allows=same_tail))
_add("Softmax LogSoftmax", Rule(frame=frames.same_axes(), remap=remaps.axis_attribute()), since=13)
_add("Hardmax", Rule(frame=frames.same_axes(), remap=remaps.axis_attribute()), since=13)
_add("LpNormalization", Rule(frame=frames.same_axes(), remap=remaps.axis_attribute()))
_add("LayerNormalization", Rule(frame=frames.normalized, allows=same_tail))
_add("TopK", Rule(frame=frames.same_axes(outputs=None), remap=remaps.axis_attribute()))
_add("CumSum CumProd", Rule(frame=frames.same_axes(), remap=remaps.axis_input(1)))
_add("ArgMax ArgMin", Rule(frame=frames.reduced, remap=remaps.axis_attribute()))
_add(
    """
    ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    ReduceSumSquare
    """,
    Rule(frame=frames.reduced, remap=remaps.axes_attribute_or_input),
)
_add("Pad", Rule(frame=frames.same_axes(), remap=remaps.pads))
_add("Slice", Rule(frame=frames.sliced, remap=remaps.slices))
_add("Tile", Rule(frame=frames.tiled, remap=remaps.per_axis_input(1)), since=6)
_add("Expand", Rule(frame=frames.expanded, remap=remaps.per_axis_input(1)))
_add("ConstantOfShape", Rule(frame=frames.filled, remap=remaps.per_axis_input(0)))
_add("Gather", Rule(frame=frames.gathered, remap=remaps.gathered_axis, allows=indices_together))
_add("GatherElements", Rule(frame=frames.same_axes(inputs=(0, 1)), remap=remaps.axis_attribute()))
_add(
    "Scatter ScatterElements",
    Rule(frame=frames.same_axes(inputs=(0, 1, 2)), remap=remaps.axis_attribute()),
)
_add("QuantizeLinear DequantizeLinear", Rule(frame=frames.dequantized))
_add(
    "QuantizeLinear DequantizeLinear",
    Rule(frame=frames.dequantized, remap=remaps.axis_attribute()),
    since=13,
)

_add("Conv ConvTranspose ConvInteger QLinearConv DeformConv", _needs_channels_last())
_add("AveragePool LpPool LRN DepthToSpace SpaceToDepth GridSample RoiAlign MaxRoiPool", _needs_channels_last())
_add("MaxPool", _only_first_output(_needs_channels_last()))
_add("GroupNormalization", _needs_channels_last())
_add(
    "GlobalAveragePool GlobalMaxPool GlobalLpPool ImageScaler InstanceNormalization",
    Rule(frame=frames.sensitive(), channel_axis=True, moves=True),
)
_add("BatchNormalization", Rule(frame=frames.batch_normalized, channel_axis=True, wants_last=True, moves=True))
# These have no channel axis of their own: what others call N, spatial..., C may be resized too.
_add("Resize Upsample", Rule(frame=frames.sensitive(), channel_axis=True, wants_last=True, moves=True, weak=True))
_add(
    "MeanVarianceNormalization",
    Rule(frame=frames.sensitive(), channel_axis=True, wants_last=True, moves=True, weak=True),
)

_add("Reshape Flatten Squeeze Unsqueeze", Rule(kind=OperatorKind.RESHAPE))
_add("Transpose", Rule(kind=OperatorKind.TRANSPOSE))
_add("Shape Size", Rule(kind=OperatorKind.PEEK))
_add("Einsum", Rule(kind=OperatorKind.PRODUCT, frame=frames.contracted))
_add("MatMul", Rule(frame=frames.multiplied, fixed=True))

MICROSOFT = "com.microsoft"
_add("Gelu QuickGelu FastGelu BiasGelu", ELEMENTWISE, domain=MICROSOFT)
_add("QLinearAdd QLinearMul", Rule(frame=frames.quantized_binary), domain=MICROSOFT)
_add("QLinearWhere", Rule(frame=frames.broadcast(inputs=(0, 1, 4))), domain=MICROSOFT)
_add("QLinearSigmoid QLinearLeakyRelu", FIRST_INPUT, domain=MICROSOFT)
_add("QLinearConcat", Rule(frame=frames.quantized_concat, remap=remaps.axis_attribute()), domain=MICROSOFT)
_add(
    "QuantizeLinear DequantizeLinear",
    Rule(frame=frames.dequantized, remap=remaps.axis_attribute(without_default=1)),
    domain=MICROSOFT,
)
_add(
    "QLinearAveragePool QLinearGlobalAveragePool",
    Rule(
        frame=frames.quantized_pool,
        channel_axis=True,
        wants_last=True,
        remap=remaps.channels_last_attribute,
    ),
    domain=MICROSOFT,
)
