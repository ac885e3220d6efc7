"""Cases for each rule of layout: an operator with its attributes and inputs, over ranks, axes and versions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import TensorProto

SIZES = (2, 4, 6, 6, 6, 2)


@dataclass
class Case:
    """A node ``y = Op(x, ...)``."""

    op_type: str
    attributes: dict[str, Any] = field(default_factory=dict)
    constants: list[Any] = field(default_factory=list)
    """Its inputs: ``X`` for the data (first, if it is not named), ``None`` for an absent one."""
    opset: int = 17
    rank: int = 4
    domain: str = ""
    outputs: int = 1
    before: str | None = None
    """An operator between x and the node, for those that do not take float32."""
    left: int = 0
    """How many Transposes are left by right."""

    def __post_init__(self) -> None:
        if X not in [c for c in self.constants if isinstance(c, str)]:
            self.constants = [X, *self.constants]

    def __str__(self) -> str:
        said = "-".join(f"{k}={v}" for k, v in self.attributes.items() if not isinstance(v, list))
        return f"{self.op_type}-{self.opset}-rank{self.rank}" + (f"-{said}" if said else "")


X = "x"


def shape_of(rank: int) -> tuple[int, ...]:
    return SIZES[:rank]


def floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).uniform(0.5, 1.5, shape).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def axes_of(rank: int) -> range:
    return range(-rank, rank)


def elementwise() -> Iterator[Case]:
    unary = """Abs Acos Acosh Asin Asinh Atan Atanh Ceil Celu Cos Cosh Elu Erf Exp Floor HardSigmoid
        HardSwish Identity IsNaN LeakyRelu Log Neg Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus
        Softsign Sqrt Tan Tanh ThresholdedRelu Dropout IsInf"""
    for op_type in unary.split():
        yield from (Case(op_type, rank=rank) for rank in (3, 4, 5))
    yield from (Case(op_type, opset=24 if op_type == "Swish" else 20) for op_type in ("Gelu", "Mish"))
    yield Case("Not", before="IsNaN")
    yield Case("BitwiseNot", before="Int", opset=18)
    yield Case("Cast", {"to": TensorProto.DOUBLE})
    yield Case("CastLike", constants=[np.zeros(3, np.int32)])
    yield Case("Clip", constants=[np.float32(0.6), np.float32(1.2)])
    yield Case("Clip", {"min": 0.6, "max": 1.2}, opset=6)
    for op_type in ("Add", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Mul", "Pow", "Sub"):
        for rank in (3, 4, 5):
            shape = shape_of(rank)
            for operand in (shape, shape[1:], shape[2:], (shape[1], *[1] * (rank - 2)), (1, *shape[1:]), (1,), ()):
                yield Case(op_type, constants=[floats(*operand)], rank=rank)
        yield Case(op_type, constants=[X, X])
        yield Case(op_type, constants=[floats(4, 1, 6), X])
    for op_type in ("Max", "Min", "Mean", "Sum"):
        yield Case(op_type, constants=[X, floats(4, 1, 1), X, floats(6)])
    for op_type in ("And", "Or", "Xor"):
        yield Case(op_type, constants=[floats(4, 1, 6) > 1], before="IsNaN")
    for op_type in ("BitwiseAnd", "BitwiseOr", "BitwiseXor"):
        yield Case(op_type, constants=[np.arange(24).reshape(4, 1, 6)], before="Int", opset=18)
    yield Case("Mod", {"fmod": 1}, [floats(4, 1, 1)])
    yield Case("BitShift", {"direction": "LEFT"}, [np.ones((4, 1, 1), np.uint8)], before="UInt8")
    yield Case("Where", constants=[X, floats(4, 1, 1), floats(6)], before="IsNaN")
    yield Case("Where", constants=[floats(4, 6, 1) > 1, X, floats(6, 6)])
    for rank in (3, 4, 5):
        yield Case("PRelu", constants=[floats(4, *[1] * (rank - 2)) - 1], rank=rank)
    yield Case("DynamicQuantizeLinear", outputs=3)


def along_axes() -> Iterator[Case]:
    for rank in (3, 4, 5):
        shape = shape_of(rank)
        for axis in axes_of(rank):
            yield Case("Concat", {"axis": axis}, [X, X, floats(*shape)], rank=rank)
            yield Case("Split", {"axis": axis}, rank=rank, outputs=2)
            for op_type in ("Softmax", "LogSoftmax", "Hardmax"):
                yield Case(op_type, {"axis": axis}, rank=rank)
            yield Case("LpNormalization", {"axis": axis, "p": 1}, rank=rank)
            yield Case("CumSum", constants=[np.int64(axis)], rank=rank)
            yield Case("TopK", {"axis": axis}, [ints(2)], rank=rank, outputs=2)
            for keep in (0, 1):
                yield Case("ArgMax", {"axis": axis, "keepdims": keep}, rank=rank, left=2)
                yield Case("ArgMin", {"axis": axis, "keepdims": keep, "select_last_index": 1}, rank=rank, left=2)
                yield Case("ReduceMean", {"axes": [axis], "keepdims": keep}, rank=rank, left=2)
                yield Case("ReduceSum", {"keepdims": keep}, [ints(axis)], rank=rank, left=2)
                yield Case("ReduceMax", {"keepdims": keep}, [ints(axis, 0)], opset=18, rank=rank, left=2)
            yield Case("Slice", constants=[ints(1), ints(5), ints(axis), ints(2)], rank=rank)
            yield Case("Slice", {"starts": [0], "ends": [-1], "axes": [axis]}, opset=9, rank=rank)
            yield Case("Gather", {"axis": axis}, [ints(1, 0, 1)], rank=rank)
            yield Case("Gather", {"axis": axis}, [np.int64(1)], rank=rank, left=2)
            yield Case("Gather", {"axis": axis}, [ints(1, 0, 1, 1, 0, 1).reshape(2, 3)], rank=rank, left=2)
            yield Case("GatherElements", {"axis": axis}, [np.zeros(shape, np.int64)], rank=rank)
            yield Case("ScatterElements", {"axis": axis}, [np.ones(shape, np.int64), floats(*shape)], rank=rank)
            size = shape[axis]
            for op_type in ("QuantizeLinear", "DequantizeLinear"):
                before = "UInt8" if op_type.startswith("Deq") else None
                zero = np.arange(size, dtype=np.uint8)
                yield Case(op_type, {"axis": axis}, [floats(size), zero], rank=rank, before=before)
        yield Case("Slice", constants=[ints(*[0] * rank), ints(*[2] * rank)], rank=rank)
        yield Case("Slice", constants=[ints(0, 1), ints(2, 3)], rank=rank)
        for opset in (2, 10, 11, 13, 18):
            pads = [i % 2 for i in range(2 * rank)]
            if opset < 11:
                yield Case("Pad", {"pads": pads, "mode": "edge"}, rank=rank, opset=opset)
            else:
                yield Case("Pad", {"mode": "reflect"}, [ints(*pads)], rank=rank, opset=opset)
        yield Case("Pad", constants=[ints(1, 2, 0, 3), np.float32(9), ints(1, -1)], rank=rank, opset=18)
        yield Case("Tile", constants=[ints(*range(1, rank + 1))], rank=rank)
        yield Case("Expand", constants=[ints(*shape)], rank=rank)
        yield Case("Expand", constants=[ints(4, *[1] * (rank - 2))], rank=rank)
        yield Case("Softmax", {"axis": 1}, rank=rank, opset=11)
        yield Case("LogSoftmax", {"axis": 1}, rank=rank, opset=11)
        yield Case("LayerNormalization", {"axis": 1}, [floats(*shape[1:]), floats(4, *[1] * (rank - 2))], rank=rank)
        yield Case("CumProd", constants=[np.int64(1)], rank=rank, opset=26)
    yield Case("MeanVarianceNormalization", {"axes": [0, -1]})
    yield Case("MeanVarianceNormalization")
    reductions = "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd"
    for op_type in (*reductions.split(), "ReduceSumSquare"):
        yield Case(op_type, {"axes": [1, -1]})
        yield Case(op_type)
    yield Case("Scatter", {"axis": 1}, [np.ones(shape_of(4), np.int64), floats(*shape_of(4))], opset=10)
    yield Case("QuantizeLinear", constants=[np.float32(0.1), np.uint8(3)], opset=10)
    yield Case("DequantizeLinear", constants=[np.float32(0.1)], before="UInt8", opset=10)


def experimental() -> Iterator[Case]:
    settings = {"alpha": 1.5, "beta": 0.5}
    for op_type in ("Affine", "ParametricSoftplus", "ScaledTanh"):
        yield from (Case(op_type, settings, opset=8, rank=rank) for rank in (3, 4))
    yield Case("Scale", {"scale": 1.5}, opset=8)
    yield Case("ThresholdedRelu", {"alpha": 0.7}, opset=8)
    yield Case("ImageScaler", {"bias": [0.1, 0.2, 0.3, 0.4], "scale": 0.5}, opset=8)
    for rank, across in itertools.product((3, 4, 5), (0, 1)):
        yield Case("MeanVarianceNormalization", {"across_channels": across}, opset=8, rank=rank)


def with_channels() -> Iterator[Case]:
    for rank in (3, 4, 5):
        spatial = rank - 2
        weight = floats(6, 4, *[3] * spatial)
        window = {"kernel_shape": [3] * spatial, "pads": [1] * 2 * spatial}
        yield Case("Conv", {"pads": [1] * 2 * spatial}, [weight, floats(6)], rank=rank)
        yield Case("Conv", {"group": 2}, [floats(6, 2, *[1] * spatial)], rank=rank)
        yield Case("ConvTranspose", {"strides": [2] * spatial}, [floats(4, 3, *[2] * spatial)], rank=rank)
        yield Case("MaxPool", window, rank=rank)
        yield Case("AveragePool", window, rank=rank)
        yield Case("LpPool", window, rank=rank)
        for op_type in ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"):
            yield Case(op_type, rank=rank)
        yield Case("InstanceNormalization", constants=[floats(4), floats(4)], rank=rank)
        yield Case("BatchNormalization", constants=[floats(4)] * 4, rank=rank)
        yield Case("GroupNormalization", {"num_groups": 2}, [floats(4), floats(4)], rank=rank, opset=21)
        linear = {"mode": "linear"}
        yield Case("Resize", linear, [X, None, np.float32([1, 1, *[2] * spatial])], rank=rank, opset=13)
        yield Case("Resize", {}, [X, None, None, ints(2, 4, *[7] * spatial)], rank=rank, opset=18)
        yield Case("LRN", {"size": 3}, rank=4)
    yield Case("ConvInteger", constants=[np.ones((3, 4, 2, 2), np.uint8)], before="UInt8")
    scales: list[Any] = [np.float32(0.02), np.uint8(1)]
    weights: list[Any] = [np.ones((3, 4, 2, 2), np.uint8), np.float32(0.1), np.uint8(0)]
    yield Case("QLinearConv", constants=[*scales, *weights, np.float32(0.5), np.uint8(3)], before="UInt8")
    yield Case("Upsample", {}, [np.float32([1, 1, 2, 2])], opset=9)
    yield Case("DepthToSpace", {"blocksize": 2})
    yield Case("DepthToSpace", {"blocksize": 2, "mode": "CRD"})
    yield Case("SpaceToDepth", {"blocksize": 2})
    grid = np.random.default_rng(3).uniform(-1, 1, (2, 5, 7, 2)).astype(np.float32)
    yield Case("GridSample", {}, [grid])
    rois = np.float32([[0, 0, 3, 3], [1, 1, 5, 5], [0, 0, 5, 2]])
    yield Case("RoiAlign", {"output_height": 2, "output_width": 3}, [rois, ints(0, 1, 0)], opset=16)
    yield Case("MaxRoiPool", {"pooled_shape": [2, 2]}, [np.float32([[0, 0, 0, 3, 3], [1, 1, 1, 5, 5]])])
    yield Case("DeformConv", {}, [floats(3, 4, 2, 2), floats(2, 8, 5, 5) - 1], opset=19)


def same_memory() -> Iterator[Case]:
    # Channels-last outputs are asked for: where axis 1 is no channel, they cost a Transpose.
    yield Case("Transpose", {"perm": [0, 2, 3, 1]}, left=1)
    yield Case("Transpose", {"perm": [0, 3, 2, 1]}, left=1)
    yield Case("Reshape", constants=[ints(0, 2, 2, -1, 6)], left=2)
    yield Case("Reshape", constants=[ints(0, 4, 36)])
    yield Case("Reshape", constants=[ints(0, 4, 3, 2, 6)], left=2)
    yield Case("Reshape", constants=[ints(1, 2, 4, 6, 6)], left=2)
    yield Case("Unsqueeze", constants=[ints(1)], left=2)
    yield Case("Unsqueeze", constants=[ints(-1)])
    yield Case("Unsqueeze", {"axes": [2, 3]}, opset=11)
    yield Case("Shape")
    yield Case("Shape", {"start": 1, "end": -1})
    yield Case("Size")
    yield Case("Flatten", {"axis": 1}, left=2)
    yield Case("Squeeze", constants=[ints(2, 3)], before="GlobalAveragePool")
    yield Case("Squeeze", before="GlobalAveragePool")
    yield Case("Flatten", before="GlobalAveragePool")
    yield Case("MatMul", constants=[floats(6, 5)], left=2)


def products() -> Iterator[Case]:
    for rank in (3, 4, 5):
        axes, shape = "nchwd"[:rank], shape_of(rank)
        yield Case("Einsum", {"equation": f"{axes},{axes}->{axes}"}, [X, X], rank=rank)
        yield Case("Einsum", {"equation": f"{axes}, c -> {axes}"}, [X, floats(4)], rank=rank)
        yield Case("Einsum", {"equation": f"{axes},{axes}"}, [X, floats(*shape)], rank=rank)
        yield Case("Einsum", {"equation": f"{axes},kc->nk"}, [X, floats(3, 4)], rank=rank)
        yield Case("Einsum", {"equation": f"{axes},kc->nk{axes[2:]}"}, [X, floats(3, 4)], rank=rank, left=1)
        yield Case("Einsum", {"equation": f"{axes},{axes}->{axes[::-1]}"}, [X, X], rank=rank, left=2)
        yield Case("Einsum", {"equation": f"...c{axes[2:]},k->...k"}, [X, floats(2)], rank=rank, left=1)


def of_microsoft() -> Iterator[Case]:
    def case(op_type: str, *rest: Any, **options: Any) -> Case:
        return Case(op_type, *rest, domain="com.microsoft", **options)

    yield case("Gelu")
    yield case("QuickGelu")
    yield case("FastGelu")
    a: list[Any] = [np.float32(0.02), np.uint8(1)]
    result: list[Any] = [np.float32(0.05), np.uint8(2)]
    other = np.arange(24, dtype=np.uint8).reshape(4, 1, 6)
    for op_type in ("QLinearAdd", "QLinearMul"):
        yield case(op_type, {}, [*a, other, np.float32(0.1), np.uint8(1), *result], before="UInt8")
    yield case("QLinearSigmoid", {}, [*a, *result], before="UInt8")
    yield case("QLinearLeakyRelu", {"alpha": 0.1}, [*a, *result], before="UInt8")
    condition = floats(4, 1, 6) > 1
    yield case("QLinearWhere", {}, [condition, X, *a, other, *a, *result], before="UInt8")
    yield case("QLinearConcat", {"axis": 1}, [*result, X, *a, X, *a], before="UInt8")
    yield case("QuantizeLinear", {"axis": 1}, [floats(4), np.arange(4, dtype=np.uint8)])
    yield case("DequantizeLinear", {"axis": 1}, [floats(4), np.arange(4, dtype=np.uint8)], before="UInt8")
    window = {"kernel_shape": [2, 2]}
    yield case("QLinearAveragePool", window, [*a, *result], before="UInt8")
    yield case("QLinearGlobalAveragePool", {}, [*a, *result], before="UInt8")


CASES = [*elementwise(), *along_axes(), *experimental(), *with_channels(), *same_memory(), *products(), *of_microsoft()]
