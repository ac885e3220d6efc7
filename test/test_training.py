"""A model prepared for training: what trains, what its layers do then, what is written."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import tensorflow as tf

from onnx_tf import prepare
from test.handlers.check import compare
from test.reference import ort_outputs

RNG = np.random.default_rng(0)

TEXT = """
<ir_version: 8, opset_import: ["": 17]>
net (float[n, 3, 8, 8] x, float[4, 3, 3, 3] w1, float[4] s1, float[4] b1, float[4] m1, float[4] v1,
     float[8, 4, 3, 3] w2, float[8] s2, float[8] b2, float[8] m2, float[8] v2, float[8, 3] w, float[3] b,
     int64[2] flat, float ratio)
    => (float[n, 3] y) {
    c1 = Conv <pads = [1, 1, 1, 1]> (x, w1)
    n1 = BatchNormalization (c1, s1, b1, m1, v1)
    r1 = Relu (n1)
    c2 = Conv <strides = [2, 2]> (r1, w2)
    n2 = BatchNormalization (c2, s2, b2, m2, v2)
    r2 = Relu (n2)
    p = GlobalAveragePool (r2)
    f = Reshape (p, flat)
    d = Dropout <seed = 7> (f, ratio)
    y = Gemm (d, w, b)
}"""
SHAPES = {"w1": (4, 3, 3, 3), "w2": (8, 4, 3, 3), "w": (8, 3)}
NORMALIZATIONS = {"s": 1.0, "b": 0.0, "m": 0.0, "v": 1.0}


def _model() -> onnx.ModelProto:
    model = onnx.parser.parse_model(TEXT)
    values = {name: RNG.normal(0, 0.3, shape) for name, shape in SHAPES.items()}
    values |= {f"{kind}{i}": np.full(4 * i, v) for kind, v in NORMALIZATIONS.items() for i in (1, 2)}
    values |= {"b": np.zeros(3), "ratio": np.array(0.3)}
    arrays = {name: np.asarray(value, np.float32) for name, value in values.items()}
    arrays["flat"] = np.array([0, -1])
    model.graph.initializer.extend(onnx.numpy_helper.from_array(a, name) for name, a in arrays.items())
    del model.graph.input[1:]
    return model


def test_a_network_learns_and_the_export_holds_what_it_learnt(tmp_path):
    model = _model()
    rep = prepare(model, training=True)
    trained = {v.name.split(":")[0] for v in rep.tf_module.trainable_variables}
    assert trained == {"w1", "s1", "b1", "w2", "s2", "b2", "w", "b"}
    assert {"m1", "v1", "m2", "v2"} <= rep.tf_module.weights.keys()

    x = RNG.normal(size=(32, 3, 8, 8)).astype(np.float32)
    labels = x.mean((2, 3)).argmax(1)
    before = rep.run(x)[0]
    compare(list(ort_outputs(model, {"x": x}).values()), [before], rtol=1e-4, atol=1e-4)
    optimizer = tf.keras.optimizers.SGD(0.5)
    variables = list(rep.tf_module.trainable_variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            logits = rep.tf_module(x=x)["y"]
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    losses = [float(step()) for _ in range(60)]
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])

    after = rep.run(x)[0]
    assert not np.allclose(after, before, atol=0.1)
    np.testing.assert_array_equal(rep.run(x)[0], after)  # nothing is dropped
    rep.export_graph(tmp_path / "trained")
    served = tf.saved_model.load(str(tmp_path / "trained")).signatures["serving_default"](x=tf.constant(x))["y"]
    np.testing.assert_allclose(served, after, rtol=1e-5, atol=1e-5)
    for initializer in model.graph.initializer:
        if initializer.name in rep.tf_module.weights:
            initializer.CopyFrom(_current(rep, initializer.name))
    compare(list(ort_outputs(model, {"x": x}).values()), [after], rtol=1e-3, atol=1e-3)


def _current(rep, name):
    """Return a weight in ONNX order: filters are kept as TensorFlow takes them."""
    value = rep.tf_module.weights[name].numpy()
    return onnx.numpy_helper.from_array(value.transpose(3, 2, 0, 1) if value.ndim == 4 else value, name)


DROPOUT = """<ir_version: 8, opset_import: ["": %d]> net (float[n] x%s) => (float[n] y) { y = Dropout %s }"""


@pytest.mark.parametrize(
    ("opset", "inputs", "node", "kept"),
    [
        (13, "", "(x)", 0.5),
        (10, "", "<ratio = 0.25> (x)", 0.75),
        (7, "", "<ratio = 0.25> (x)", 0.75),
        (13, ", float r, bool t", "(x, r, t)", None),
    ],
)
def test_dropout_drops_when_the_module_is_called(opset, inputs, node, kept):
    rep = prepare(onnx.parser.parse_model(DROPOUT % (opset, inputs, node)), training=True)
    x = np.ones(4000, np.float32)
    if kept is None:  # the model decides itself
        for training, share in ((True, 0.1), (False, 1.0)):
            for y in (rep.run([x, 0.9, training])[0], rep.tf_module(x, tf.constant(0.9), tf.constant(training))["y"]):
                np.testing.assert_allclose(np.mean(np.asarray(y) > 0), share, atol=0.03)
        return
    np.testing.assert_array_equal(rep.run(x)[0], x)
    y = rep.tf_module(x)["y"].numpy()
    assert set(np.unique(y)) == {0, np.float32(1 / kept)}
    np.testing.assert_allclose((y > 0).mean(), kept, atol=0.05)


def test_running_statistics_are_outputs():
    text = """<ir_version: 8, opset_import: ["": 17]>
        net (float[n, 2] x, float[2] s, float[2] b, float[2] m, float[2] v)
            => (float[n, 2] y, float[2] rm, float[2] rv) {
            y, rm, rv = BatchNormalization <training_mode = 1, momentum = 0.75> (x, s, b, m, v)
        }"""
    model = onnx.parser.parse_model(text)
    for name, value in (("s", 1), ("b", 0), ("m", 0), ("v", 1)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.full(2, value, np.float32), name))
    del model.graph.input[1:]
    module = prepare(model, training=True).tf_module
    x = RNG.normal(3, 2, (64, 2)).astype(np.float32)
    outputs = module(x)
    np.testing.assert_allclose(outputs["rm"], 0.25 * x.mean(0), rtol=1e-5)
    np.testing.assert_allclose(outputs["rv"], 0.75 + 0.25 * x.var(0), rtol=1e-5)
    np.testing.assert_array_equal(module.weights["m"], [0, 0])


def test_equal_weights_stay_apart():
    text = """<ir_version: 8, opset_import: ["": 17]>
        net (float[n, 4] x, float[4] a, float[4] b) => (float[n, 4] y) { s = Mul (x, a) y = Mul (s, b) }"""
    model = onnx.parser.parse_model(text)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(np.ones(4, np.float32), name) for name in "ab")
    del model.graph.input[1:]
    assert len(prepare(model, training=True).tf_module.trainable_variables) == 2
