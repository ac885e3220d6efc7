"""TensorFlow merges operations of a SavedModel into kernels of its own: the numbers stay ONNX Runtime's."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper

from onnx_tf import prepare, to_keras
from test.reference import ort_outputs

RESIDUAL = {
    "plain": ("s = Add(c, r)", "y = Identity(s)"),
    "relu": ("s = Add(c, r)", "y = Relu(s)"),
    "relu6": ("s = Add(c, r)", "y = Clip(s, zero, six)"),
    "elu": ("s = Add(r, c)", "y = Elu(s)"),
    "silu": ("s = Sum(c, r)", "g = Sigmoid(s) y = Mul(s, g)"),
    "leaky": ("s = Add(c, r)", "y = LeakyRelu<alpha = 0.01>(s)"),
    "leaky_second": ("s = Sum(r, c)", "y = LeakyRelu<alpha = 0.3>(s)"),
    "leaky_difference": ("n = Neg(r) s = Sub(c, n)", "y = LeakyRelu<alpha = 0.01>(s)"),
    "leaky_dropout": ("d = Dropout(c) s = Add(d, r)", "y = LeakyRelu<alpha = 0.01>(s)"),
    "leaky_written_out": ("s = Add(c, r)", "m = Mul(s, slope) y = Max(s, m)"),
    "mish": ("s = Add(c, r)", "y = Mish(s)"),
    "mish_written_out": ("s = Add(c, r)", "p = Softplus(s) t = Tanh(p) y = Mul(s, t)"),
    "hard_swish": ("s = Add(c, three)", "k = Clip(s, zero, six) m = Mul(c, k) y = Div(m, six)"),
}
"""A sum over a convolution, and what follows it."""


def residual_model(rank: int) -> onnx.ModelProto:
    """Return a block of each kind side by side, each with a convolution of its own."""
    rng = np.random.default_rng(rank)
    shape, pads = [1, 8, *[6] * (rank - 2)], [1] * 2 * (rank - 2)
    nodes = [helper.make_node("Relu", ["x"], ["r"])]
    constants = {name: np.float32(number) for name, number in [("zero", 0), ("three", 3), ("six", 6), ("slope", 0.01)]}
    for kind, (total, after) in RESIDUAL.items():
        constants[f"{kind}_w"] = rng.standard_normal([8, 8, *[3] * (rank - 2)]).astype(np.float32) / 8
        constants[f"{kind}_b"] = rng.standard_normal(8).astype(np.float32)
        nodes.append(helper.make_node("Conv", ["x", f"{kind}_w", f"{kind}_b"], [f"{kind}_c"], pads=pads))
        text = f'<ir_version: 8, opset_import: ["": 18]> g (float[1] x) => (float[1] y) {{ {total} {after} }}'
        for node in onnx.parser.parse_model(text).graph.node:
            names = {
                name: name if name in ("r", *constants) else f"{kind}_{name}" for name in [*node.input, *node.output]
            }
            node.input[:] = [names[name] for name in node.input]
            node.output[:] = [names[name] for name in node.output]
            nodes.append(node)
    graph = helper.make_graph(
        nodes,
        "residual",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(f"{kind}_y", TensorProto.FLOAT, shape) for kind in RESIDUAL],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


@pytest.mark.parametrize("freeze", [False, True])
@pytest.mark.parametrize("rank", [4, 5])
def test_sums_over_convolutions(rank, freeze, tmp_path):
    model = residual_model(rank)
    x = np.random.default_rng(0).standard_normal([1, 8, *[6] * (rank - 2)]).astype(np.float32)
    rep = prepare(model, channels_last_inputs="all", channels_last_outputs="all")
    rep.export_graph(tmp_path / "model", freeze=freeze)
    signature = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    outputs = signature(tf.constant(np.moveaxis(x, 1, -1)))
    for name, expected in ort_outputs(model, {"x": x}).items():
        actual = np.moveaxis(outputs[name].numpy(), -1, 1)
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("rank", [4, 5])
def test_keras_merges_no_sums_either(rank):
    model = residual_model(rank)
    x = np.random.default_rng(0).standard_normal([1, 8, *[6] * (rank - 2)]).astype(np.float32)
    keras_model = to_keras(model, channels_last_inputs="all", channels_last_outputs="all")
    outputs = keras_model.predict_on_batch(np.moveaxis(x, 1, -1))
    for (name, expected), found in zip(ort_outputs(model, {"x": x}).items(), outputs, strict=True):
        np.testing.assert_allclose(np.moveaxis(found, -1, 1), expected, rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
@pytest.mark.parametrize("freeze", [False, True])
def test_other_converters_take_it(freeze, tmp_path):
    model = residual_model(4)
    rep = prepare(model, channels_last_inputs="all", channels_last_outputs="all")
    rep.export_graph(tmp_path / "model", freeze=freeze)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "model"))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    runner = tf.lite.Interpreter(model_content=converter.convert()).get_signature_runner()
    x = np.random.default_rng(0).standard_normal([1, 8, 6, 6]).astype(np.float32)
    outputs = runner(x=np.moveaxis(x, 1, -1))
    for name, expected in ort_outputs(model, {"x": x}).items():
        np.testing.assert_allclose(np.moveaxis(outputs[name], -1, 1), expected, rtol=1e-4, atol=1e-4, err_msg=name)
