"""Rows of :mod:`test.handlers.table` whose data has any rank from two on."""

from __future__ import annotations

import numpy as np

from test.handlers.table import add, every_second, middle, more, unit, vector

add(
    """
    Abs Acos Acosh Asin Asinh Atan Atanh Ceil Celu Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity
    IsInf IsNaN LeakyRelu Log Mish Neg Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt
    Swish Tan Tanh ThresholdedRelu Dropout Shape Size NonZero Flatten
    com.microsoft.Gelu com.microsoft.QuickGelu
    """,
    lambda draw, dims: [draw.floats(*dims)],
)
add("DynamicQuantizeLinear", lambda draw, dims: [draw.floats(*dims)], outputs=3)
add("Not", lambda draw, dims: [draw.booleans(*dims)])
add("BitwiseNot", lambda draw, dims: [draw.integers(*dims)])
add("Cast", lambda draw, dims: [draw.floats(*dims)], {"to": 7})
add("CastLike", lambda draw, dims: [draw.floats(*dims), draw.floats(1).astype(np.float16)])
add("BitCast", lambda draw, dims: [draw.floats(*dims)], {"to": 6})
add(
    "Add Sub Mul Div Equal Greater GreaterOrEqual Less LessOrEqual PRelu",
    lambda draw, dims: [draw.floats(*dims), draw.floats(*unit(dims, 0))],
)
more(
    "Add Sub Mul Greater",
    lambda draw, dims: [draw.floats(*unit(dims, 0)), draw.floats(*unit(dims, 1))],
    label="both ways",
)
more("Add Equal", lambda draw, dims: [draw.floats(*dims), draw.floats(*dims)], label="alike")
more("Add", lambda draw, dims: [draw.floats(*dims), draw.floats(*unit(dims, 0)[2:])], label="of less axes")
more("Equal", lambda draw, dims: [draw.strings(*dims), draw.strings(*unit(dims, 0))], label="of strings")
add("Pow", lambda draw, dims: [draw.positive(*dims), draw.floats(*unit(dims, 0))])
add("Mod", lambda draw, dims: [draw.floats(*dims), draw.positive(*unit(dims, 0))], {"fmod": 1})
more("Mod", lambda draw, dims: [draw.integers(*dims), draw.integers(*unit(dims, 0), low=1)], label="of integers")
more("Div", lambda draw, dims: [draw.integers(*dims), draw.integers(*unit(dims, 0), low=1)], label="of integers")
add("And Or Xor", lambda draw, dims: [draw.booleans(*dims), draw.booleans(*unit(dims, 0))])
add(
    "BitwiseAnd BitwiseOr BitwiseXor",
    lambda draw, dims: [draw.integers(*dims), draw.integers(*unit(dims, 0))],
)
add(
    "BitShift",
    lambda draw, dims: [
        draw.integers(*dims, low=0, dtype=np.uint8),
        draw.integers(*unit(dims, 0), low=0, dtype=np.uint8),
    ],
    {"direction": "LEFT"},
)
add(
    "Max Min Sum Mean",
    lambda draw, dims: [draw.floats(*dims), draw.floats(*unit(dims, 0)), draw.floats(*unit(dims, 1))],
)
add("Where", lambda draw, dims: [draw.booleans(*unit(dims, 0)), draw.floats(*unit(dims, 1)), draw.floats(*dims)])
more("Where", lambda draw, dims: [draw.booleans(*dims), draw.floats(*dims), draw.floats()], label="of a scalar")
more("Where", lambda draw, dims: [draw.booleans(*dims), draw.strings(*dims), draw.strings(*dims)], label="of strings")
add("Clip", lambda draw, dims: [draw.floats(*dims), np.float32(-0.5), np.float32(0.5)], fixed=(1, 2))

for _keepdims in (1, 0):
    (add if _keepdims else more)(
        "ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare",
        lambda draw, dims: [draw.floats(*dims), vector(*every_second(dims))],
        {"keepdims": _keepdims},
        **({} if _keepdims else {"label": "without dims"}),
    )
add("ReduceLogSum", lambda draw, dims: [draw.positive(*dims), vector(*every_second(dims))])
more("ReduceMax ReduceSum", lambda draw, dims: [draw.integers(*dims), vector(*every_second(dims))], label="of integers")
add("ArgMax ArgMin", lambda draw, dims: [draw.floats(*dims)], lambda dims: {"axis": middle(dims)})
more(
    "ArgMax ArgMin",
    lambda draw, dims: [draw.integers(*dims)],
    lambda dims: {"axis": middle(dims), "select_last_index": 1, "keepdims": 0},
    label="last",
)
add("CumSum CumProd", lambda draw, dims: [draw.floats(*dims), np.int64(middle(dims))])
add(
    "Softmax LogSoftmax Hardmax LpNormalization",
    lambda draw, dims: [draw.floats(*dims)],
    lambda dims: {"axis": middle(dims)},
)
more("Softmax LogSoftmax Hardmax", lambda draw, dims: [draw.floats(*dims)], {"axis": -1}, label="last")
add(
    "LayerNormalization",
    lambda draw, dims: [draw.floats(*dims), draw.positive(*unit(dims[1:], 0)), draw.floats(*unit(dims[1:], 1))],
    {"axis": 1},
)
add("RMSNormalization", lambda draw, dims: [draw.floats(*dims), draw.positive(*unit(dims[1:], 0))], {"axis": 1})
add("MeanVarianceNormalization", lambda draw, dims: [draw.floats(*dims)], lambda dims: {"axes": every_second(dims)})
add(
    "QuantizeLinear",
    lambda draw, dims: [
        draw.floats(*dims),
        draw.positive(dims[middle(dims)]),
        draw.integers(dims[middle(dims)], dtype=np.int8),
    ],
    lambda dims: {"axis": middle(dims)},
)
add(
    "DequantizeLinear",
    lambda draw, dims: [draw.integers(*dims, dtype=np.int8), draw.positive(dims[middle(dims)])],
    lambda dims: {"axis": middle(dims)},
)
more(
    "DequantizeLinear",
    lambda draw, dims: [draw.integers(*dims, dtype=np.int8), draw.positive(*dims[:-1], -(-dims[-1] // 2))],
    {"axis": -1, "block_size": 2},
    label="in blocks",
)

add("Concat", lambda draw, dims: [draw.floats(*dims), draw.floats(*dims)], lambda dims: {"axis": middle(dims)})
more(
    "Concat",
    lambda draw, dims: [draw.strings(*dims), draw.strings(*dims)],
    lambda dims: {"axis": middle(dims)},
    label="of strings",
)
add("Split", lambda draw, dims: [draw.floats(*dims)], lambda dims: {"axis": middle(dims), "num_outputs": 2}, outputs=2)
add(
    "Slice",
    lambda draw, dims: [
        draw.floats(*dims),
        vector(*[1 if dims[i] else 0 for i in every_second(dims)]),
        vector(*[2**40] * len(every_second(dims))),
        vector(*every_second(dims)),
    ],
)
more(
    "Slice",
    lambda draw, dims: [
        draw.floats(*dims),
        *[vector(*[n] * len(dims)) for n in (-1, -(2**40))],
        vector(*range(len(dims))),
        vector(*[-1] * len(dims)),
    ],
    label="backwards",
)
more(
    "Slice",
    lambda draw, dims: [
        draw.floats(*dims),
        *[vector(*[n] * len(dims)) for n in (0, 2**40)],
        vector(*range(len(dims))),
        vector(*[2] * len(dims)),
    ],
    label="of every second",
)
more(
    "Slice",
    lambda draw, dims: [draw.strings(*dims), vector(0), vector(1), vector(middle(dims))],
    label="of strings",
)
add(
    "Pad com.microsoft.Pad",
    lambda draw, dims: [
        draw.floats(*dims),
        vector(*[i % 2 for i in range(len(dims))], *[1] * len(dims)),
        np.float32(3),
    ],
)
for _mode in ("reflect", "edge", "wrap"):
    more(
        "Pad",
        lambda draw, dims: [
            draw.floats(*dims),
            vector(*[i % 2 if d > 1 else 0 for i, d in enumerate(dims)], *[0] * len(dims)),
        ],
        {"mode": _mode},
        label=_mode,
    )
more(
    "Pad",
    lambda draw, dims: [
        draw.floats(*dims),
        vector(*[-(i % 2) if d else 0 for i, d in enumerate(dims)], *[1] * len(dims)),
    ],
    label="cropping",
)
add("CenterCropPad", lambda draw, dims: [draw.floats(*dims), vector(*[2 * d - 1 if d else 0 for d in unit(dims, 0)])])
add("Tile", lambda draw, dims: [draw.floats(*dims), vector(*[1 + i % 2 for i in range(len(dims))])])
more(
    "Tile", lambda draw, dims: [draw.strings(*dims), vector(*[1 + i % 2 for i in range(len(dims))])], label="of strings"
)
add("Expand", lambda draw, dims: [draw.floats(*unit(dims, 0)), vector(*dims)])
more("Expand", lambda draw, dims: [draw.strings(*unit(dims, 0)), vector(*dims)], label="of strings")
add("Transpose", lambda draw, dims: [draw.floats(*dims)])
more(
    "Transpose",
    lambda draw, dims: [draw.booleans(*dims)],
    lambda dims: {"perm": [*every_second(dims), *range(1, len(dims), 2)]},
    label="by halves",
)
more("Transpose", lambda draw, dims: [draw.strings(*dims)], label="of strings")
add("Reshape", lambda draw, dims: [draw.floats(*dims), vector(0, *dims[1:], 1)])
add("Squeeze", lambda draw, dims: [draw.floats(*unit(dims, 0)), vector(*every_second(dims))])
add("Unsqueeze", lambda draw, dims: [draw.floats(*dims), vector(1)])
add("com.microsoft.ExpandDims", lambda draw, dims: [draw.floats(*dims), np.array([1], np.int32)])
add(
    "Gather",
    lambda draw, dims: [draw.floats(*dims), vector(*[-1, 0][: dims[middle(dims)]])],
    lambda dims: {"axis": middle(dims)},
)
more(
    "Gather",
    lambda draw, dims: [draw.floats(3, 2), draw.integers(*dims, low=-3, high=3)],
    label="by indices of many axes",
)
more(
    "Gather",
    lambda draw, dims: [draw.floats(*dims), np.int64(0)],
    lambda dims: {"axis": len(dims) - 1 if dims[-1] else 0},
    label="by a scalar",
)
add(
    "GatherElements",
    lambda draw, dims: [draw.floats(*dims), draw.integers(*dims, low=0, high=max(dims[middle(dims)], 1))],
    lambda dims: {"axis": middle(dims)},
)
add(
    "GatherND com.microsoft.GatherND",
    lambda draw, dims: [draw.floats(*dims), np.zeros([3 if all(dims) else 0, len(dims)], np.int64)],
)
more(
    "GatherND",
    lambda draw, dims: [draw.floats(*dims), np.zeros([*dims[:-1], 1] if dims[-1] else [*dims[:-1], 0], np.int64)],
    lambda dims: {"batch_dims": len(dims) - 1},
    label="of many batch dims",
)
for _name, _opset in {"ScatterElements": None, "Scatter": 9}.items():
    add(
        _name,
        lambda draw, dims: [
            draw.floats(*dims),
            np.zeros([min(d, 1) for d in dims], np.int64),
            draw.floats(*[min(d, 1) for d in dims]),
        ],
        lambda dims: {"axis": middle(dims)},
        opset=_opset,
    )
add(
    "ScatterND",
    lambda draw, dims: [
        draw.floats(*dims),
        np.zeros([1 if all(dims) else 0, len(dims)], np.int64),
        draw.floats(1 if all(dims) else 0),
    ],
)
more(
    "ScatterND",
    lambda draw, dims: [
        draw.floats(*dims),
        np.zeros([min(dims[0], 1), 1], np.int64),
        draw.floats(min(dims[0], 1), *dims[1:]),
    ],
    {"reduction": "add"},
    label="of rows",
)
add(
    "TensorScatter",
    lambda draw, dims: [draw.floats(*dims), draw.floats(dims[0], *dims[1:-2], min(dims[-2], 1), dims[-1])],
)
add(
    "OneHot",
    lambda draw, dims: [draw.integers(*dims), np.int64(3), draw.floats(2)],
    lambda dims: {"axis": middle(dims)},
)
add(
    "Compress",
    lambda draw, dims: [draw.floats(*dims), np.arange(dims[middle(dims)]) % 2 == 0],
    lambda dims: {"axis": middle(dims)},
)
add(
    "TopK",
    lambda draw, dims: [draw.floats(*dims), vector(min(dims[middle(dims)], 2))],
    lambda dims: {"axis": middle(dims)},
    outputs=2,
)
add("Unique", lambda draw, dims: [draw.floats(*dims)], lambda dims: {"axis": middle(dims)}, outputs=4)
add("ReverseSequence", lambda draw, dims: [draw.floats(*dims), draw.integers(dims[1], low=0, high=dims[0] + 1)])
add("Trilu com.microsoft.Trilu", lambda draw, dims: [draw.floats(*dims)])
more("Trilu", lambda draw, dims: [draw.integers(*dims), np.int64(1)], {"upper": 0}, label="lower")
add(
    "Resize",
    lambda draw, dims: [draw.floats(*dims), None, np.array([*[1.0] * (len(dims) - 2), 1.5, 2], np.float32)],
    {"mode": "linear"},
)
add(
    "Upsample",
    lambda draw, dims: [draw.floats(*dims), np.array([1 + i % 2 for i in range(len(dims))], np.float32)],
    {"mode": "nearest"},
    opset=9,
)
more(
    "Resize",
    lambda draw, dims: [draw.floats(*dims), None, np.array([1 + i % 2 for i in range(len(dims))], np.float32)],
    {"mode": "nearest"},
    label="nearest",
)

add("MatMul", lambda draw, dims: [draw.floats(*dims), draw.floats(*unit(dims[:-2], 0), dims[-1], 3)])
more("MatMul", lambda draw, dims: [draw.floats(*dims), draw.floats(dims[-1], 3)], label="by a matrix")
add(
    "com.microsoft.FusedMatMul com.microsoft.TransposeMatMul",
    lambda draw, dims: [draw.floats(*dims), draw.floats(*unit(dims[:-2], 0), 3, dims[-1])],
    {"transB": 1},
)
add(
    "MatMulInteger",
    lambda draw, dims: [
        draw.integers(*dims, low=0, dtype=np.uint8),
        draw.integers(*unit(dims[:-2], 0), dims[-1], 3, dtype=np.int8),
    ],
)
add(
    "QLinearMatMul",
    lambda draw, dims: [
        *[draw.integers(*dims, low=0, dtype=np.uint8), np.float32(0.5), np.uint8(1)],
        *[draw.integers(*dims[:-2], dims[-1], 3, low=0, dtype=np.uint8), np.float32(0.5), np.uint8(1)],
        *[np.float32(0.5), np.uint8(1)],
    ],
)
LETTERS = "abcdefghijklm"
add(
    "Einsum",
    lambda draw, dims: [draw.floats(*dims), draw.floats(*dims)],
    lambda dims: {"equation": "{0},{0}->{1}".format(LETTERS[: len(dims)], LETTERS[: len(dims) : 2])},
)
more(
    "Einsum",
    lambda draw, dims: [draw.floats(*dims)],
    lambda dims: {"equation": f"{LETTERS[: len(dims)]}->{LETTERS[: len(dims)][::-1]}"},
    label="of one",
)
add("Det com.microsoft.Inverse", lambda draw, dims: [draw.floats(*dims[:-2], dims[-1], dims[-1])])
add("DFT", lambda draw, dims: [draw.floats(*dims, 1), None, np.int64(middle(dims))])
more(
    "DFT", lambda draw, dims: [draw.floats(*dims, 1), None, np.int64(middle(dims))], {"onesided": 1}, label="one-sided"
)
add("ConstantOfShape", lambda _, dims: [vector(*dims)])
add("SequenceConstruct", lambda draw, dims: [draw.floats(*dims), draw.floats(*dims)])
add("SplitToSequence", lambda draw, dims: [draw.floats(*dims)], lambda dims: {"axis": middle(dims)})
add("StringConcat", lambda draw, dims: [draw.strings(*dims), draw.strings(*unit(dims, 0))])
add("RegexFullMatch", lambda draw, dims: [draw.strings(*dims)], {"pattern": "[ab].*"})
add("StringSplit", lambda draw, dims: [draw.strings(*dims)], outputs=2)
add(
    "ai.onnx.ml.LabelEncoder",
    lambda draw, dims: [draw.integers(*dims)],
    {"keys_int64s": [1, 2], "values_floats": [0.5, 1.5]},
)
add("ai.onnx.ml.ArrayFeatureExtractor", lambda draw, dims: [draw.floats(*dims), vector(0)[: dims[-1]]])
add("ai.onnx.ml.Binarizer", lambda draw, dims: [draw.floats(*dims)], {"threshold": 0.25})
add("com.microsoft.BiasGelu", lambda draw, dims: [draw.floats(*dims), draw.floats(dims[-1])])
add("com.microsoft.FastGelu", lambda draw, dims: [draw.floats(*dims), draw.floats(dims[-1])])
add(
    "com.microsoft.QLinearAdd com.microsoft.QLinearMul",
    lambda draw, dims: [
        *[draw.integers(*dims, low=0, dtype=np.uint8), np.float32(0.5), np.uint8(1)],
        *[draw.integers(*unit(dims, 0), low=0, dtype=np.uint8), np.float32(0.5), np.uint8(1)],
        *[np.float32(0.5), np.uint8(1)],
    ],
    fixed=(1, 4, 6),
)
add(
    "com.microsoft.QLinearSigmoid com.microsoft.QLinearLeakyRelu",
    lambda draw, dims: [
        draw.integers(*dims, low=0, dtype=np.uint8),
        np.float32(0.5),
        np.uint8(1),
        np.float32(0.5),
        np.uint8(1),
    ],
    fixed=(1, 3),
)
add(
    "com.microsoft.QLinearWhere",
    lambda draw, dims: [
        draw.booleans(*unit(dims, 0)),
        *[draw.integers(*unit(dims, 1), low=0, dtype=np.uint8), np.float32(0.5), np.uint8(1)],
        *[draw.integers(*dims, low=0, dtype=np.uint8), np.float32(0.5), np.uint8(1)],
        *[np.float32(0.5), np.uint8(1)],
    ],
    fixed=(2, 5, 7),
)
add("com.microsoft.MurmurHash3", lambda draw, dims: [draw.integers(*dims, dtype=np.int32)])
add(
    "SoftmaxCrossEntropyLoss",
    lambda draw, dims: [draw.floats(*dims), draw.integers(dims[0], *dims[2:], low=0, high=max(dims[1], 1))],
    {"reduction": "none"},
)
add(
    "NegativeLogLikelihoodLoss",
    lambda draw, dims: [draw.floats(*dims), draw.integers(dims[0], *dims[2:], low=0, high=max(dims[1], 1))],
    {"reduction": "sum"},
)
