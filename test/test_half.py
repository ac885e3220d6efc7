"""Products in floats of 16 bits: what is computed in them, what is not, and how far the numbers are off."""

from __future__ import annotations

import collections
from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf

from onnx_tf import OptionError, convert, plan, prepare
from onnx_tf.check.artifacts import SavedModel
from onnx_tf.check.compare import NARROW_PRODUCTS, compare
from onnx_tf.cli import main
from test.models import text_model
from test.reference import ort_outputs

RNG = np.random.default_rng(8)
DTYPES = sorted(NARROW_PRODUCTS)
CONVOLUTIONS = """g (float[n, 3, 12, 12] x) => (float[n, 8, 6, 6] y, float[n, 8] mean)
    <float low = {0}, float high = {6}, int64[2] axes = {2, 3}> {
    a = Conv <pads = [1, 1, 1, 1]> (x, w, b)
    c = Clip (a, low, high)
    d = Conv <pads = [1, 1, 1, 1], group = 8> (c, depthwise)
    e = Relu (d)
    f = Conv (e, pointwise)
    s = Add (f, c)
    p = MaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [0, 0, 1, 1]> (s)
    y = Conv (p, pointwise)
    mean = ReduceMean <keepdims = 0> (y, axes)
}"""
ATTENTION = """g (float[n, 5, 8] x) => (float[n, 5, 8] z) <float scale = {0.35}> {
    h = LayerNormalization (x, gain)
    q = MatMul (h, wq)
    k = MatMul (h, wk)
    t = Transpose <perm = [0, 2, 1]> (k)
    s = MatMul (q, t)
    m = Mul (s, scale)
    p = Softmax (m)
    o = MatMul (p, h)
    z = Add (o, x)
}"""


def weighed(text: str, opset: int = 18, **shapes: tuple[int, ...]) -> onnx.ModelProto:
    model = text_model(text, opset=opset)
    for name, shape in shapes.items():
        array = RNG.normal(0, 0.4, shape).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    return model


@pytest.fixture(scope="module")
def convolutions() -> onnx.ModelProto:
    return weighed(CONVOLUTIONS, w=(8, 3, 3, 3), b=(8,), depthwise=(8, 1, 3, 3), pointwise=(8, 8, 1, 1))


@pytest.fixture(scope="module")
def attention() -> onnx.ModelProto:
    return weighed(ATTENTION, gain=(8,), wq=(8, 8), wk=(8, 8))


def operations(rep: Any, *, freeze: bool = False) -> dict[str, list[tf.DType]]:
    """Return the dtypes that operations of each type give."""
    found = collections.defaultdict(list)
    for op in rep.tf_module.concrete(freeze=freeze).graph.get_operations():
        found[op.type] += [output.dtype for output in op.outputs]
    return found


def drawn(model: onnx.ModelProto, batch: int = 2) -> dict[str, np.ndarray]:
    (value,) = (v for v in model.graph.input)
    dims = [d.dim_value or batch for d in value.type.tensor_type.shape.dim]
    return {value.name: RNG.normal(size=dims).astype(np.float32)}


@pytest.mark.parametrize("freeze", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["convolutions", "attention"])
def test_a_saved_model_is_near_in_every_batch(name, dtype, freeze, tmp_path, request):
    model = request.getfixturevalue(name)
    prepare(model, compute=dtype).export_graph(tmp_path / "m", freeze=freeze)
    artifact = SavedModel(tmp_path / "m")
    for batch in (1, 3):
        feed = drawn(model, batch)
        assert compare(ort_outputs(model, feed), artifact.run(feed), NARROW_PRODUCTS[dtype]).fits


def test_nothing_changes_by_default(convolutions, attention):
    for model in (convolutions, attention):
        for freeze in (False, True):
            dtypes = {dtype for found in operations(prepare(model), freeze=freeze).values() for dtype in found}
            assert not dtypes & {tf.bfloat16, tf.float16}


@pytest.mark.parametrize("dtype", DTYPES)
def test_convolutions_and_what_lies_between_are_narrow(convolutions, dtype):
    found, narrow = operations(prepare(convolutions, compute=dtype), freeze=True), tf.as_dtype(dtype)
    for op_type in ("Conv2D", "DepthwiseConv2dNative", "Relu", "MaxPool", "AddV2", "BiasAdd"):
        assert set(found[op_type]) == {narrow}, op_type
    assert set(found["Mean"]) == {tf.float32}
    graph = prepare(convolutions, compute=dtype).tf_module.concrete(freeze=True).graph
    casts = [op.outputs[0] for op in graph.get_operations() if op.type == "Cast" and op.inputs[0].op.type != "Const"]
    assert [cast.dtype for cast in casts] == [narrow, tf.float32]  # the input, the result


@pytest.mark.parametrize("dtype", DTYPES)
def test_normalisations_softmax_and_the_sum_around_stay(attention, dtype):
    found, narrow = operations(prepare(attention, compute=dtype)), tf.as_dtype(dtype)
    assert set(found["MatMul"] + found["BatchMatMulV2"]) == {narrow}
    assert set(found["Softmax"]) == set(found["AddV2"]) == {tf.float32}
    assert set(found["Rsqrt"] + found["Sqrt"]) <= {tf.float32}


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_frozen_graph_holds_narrow_weights_alone(dtype):
    model = weighed("g (float[n, 64] x) => (float[n, 256] y) { y = MatMul (x, w) }", w=(64, 256))
    sizes = {}
    for compute in (None, dtype):
        graph = prepare(model, compute=compute).tf_module.concrete(freeze=True).graph
        constants = [op.outputs[0] for op in graph.get_operations() if op.type == "Const"]
        sizes[compute] = {t.dtype.name for t in constants if t.shape.num_elements() == 64 * 256}
    assert sizes == {None: {"float32"}, dtype: {dtype}}


def test_a_weight_that_something_else_reads_is_there_in_both(tmp_path):
    model = weighed("g (float[4, 4] x) => (float[4, 4] y) { p = MatMul (x, w)  y = Div (p, w) }", w=(4, 4))
    done = convert(model, tmp_path / "m", compute="float16", freeze=True, check=True)
    assert done.fits


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_reach_variables_of_float32(convolutions, dtype):
    gradients = {}
    x = drawn(convolutions)["x"]
    for compute in (None, dtype):
        module = prepare(convolutions, training=True, compute=compute).tf_module
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(module(x)["mean"]))
        assert {v.dtype for v in module.trainable_variables} == {tf.float32}
        gradients[compute] = tape.gradient(loss, module.weights)
    for name, wide in gradients[None].items():
        narrow = gradients[dtype][name]
        assert narrow.dtype == tf.float32
        assert np.abs(narrow - wide).max() < 0.1 * np.abs(wide).max()


def test_values_inside_are_float32_in_onnx_order(convolutions, tmp_path):
    rep, feed = prepare(convolutions, compute="bfloat16"), drawn(convolutions)
    wide = prepare(convolutions).intermediate_values(feed, ["c", "f", "p"])
    for name, value in rep.intermediate_values(feed, ["c", "f", "p"]).items():
        assert value.dtype == np.float32
        assert value.shape == wide[name].shape
        assert np.abs(value - wide[name]).max() < 0.05 * np.abs(wide[name]).max()
    rep.export_graph(tmp_path / "m", signatures=["serving_default", "intermediate"], intermediate_names=["f"])
    inside = tf.saved_model.load(str(tmp_path / "m")).signatures["intermediate"](tf.constant(feed["x"]))
    assert {value.dtype for value in inside.values()} == {tf.float32}


def test_bodies_read_narrow_values_of_outer_graphs():
    model = weighed(
        """g (float[2, 4] x, bool flag) => (float[2, 4] y, float[2, 4] a) {
            a = MatMul (x, w)
            y = If (flag) <then_branch = t () => (float[2, 4] u) { u = MatMul (a, w) },
                           else_branch = e () => (float[2, 4] v) { v = Neg (a) }>
        }""",
        w=(4, 4),
    )
    rep = prepare(model, compute="bfloat16")
    for flag in (True, False):
        feed = {"x": RNG.normal(size=(2, 4)).astype(np.float32), "flag": np.array(flag)}
        assert compare(ort_outputs(model, feed), dict(rep.run(feed).items()), NARROW_PRODUCTS["bfloat16"]).fits


@pytest.mark.parametrize(
    "text",
    [
        "g (float[1, 4, 5, 5] x) => (float[1, 3, 11, 11] y) { y = ConvTranspose <strides = [2, 2]> (x, t) }",
        "g (float[2, 4] x) => (float[2, 6] y) { y = Gemm <alpha = 0.5, transB = 1> (x, g, c) }",
        'g (float[2, 4] x) => (float[2, 6] y) { y = Einsum <equation = "ij,kj->ik"> (x, g) }',
        "g (float[1, 4, 6, 6, 6] x) => (float[1, 2, 4, 4, 4] y) { y = Conv (x, d) }",
        "g (float[1, 4, 9] x) => (float[1, 2, 7] y) { y = Conv (x, l) }",
    ],
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_product(text, dtype, tmp_path):
    model = weighed(text, t=(4, 3, 3, 3), g=(6, 4), c=(6,), d=(2, 4, 3, 3, 3), l=(2, 4, 3))
    done = convert(model, tmp_path / "m", compute=dtype, check=True)
    assert done.fits
    kinds = ("Conv2D", "Conv2DBackpropInput", "Conv3D", "MatMul", "BatchMatMulV2", "Einsum")
    found = operations(done.rep)
    assert {dtype for kind in kinds for dtype in found[kind]} == {tf.as_dtype(dtype)}


def test_other_dtypes_are_left_alone():
    text = "g (double[2, 2] x) => (double[2, 2] y) <double[2, 2] w = {1, 2, 3, 4}> { y = MatMul (x, w) }"
    found = operations(prepare(text_model(text), compute="bfloat16"))
    assert set(found["MatMul"]) == {tf.float64}


def test_the_summary_says_it_and_the_error(convolutions, tmp_path, capsys):
    onnx.save(convolutions, tmp_path / "m.onnx")
    assert main(["convert", str(tmp_path / "m.onnx"), "-o", str(tmp_path / "m"), "--compute", "bfloat16"]) == 0
    told = capsys.readouterr().out
    assert "convolutions and products of matrices are computed in bfloat16" in told
    assert "(tolerance 5e-02)" in told
    assert main(["check", str(tmp_path / "m.onnx"), str(tmp_path / "m"), "--compute", "bfloat16"]) == 0
    parts = convert(convolutions, tmp_path / "parts", compute="bfloat16", split_size=1200, check=True)
    assert len(parts.artifacts) > 1
    assert {output.tolerance for output in parts.artifacts[-1].accuracy.outputs} == {5e-2}
    frozen = convert(convolutions, tmp_path / "m.pb", compute="float16", check=True)
    assert frozen.fits
    assert frozen.artifacts[0].compute == "float16"
    assert {output.tolerance for output in frozen.accuracy.outputs} == {1e-2}
    assert convert(convolutions, tmp_path / "n").artifacts[0].compute is None


@pytest.mark.parametrize("value", ["half", "float32", "", 16])
def test_other_values_are_refused(convolutions, value):
    with pytest.raises(OptionError, match="compute must be 'bfloat16' or 'float16', not"):
        prepare(convolutions, compute=value)


@pytest.mark.parametrize(("file", "kind"), [("m.tflite", "tflite"), ("m.keras", "keras"), ("m.py", "keras_source")])
def test_other_formats_are_refused(convolutions, file, kind, tmp_path):
    with pytest.raises(OptionError, match=f"not for {kind}: .tflite files have float16 weights by"):
        convert(convolutions, tmp_path / file, compute="bfloat16")
    with pytest.raises(OptionError, match=f"not for {kind}:"):
        plan(convolutions, [kind], compute="bfloat16")


def test_a_plan_knows_it(convolutions):
    (planned,) = plan(convolutions, compute="bfloat16").artifacts
    assert planned.fits
    told = {own.reason: len(own.nodes) for own in planned.approximated}
    assert told == {"products of float32 are computed in bfloat16": 4}
