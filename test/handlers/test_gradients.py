"""Gradients flow through every differentiable operator, and are right."""

from __future__ import annotations

import numpy as np
import onnx.parser
import pytest

from onnx_tf import prepare
from test.handlers.gradients import Branch, check_gradients

RNG = np.random.default_rng(3)


def normal(*shape):
    return RNG.normal(size=shape)


def between(low, high, *shape):
    return RNG.uniform(low, high, shape)


def ints(*values):
    return np.array(values, np.int64)


def test_functions_of_elements():
    plain = "Abs Asinh Atan Celu Cos Cosh Elu Erf Exp Gelu HardSigmoid HardSwish Identity LeakyRelu Mish Neg Relu Selu"
    plain += " Shrink Sigmoid Sin Sinh Softplus Softsign Swish Tan Tanh ThresholdedRelu"
    branches = [Branch(op_type, [normal(3, 4)]) for op_type in plain.split()]
    branches += [Branch(op_type, [between(-0.9, 0.9, 5)]) for op_type in ("Acos", "Asin", "Atanh")]
    branches += [Branch(op_type, [between(1.1, 3, 5)]) for op_type in ("Acosh", "Log", "Reciprocal", "Sqrt")]
    binary = ["Add", "Div", "Max", "Mean", "Min", "Mul", "Sub", "Sum"]
    branches += [Branch(op_type, [normal(3, 1, 4), between(0.5, 2, 2, 1)]) for op_type in binary]
    branches += [
        Branch("Pow", [between(0.5, 2, 3, 4), normal(4)]),
        Branch("Pow", [normal(3, 4), np.array(2)]),
        Branch("Mod", [normal(3, 4), between(0.5, 2, 4)], {"fmod": 1}),
        Branch("PRelu", [normal(2, 3, 4), normal(3, 1)]),
        Branch("Clip", [normal(3, 4), np.array(-0.5), np.array(0.7)], fixed=[1, 2]),
        Branch("Where", [np.array([[True], [False]]), normal(2, 3), normal(3)]),
        Branch("Cast", [normal(3)], {"to": 11}),
        Branch("Dropout", [normal(3), np.array(0.4), np.array(False)], fixed=[1]),
        Branch("Gelu", [normal(4)], {"approximate": "tanh"}),
    ]
    check_gradients(branches)


def test_reductions_and_normalizations():
    x = normal(2, 3, 4)
    reductions = "ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare"
    branches = [Branch(op_type, [x, ints(1, -1)], {"keepdims": 0}) for op_type in reductions.split()]
    branches += [Branch("ReduceLogSum", [np.abs(x), ints(0)])]
    branches += [
        Branch("Softmax", [x], {"axis": 1}),
        Branch("LogSoftmax", [x], {"axis": -1}),
        Branch("CumSum", [x, np.array(1)], {"exclusive": 1, "reverse": 1}),
        Branch("CumProd", [x, np.array(1)]),
        Branch("LayerNormalization", [x, normal(4), normal(4)]),
        Branch("RMSNormalization", [x, normal(4)]),
        Branch("GroupNormalization", [normal(2, 4, 3), normal(4), normal(4)], {"num_groups": 2}),
        Branch("InstanceNormalization", [normal(2, 3, 4, 5), normal(3), normal(3)]),
        Branch("LpNormalization", [x], {"p": 2, "axis": 1}),
        Branch("LpNormalization", [x], {"p": 1}),
        Branch("LRN", [normal(1, 6, 3, 3)], {"size": 3}),
        Branch("LRN", [normal(1, 6, 3)], {"size": 4, "beta": 0.6, "alpha": 0.5}),
        Branch("InstanceNormalization", [normal(1, 2, 256, 128), normal(2), normal(2)]),
        Branch("MeanVarianceNormalization", [normal(2, 3, 4, 4)]),
        Branch("TopK", [x, ints(2)], {"axis": 1}, outputs=2),
        Branch("BatchNormalization", [normal(2, 3, 4), normal(3), normal(3), normal(3), between(0.5, 1, 3)]),
        Branch(
            "BatchNormalization",
            [normal(4, 3, 5), normal(3), normal(3), normal(3), between(0.5, 1, 3)],
            {"training_mode": 1, "momentum": 0.7},
            outputs=3,
        ),
    ]
    check_gradients(branches)


def test_convolutions():
    image, bias = normal(1, 4, 5, 6), normal(4)
    branches = [
        Branch("Conv", [image, normal(4, 4, 3, 3), bias], {"pads": [1, 0, 1, 2]}),
        Branch("Conv", [image, normal(4, 2, 3, 2), bias], {"group": 2, "strides": [2, 1]}),
        Branch("Conv", [image, normal(4, 2, 3, 2)], {"group": 2, "dilations": [1, 2]}),
        Branch("Conv", [image, normal(8, 1, 3, 3)], {"group": 4, "auto_pad": "SAME_UPPER"}),
        Branch("Conv", [image, normal(4, 1, 3, 3)], {"group": 4, "strides": [1, 2], "dilations": [2, 1]}),
        Branch("Conv", [normal(1, 4, 7), normal(4, 2, 3)], {"group": 2, "dilations": [2]}),
        Branch("Conv", [normal(1, 2, 4, 4, 4), normal(3, 2, 2, 2, 2)], {"strides": [2, 1, 1]}),
        Branch("Conv", [normal(1, 4, 4, 4, 4), normal(4, 2, 2, 2, 2)], {"group": 2, "dilations": [1, 2, 1]}),
        Branch("ConvTranspose", [image, normal(4, 2, 3, 3), normal(2)], {"strides": [2, 2], "pads": [1, 0, 1, 1]}),
        Branch("ConvTranspose", [image, normal(4, 2, 3, 3)], {"group": 2, "dilations": [1, 2]}),
        Branch("ConvTranspose", [image, normal(4, 1, 3, 3)], {"group": 4, "output_padding": [1, 1], "strides": [2, 2]}),
        Branch("ConvTranspose", [normal(1, 2, 5), normal(2, 3, 3)], {"strides": [2]}),
        Branch("ConvTranspose", [image, normal(4, 2, 4, 4), normal(2)], {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
        Branch("ConvTranspose", [normal(1, 2, 3, 3, 3), normal(2, 3, 2, 2, 2)]),
        Branch("DeformConv", [image, normal(4, 2, 2, 2), normal(1, 8, 4, 5), bias, normal(1, 4, 4, 5)], {"group": 2}),
        Branch("CausalConvWithState", [normal(2, 4, 5), normal(4, 1, 3), normal(4), normal(2, 4, 2)], outputs=2),
        Branch("Col2Im", [normal(1, 8, 4), ints(3, 3), ints(2, 2)]),
    ]
    check_gradients(branches, opset=28)


def test_pools_and_sampling():
    x = normal(1, 2, 6, 7)
    windows = {"kernel_shape": [3, 2], "strides": [2, 1]}
    # Two samples of a bin as far from an element as each other would be equal: there is no gradient of "max" then.
    rois, items = np.array([[0.63, 0.7, 4.2, 4.8], [1.1, 0.6, 5.4, 3.2]]), ints(0, 0)
    theta = np.array([[[0.9, 0.1, 0.05], [-0.2, 1.1, 0.1]]])
    branches = [
        Branch("AveragePool", [x], windows | {"pads": [1, 0, 1, 1]}),
        Branch("AveragePool", [x], windows | {"dilations": [2, 1], "count_include_pad": 1, "pads": [1, 0, 1, 1]}),
        Branch("AveragePool", [normal(1, 2, 4, 4, 4)], {"kernel_shape": [2, 2, 2]}),
        Branch("MaxPool", [x], windows | {"pads": [1, 0, 1, 1]}),
        Branch("MaxPool", [x], windows | {"dilations": [2, 1]}),
        Branch("MaxPool", [x], windows, outputs=2),
        Branch("MaxPool", [normal(1, 2, 6)], {"kernel_shape": [2]}),
        *(
            Branch(op_type, [normal(1, channels, 6, 4, 4)], {"kernel_shape": [k] * 3, "strides": [2] * 3})
            for op_type in ("MaxPool", "AveragePool")
            for channels in (2, 9)
            for k in (2, 3)
        ),
        *(Branch("Pad", [normal(1, c, 4, 5), ints(0, 0, 1, 2, 0, 0, 2, 1)], {"mode": "reflect"}) for c in (2, 5)),
        Branch("LpPool", [x], windows | {"p": 2}),
        Branch("LpPool", [x], windows | {"p": 3}),
        *(Branch(op_type, [x]) for op_type in ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")),
        Branch(
            "MaxUnpool",
            [normal(1, 1, 2, 2), ints([[[[5, 7], [13, 15]]]])[0]],
            {"kernel_shape": [2, 2], "strides": [2, 2]},
        ),
        Branch("MaxRoiPool", [x, np.array([[0.0, 0, 0, 4, 4]])], {"pooled_shape": [2, 2]}, fixed=[1]),
        *(
            Branch("RoiAlign", [x, rois, items], {"mode": m, "output_height": 2, "output_width": 2})
            for m in ("avg", "max")
        ),
        *(
            Branch("GridSample", [x, between(-0.9, 0.9, 1, 3, 4, 2)], {"mode": mode, "padding_mode": padding})
            for mode, padding in (("linear", "zeros"), ("linear", "reflection"), ("cubic", "border"))
        ),
        Branch("GridSample", [x, between(-0.9, 0.9, 1, 3, 4, 2)], {"mode": "nearest"}, fixed=[1]),
        Branch("AffineGrid", [theta, ints(1, 1, 3, 4)]),
        *(
            Branch("Resize", [x, None, None, ints(1, 2, 9, 5)], {"mode": mode, "antialias": antialias})
            for mode, antialias in (("nearest", 0), ("linear", 0), ("cubic", 0), ("linear", 1))
        ),
        Branch("Resize", [x, None, np.array([1, 1, 2, 2], np.float32)], {"mode": "linear"}, fixed=[2]),
        Branch("DepthToSpace", [normal(1, 4, 2, 3)], {"blocksize": 2}),
        Branch("SpaceToDepth", [x[:, :, :, :6]], {"blocksize": 2}),
        Branch("CenterCropPad", [x, ints(4, 9)], {"axes": [2, 3]}),
    ]
    check_gradients(branches)


def test_recurrent_layers():
    x, lengths, h = normal(3, 2, 4), np.array([3, 2], np.int32), normal(2, 2, 5)
    branches = []
    for op_type, gates, cells, more in (
        ("RNN", 1, 0, {}),
        ("GRU", 3, 0, {"linear_before_reset": 1}),
        ("LSTM", 4, 1, {}),
    ):
        both = {"direction": "bidirectional", "hidden_size": 5} | more
        weights = [normal(2, gates * 5, 4), normal(2, gates * 5, 5), normal(2, gates * 10)]
        inputs = [x, *weights, lengths, h, *[normal(2, 2, 5)] * cells, *[normal(2, 15)] * cells]
        branches.append(Branch(op_type, inputs, both, outputs=2 + cells))
        weights = [normal(1, gates * 5, 4), normal(1, gates * 5, 5)]
        branches.append(Branch(op_type, [normal(6, 2, 4), *weights], {"hidden_size": 5}))
    check_gradients(branches)


def test_products_and_attention():
    q, k, v = normal(2, 4, 3, 4), normal(2, 2, 5, 4), normal(2, 2, 5, 4)
    past = [normal(2, 2, 2, 4), normal(2, 2, 2, 4)]
    caches, positions = [normal(8, 2), normal(8, 2)], ints([0, 1, 2], [3, 4, 5])
    branches = [
        Branch("MatMul", [normal(2, 3, 4), normal(4, 5)]),
        Branch("MatMul", [normal(4), normal(2, 4, 5)]),
        Branch("Gemm", [normal(4, 3), normal(5, 4), normal(5)], {"transA": 1, "transB": 1, "alpha": 0.5}),
        Branch("Einsum", [normal(2, 3, 4), normal(4, 5), normal(5)], {"equation": "bij,jk,k->bi"}),
        Branch("Einsum", [normal(3, 3)], {"equation": "ii->i"}),
        Branch("Det", [normal(2, 3, 3)]),
        Branch("Attention", [q, k, v, normal(3, 7), *past], {"is_causal": 1, "softcap": 2.0}, outputs=4),
        Branch("Attention", [normal(2, 3, 8), normal(2, 5, 8), normal(2, 5, 8)], {"q_num_heads": 2, "kv_num_heads": 2}),
        Branch("RotaryEmbedding", [normal(2, 2, 3, 4), *caches, positions], {"interleaved": 1}),
        Branch("RotaryEmbedding", [normal(2, 2, 3, 4), *caches, positions]),
        Branch("FusedMatMul", [normal(2, 4, 3), normal(2, 5, 4)], {"transA": 1, "transB": 1}, domain="com.microsoft"),
        Branch(
            "SkipLayerNormalization",
            [*map(np.float32, [normal(2, 3), normal(2, 3), normal(3)])],
            domain="com.microsoft",
        ),
    ]
    check_gradients(branches)
    gates = [normal(2, 4, 8), normal(2, 4, 2)]
    rules = {"linear": [], "gated": gates[:1], "delta": [None, gates[1]], "gated_delta": gates}
    heads = {"q_num_heads": 4, "kv_num_heads": 2}
    check_gradients(
        [
            Branch("LinearAttention", [normal(2, 4, 16), normal(2, 4, 8), normal(2, 4, 6), normal(2, 2, 4, 3), *more],
                   heads | {"update_rule": rule}, outputs=2)
            for rule, more in rules.items()
        ],
        opset=28,
    )  # fmt: skip


def test_movements_of_data():
    x, places = normal(3, 4), ints([0, 2], [1, 0])
    updates, reductions = normal(2, 2), ("none", "add", "mul", "max", "min")
    branches = [
        Branch("Gather", [x, ints(2, 0, 2)], {"axis": 1}),
        Branch("GatherElements", [x, places], {"axis": 1}),
        Branch("GatherND", [x, places]),
        *(Branch("ScatterElements", [x, places, updates], {"reduction": r}) for r in reductions),
        *(Branch("ScatterND", [x, places, normal(2)], {"reduction": r}) for r in reductions),
        Branch("TensorScatter", [normal(2, 6, 3), normal(2, 2, 3), ints(1, 3)], {"axis": 1}),
        *(Branch("Pad", [x, ints(1, 0, 0, 2)], {"mode": mode}) for mode in ("reflect", "edge", "wrap")),
        Branch("Pad", [x, ints(1, -1, 0, 2), np.array(0.5)]),
        Branch("Slice", [x, ints(3, 0), ints(0, 4), ints(1, 0), ints(-1, 2)]),
        Branch("Concat", [x, normal(2, 4)], {"axis": 0}),
        Branch("Split", [x], {"axis": 1, "num_outputs": 2}, outputs=2),
        Branch("Reshape", [x, ints(2, -1)]),
        Branch("Flatten", [normal(2, 3, 4)]),
        Branch("Squeeze", [normal(1, 3)]),
        Branch("Unsqueeze", [x, ints(0, -1)]),
        Branch("Expand", [normal(3, 1), ints(2, 3, 4)]),
        Branch("Tile", [x, ints(2, 1)]),
        Branch("Transpose", [x], {"perm": [1, 0]}),
        Branch("Trilu", [x]),
        Branch("ReverseSequence", [normal(4, 2, 3), ints(3, 2)]),
        Branch("Compress", [x, np.array([True, False, True])], {"axis": 0}),
        Branch("DFT", [normal(2, 6, 1), None, np.array(1)]),
        Branch("DFT", [normal(2, 5, 2), ints(7)[0], np.array(1)], {"inverse": 1}),
        Branch("DFT", [normal(2, 6, 1), None, np.array(1)], {"onesided": 1}),
        Branch("STFT", [np.float32(normal(1, 16, 1)), ints(4)[0], np.float32(between(0.1, 1, 8))], {"onesided": 1}),
    ]
    check_gradients(branches)


def test_losses():
    labels, weights = ints([0, 2], [1, 1]), between(0.5, 1, 3)
    branches = []
    for op_type in ("SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"):
        for reduction in ("mean", "sum", "none"):
            inputs = [normal(2, 3, 2), labels, weights]
            branches.append(Branch(op_type, inputs, {"reduction": reduction, "ignore_index": 2}, fixed=[2]))
            branches.append(Branch(op_type, inputs[:2], {"reduction": reduction}))
    branches.append(Branch("SoftmaxCrossEntropyLoss", [normal(2, 3), ints(0, 2)], outputs=2))
    check_gradients(branches)


BODIES = """g (double[2, 3] x, double[2, 3] w, bool go) => (double[2, 3] y) {
    a = If (go) <then_branch = t () => (double[2, 3] p) { p = Mul (x, w) },
                 else_branch = e () => (double[2, 3] q) { q = Sin (x) }>
    n = Constant <value = int64 {20}> ()
    b, all = Loop (n, go, a) <body = l (int64 i, bool c, double[2, 3] s) => (bool d, double[2, 3] s1, double[2, 3] o) {
        d = Identity (c) k = Mul (s, w) o = Tanh (k) s1 = Add (s, o)
    }>
    c, rows = Scan <num_scan_inputs = 1,
                    body = r (double[2, 3] h, double[2, 3] z) => (double[2, 3] h1, double[2, 3] v) {
        u = Mul (h, z) h1 = Cos (u) v = Mul (h1, w)
    }> (b, all)
    axes = Constant <value_ints = [0]> ()
    total = ReduceSum <keepdims = 0> (rows, axes)
    y = Add (c, total)
    dx, dw = ai.onnx.preview.training.Gradient <xs = ["x", "w"], y = "y"> (x, w)
}"""


@pytest.mark.parametrize("go", [True, False])
def test_bodies_and_the_gradient_operator(go):
    head = '<ir_version: 8, opset_import: ["" : 17, "ai.onnx.preview.training" : 1]>'
    text = BODIES.replace("(double[2, 3] y)", "(double[2, 3] y, double[2, 3] dx, double[2, 3] dw)", 1)
    run = prepare(onnx.parser.parse_model(f"{head} {text}")).run
    x, w, direction, step = normal(2, 3), normal(2, 3), normal(2, 3), 1e-6
    outputs = run([x, w, go])
    for name, by_x, by_w in (("dx", 1, 0), ("dw", 0, 1)):
        sides = [run([x + s * by_x * direction, w + s * by_w * direction, go])["y"].sum() for s in (step, -step)]
        np.testing.assert_allclose((outputs[name] * direction).sum(), (sides[0] - sides[1]) / (2 * step), rtol=1e-6)
