"""Convolutions and transposed convolutions: every form, its gradient, and how filters are stored."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import TensorProto, helper

from onnx_tf import ConversionError, prepare
from test.handlers.check import check_op, compare, make_op_model
from test.onnx_suite.runs import through_export
from test.reference import ort_outputs

RNG = np.random.default_rng(0)

CONV = {
    "one_by_one": ((2, 6, 5, 4), (3, 6, 1, 1), {"strides": [2, 2]}),
    "symmetric": ((1, 3, 8, 7), (4, 3, 3, 3), {"pads": [1, 1, 1, 1]}),
    "even_kernel": ((1, 3, 8, 7), (4, 3, 2, 4), {"pads": [1, 2, 0, 1]}),
    "strided": ((1, 3, 8, 9), (4, 3, 3, 3), {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
    "unequal_strides": ((1, 3, 8, 9), (4, 3, 3, 3), {"pads": [0, 1, 2, 1], "strides": [3, 2]}),
    "same_upper": ((1, 3, 8, 9), (4, 3, 4, 3), {"auto_pad": "SAME_UPPER", "strides": [3, 2]}),
    "same_lower": ((1, 3, 8, 9), (4, 3, 4, 3), {"auto_pad": "SAME_LOWER", "strides": [3, 2]}),
    "dilated": ((1, 3, 11, 9), (4, 3, 3, 3), {"pads": [2, 3, 2, 3], "dilations": [2, 3]}),
    "dilated_strided": ((1, 3, 11, 9), (4, 3, 3, 2), {"dilations": [2, 2], "strides": [2, 3], "pads": [1, 0, 1, 0]}),
    "grouped": ((2, 6, 6, 6), (9, 2, 3, 3), {"group": 3, "pads": [1, 1, 1, 1]}),
    "grouped_strided": ((1, 8, 8, 9), (6, 4, 3, 3), {"group": 2, "pads": [1, 0, 0, 1], "strides": [2, 1]}),
    "grouped_wide": ((1, 10, 6, 6), (4, 5, 3, 3), {"group": 2, "pads": [1, 1, 1, 1], "strides": [2, 2]}),
    "grouped_wide_dilated": ((2, 16, 9, 8), (6, 8, 3, 3), {"group": 2, "dilations": [2, 2], "pads": [2, 1, 2, 2]}),
    "grouped_dilated": ((2, 6, 8, 8), (9, 2, 3, 3), {"group": 3, "dilations": [2, 2]}),
    "depthwise": ((2, 4, 6, 6), (4, 1, 3, 3), {"group": 4, "pads": [1, 1, 1, 1]}),
    "depthwise_times_two": ((2, 4, 6, 6), (8, 1, 3, 3), {"group": 4, "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "depthwise_unequal_strides": ((2, 4, 9, 8), (4, 1, 3, 3), {"group": 4, "strides": [4, 2], "pads": [1, 1, 1, 1]}),
    "depthwise_dilated": ((2, 4, 9, 8), (4, 1, 3, 3), {"group": 4, "dilations": [2, 3], "strides": [2, 1]}),
    "line": ((2, 4, 9), (6, 4, 3), {"pads": [2, 0], "strides": [2]}),
    "line_depthwise_dilated": ((2, 4, 19), (4, 1, 3), {"group": 4, "dilations": [4], "pads": [8, 0]}),
    "volume": ((1, 3, 5, 6, 7), (4, 3, 3, 2, 3), {"pads": [1, 0, 1, 1, 1, 1], "strides": [2, 1, 2]}),
    "idle_taps": ((2, 3, 8, 6), (4, 3, 3, 3), {"pads": [18, 9, 18, 9], "dilations": [18, 9]}),
    "idle_taps_on_one_side": (
        (1, 3, 4, 9),
        (4, 3, 3, 3),
        {"pads": [0, 2, 9, 2], "dilations": [5, 2], "strides": [2, 1]},
    ),
    "idle_taps_grouped": ((1, 4, 5, 6), (6, 2, 3, 5), {"pads": [7, 12, 7, 12], "dilations": [7, 6], "group": 2}),
    "idle_taps_depthwise": ((1, 4, 5, 6), (4, 1, 3, 3), {"pads": [6, 8, 6, 8], "dilations": [6, 8], "group": 4}),
    "idle_taps_of_a_line": ((1, 4, 5), (4, 4, 3), {"pads": [6, 6], "dilations": [6]}),
    "volume_of_one_channel": ((2, 1, 5, 6, 7), (4, 1, 3, 3, 3), {"pads": [1] * 6}),
    "volume_of_eight_channels": ((1, 8, 5, 6, 7), (4, 8, 3, 3, 2), {"pads": [0, 1, 1, 2, 1, 0], "strides": [2, 2, 1]}),
    "volume_of_nine_channels": ((1, 9, 5, 6, 7), (4, 9, 3, 3, 3), {"pads": [1] * 6}),
    "volume_pointwise": ((1, 20, 5, 6, 7), (4, 20, 1, 1, 1), {"strides": [2, 1, 2]}),
    "volume_of_planes": ((2, 10, 5, 6, 7), (4, 10, 1, 3, 3), {"pads": [1, 1, 1, 0, 1, 1]}),
    "volume_depthwise": ((1, 3, 5, 6, 7), (3, 1, 3, 3, 3), {"group": 3, "pads": [1] * 6}),
    "volume_grouped": ((1, 4, 5, 6, 7), (6, 2, 3, 2, 3), {"group": 2, "strides": [2, 2, 1]}),
    "volume_grouped_wide": ((1, 10, 4, 5, 6), (4, 5, 3, 2, 3), {"group": 2, "pads": [1, 0, 1, 1, 1, 1]}),
    "volume_dilated": ((1, 2, 7, 6, 7), (3, 2, 3, 2, 3), {"dilations": [2, 1, 3]}),
}

TRANSPOSED = {
    "plain": ((1, 3, 4, 5), (3, 2, 3, 3), {}),
    "same": ((1, 3, 4, 5), (3, 2, 4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "doubled": ((1, 3, 4, 5), (3, 2, 3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
    "short_kernel": ((1, 3, 4, 5), (3, 2, 2, 2), {"strides": [3, 3]}),
    "asymmetric": ((1, 3, 4, 5), (3, 2, 3, 4), {"strides": [2, 1], "pads": [0, 1, 1, 2]}),
    "same_upper": ((1, 3, 4, 5), (3, 2, 4, 3), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    "same_lower": ((1, 3, 4, 5), (3, 2, 4, 3), {"strides": [2, 2], "auto_pad": "SAME_LOWER"}),
    "output_shape": ((1, 3, 4, 5), (3, 2, 3, 3), {"strides": [3, 2], "output_shape": [10, 9]}),
    "dilated": ((1, 3, 4, 5), (3, 2, 3, 2), {"dilations": [2, 3], "strides": [2, 1]}),
    "grouped": ((2, 6, 4, 5), (6, 2, 3, 3), {"group": 3, "strides": [2, 2]}),
    "depthwise": ((2, 4, 4, 5), (4, 1, 4, 4), {"group": 4, "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "depthwise_grouped": ((2, 4, 4, 5), (4, 1, 3, 3), {"group": 2, "strides": [2, 2]}),
    "line": ((2, 4, 7), (4, 3, 4), {"strides": [2], "pads": [1, 1]}),
    "frames": ((2, 4, 7), (4, 1, 16), {"strides": [8]}),
    "of_five_results": ((2, 4, 7, 5), (4, 5, 4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "apart": ((2, 4, 7, 5), (4, 3, 2, 2), {"strides": [2, 2]}),
    "volume": ((1, 2, 3, 4, 3), (2, 3, 2, 2, 2), {"strides": [2, 2, 2]}),
    "volume_grouped": ((1, 4, 3, 4, 3), (4, 2, 3, 2, 2), {"group": 2, "pads": [1, 0, 0, 1, 1, 0]}),
}

ALL = [("Conv", name) for name in CONV] + [("ConvTranspose", name) for name in TRANSPOSED]


def arrays(op_type, name, dtype=np.float32):
    x_shape, w_shape, attributes = (CONV if op_type == "Conv" else TRANSPOSED)[name]
    results = w_shape[0] if op_type == "Conv" else w_shape[1] * attributes.get("group", 1)
    return [RNG.standard_normal(shape).astype(dtype) for shape in (x_shape, w_shape, (results,))], attributes


@pytest.mark.parametrize(("op_type", "name"), ALL)
def test_constant_filters(op_type, name):
    inputs, attributes = arrays(op_type, name)
    check_op(op_type, inputs, attributes, constants=(1, 2), opset=17)


@pytest.mark.parametrize(("op_type", "name"), ALL)
def test_filters_and_no_bias_at_run_time(op_type, name):
    inputs, attributes = arrays(op_type, name)
    attributes = {**attributes, "kernel_shape": inputs[1].shape[2:]}
    check_op(op_type, inputs[:2], attributes, opset=1 if op_type == "Conv" else 11, through=["static"])


@pytest.mark.parametrize(("op_type", "name"), ALL)
def test_filters_whose_shape_only_the_run_tells(op_type, name):
    inputs, attributes = arrays(op_type, name)
    check_op(op_type, inputs, attributes, opset=17, through=["dynamic"])


def test_open_filters_of_four_axes():
    shapes = [(1, 4, 5, 4, 3, 4), (6, 2, 3, 2, 2, 1), (6,)]
    inputs = [RNG.standard_normal(shape).astype(np.float32) for shape in shapes]
    attributes = {"group": 2, "strides": [2, 1, 1, 2], "dilations": [1, 2, 1, 1], "pads": [1, 1, 0, 0, 1, 1, 0, 0]}
    check_op("Conv", inputs, attributes, through=["dynamic", "export"])
    sampled = make_op_model(
        "DeformConv", [inputs[0][..., 0, 0], inputs[1][..., 0, 0], inputs[0][..., 0, 0]], dynamic=True
    )
    with pytest.raises(ConversionError, match=r"DeformConv.*state kernel_shape"):
        prepare(sampled)


@pytest.mark.parametrize("name", ["grouped_dilated", "grouped_wide", "depthwise", "volume_depthwise", "line"])
def test_exported(name):
    inputs, attributes = arrays("Conv", name)
    check_op("Conv", inputs, attributes, constants=(1, 2), opset=22, through=["export"])


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
@pytest.mark.parametrize(("op_type", "name"), [("Conv", "grouped"), ("Conv", "depthwise"), ("ConvTranspose", "same")])
def test_other_floats(op_type, name, dtype):
    inputs, attributes = arrays(op_type, name, dtype)
    (expected,) = prepare(make_op_model(op_type, [a.astype(np.float32) for a in inputs], attributes)).run(
        [a.astype(np.float32) for a in inputs]
    )
    reference = [expected.astype(dtype)]
    tolerance = 5e-3 if dtype == np.float16 else 1e-5
    check_op(op_type, inputs, attributes, constants=(1,), reference=reference, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("op_type", "name"), ALL)
def test_gradients(op_type, name):
    """The derivative along a random direction of data and filters is what differences give."""
    inputs, attributes = arrays(op_type, name, np.float64)
    module = prepare(make_op_model(op_type, inputs, attributes, opset=17, constants=(2,))).tf_module
    point = [tf.constant(a) for a in inputs[:2]]
    direction = [tf.constant(RNG.standard_normal(a.shape)) for a in inputs[:2]]

    def loss(step):
        y = module(*[p + step * d for p, d in zip(point, direction, strict=True)])["y0"]
        return tf.reduce_sum(tf.sin(y))

    step = tf.constant(0.0, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(step)
        value = loss(step)
    derivative = tape.gradient(value, step)
    np.testing.assert_allclose(derivative, (loss(1e-6) - loss(-1e-6)) / 2e-6, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("freeze", [False, True])
def test_a_grouped_convolution_is_one_and_trains_once_loaded(tmp_path, freeze):
    """Its gradient is written along: TensorFlow has none for groups on a CPU."""
    inputs, attributes = arrays("Conv", "grouped_wide")
    rep = prepare(make_op_model("Conv", inputs, attributes, opset=17, constants=(1, 2)))
    assert [op.type for op in rep.graph.get_operations()].count("Conv2D") == 1
    rep.export_graph(tmp_path / "model", freeze=freeze)
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    x = tf.constant(inputs[0])
    parts = zip(*[np.split(a, 2, axis) for a, axis in zip(inputs, (1, 0, 0), strict=True)], strict=True)
    alone = [
        make_op_model("Conv", list(part), {**attributes, "group": 1}, opset=17, constants=(1, 2)) for part in parts
    ]
    modules = [prepare(model).tf_module for model in alone]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        (y,) = loaded.signatures["serving_default"](x0=x).values()
        each = [module(half)["y0"] for module, half in zip(modules, tf.split(x, 2, 1), strict=True)]
        loss, expected = tf.reduce_sum(tf.sin(y)), tf.reduce_sum(tf.sin(tf.concat(each, 1)))
    np.testing.assert_allclose(tape.gradient(loss, x), tape.gradient(expected, x), rtol=1e-4, atol=1e-5)
    if not freeze:
        (filters,) = (v for v in loaded.variables if v.shape.rank == 4)
        own = [next(v for v in module.trainable_variables if v.shape.rank == 4) for module in modules]
        np.testing.assert_allclose(
            tape.gradient(loss, filters), tf.concat(tape.gradient(expected, own), -1), rtol=1e-4, atol=1e-5
        )


def test_no_transposed_filter_at_run_time():
    """A constant filter is stored as TensorFlow takes it, whatever the layout."""
    inputs, attributes = arrays("Conv", "symmetric")
    for layout in ("auto", "keep"):
        rep = prepare(make_op_model("Conv", inputs, attributes, constants=(1, 2)), layout=layout)
        assert [w.shape.as_list() for w in rep.tf_module.weights.values() if len(w.shape) > 1] == [[3, 3, 3, 4]]
        graph = rep.tf_module.compute.get_concrete_function().graph
        assert [op.type for op in graph.get_operations()].count("Transpose") == 2
        np.testing.assert_allclose(
            rep.run([inputs[0]])[0],
            tf.nn.conv2d(inputs[0].transpose(0, 2, 3, 1), inputs[1].transpose(2, 3, 1, 0), 1, "SAME")
            .numpy()
            .transpose(0, 3, 1, 2)
            + inputs[2][:, None, None],
            rtol=1e-4,
            atol=1e-5,
        )


@pytest.mark.parametrize("dims", [("n",), (1, "n"), ("n", 1), ("n", 5), (5, "n"), ("n", "m")])
@pytest.mark.parametrize("run", [lambda model, feed: prepare(model).run(feed), through_export], ids=["run", "export"])
def test_open_dimensions_beside_a_dilated_convolution(dims, run):
    """All that is known of the dilated result is known of the other one, which it is concatenated with."""
    rank, sizes = len(dims), [{"n": 6, "m": 7}.get(dim, dim) for dim in dims]
    plain, dilated = (RNG.standard_normal((2, 3, *[3] * rank)).astype(np.float32) for _ in range(2))
    nodes = [
        helper.make_node("Conv", ["x", "plain"], ["p"], pads=[1] * 2 * rank),
        helper.make_node("Conv", ["x", "dilated"], ["d"], pads=[2] * 2 * rank, dilations=[2] * rank),
        helper.make_node("Concat", ["p", "d"], ["y"], axis=1),
        helper.make_node("Shape", ["x"], ["s"]),
    ]
    graph = helper.make_graph(
        nodes,
        "dilated",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, *dims])],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
            helper.make_tensor_value_info("s", TensorProto.INT64, None),
        ],
        [onnx.numpy_helper.from_array(plain, "plain"), onnx.numpy_helper.from_array(dilated, "dilated")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    feed = {"x": RNG.standard_normal((1, 3, *sizes)).astype(np.float32)}
    compare(list(ort_outputs(model, feed).values()), list(run(model, list(feed.values()))), rtol=1e-4, atol=1e-4)


def test_empty_batch():
    check_op(
        "Conv",
        [np.zeros((0, 3, 5, 5), np.float32), *arrays("Conv", "symmetric")[0][1:]],
        {"pads": [1] * 4},
        constants=(1, 2),
    )


CHOSEN = """<ir_version: 8, opset_import: ["": 17]> g (float[N, {dims}] x, bool[N] chosen) => (float[] y) {{
    some = Compress <axis = 0> (x, chosen)
    a = Conv <{attributes}> (some, w, b)
    r = Relu (a)
    y = Conv (r, last)
}}"""


@pytest.mark.parametrize(
    "name", ["symmetric", "dilated", "grouped_wide", "depthwise", "line", "volume", "volume_grouped"]
)
def test_data_decide_that_there_is_nothing(name):
    (x, w, b), attributes = arrays("Conv", name)
    x = np.concatenate([x, x])
    written = ", ".join(f"{key} = {value}" for key, value in attributes.items())
    model = onnx.parser.parse_model(CHOSEN.format(dims=", ".join(map(str, x.shape[1:])), attributes=written))
    last = RNG.standard_normal((5, len(b), *[1] * (x.ndim - 2))).astype(np.float32)
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(array, key) for key, array in {"w": w, "b": b, "last": last}.items()
    )
    for chosen in (np.zeros(len(x), bool), np.arange(len(x)) == 1):
        feed = {"x": x, "chosen": chosen}
        expected = list(ort_outputs(model, feed).values())
        for run in (lambda m, inputs: list(prepare(m).run(inputs)), through_export):
            compare(expected, run(model, list(feed.values())), rtol=1e-3, atol=1e-4)


def test_a_batch_that_the_caller_gives_costs_no_reshape():
    x, w, b = arrays("Conv", "symmetric")[0]
    model = make_op_model("Conv", [x, w, b], constants=(1, 2))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    graph = prepare(model).signatures["serving_default"].graph
    assert not [operation for operation in graph.get_operations() if operation.type == "Reshape"]


def test_unknown_auto_pad():
    inputs, _ = arrays("Conv", "symmetric")
    with pytest.raises(ConversionError, match="auto_pad 'SAME' is not known"):
        prepare(make_op_model("Conv", inputs, {"auto_pad": "SAME"})).run(inputs)


@pytest.mark.parametrize(("groups", "with_mask"), [({}, False), ({"group": 2, "offset_group": 2}, True)])
def test_deform_conv(groups, with_mask):
    x = RNG.standard_normal((2, 4, 7, 6)).astype(np.float32)
    w = RNG.standard_normal((6, 4 // groups.get("group", 1), 3, 2)).astype(np.float32)
    offset = RNG.standard_normal((2, groups.get("offset_group", 1) * 12, 4, 4)).astype(np.float32)
    mask = RNG.random((2, groups.get("offset_group", 1) * 6, 4, 4)).astype(np.float32) if with_mask else None
    b = RNG.standard_normal(6).astype(np.float32)
    attributes = {"pads": [1, 1, 2, 1], "strides": [2, 2], "dilations": [1, 1], **groups}
    attributes["pads"] = [1, 1, 1, 1]
    check_op("DeformConv", [x, w, offset, b, mask], attributes, opset=22, constants=(1, 3))


@pytest.mark.parametrize("attributes", [{}, {"strides": [2, 1], "pads": [1, 0, 1, 1]}, {"dilations": [1, 2]}])
def test_col2im(attributes):
    image, block = np.array([6, 7]), np.array([2, 3])
    pads, strides, dilations = (
        attributes.get(k, d) for k, d in (("pads", [0] * 4), ("strides", [1, 1]), ("dilations", [1, 1]))
    )
    counts = [
        (image[i] + pads[i] + pads[i + 2] - dilations[i] * (block[i] - 1) - 1) // strides[i] + 1 for i in range(2)
    ]
    x = RNG.standard_normal((2, 3 * 6, counts[0] * counts[1])).astype(np.float32)
    check_op("Col2Im", [x, image, block], attributes, opset=18, through=["static"])
    check_op("Col2Im", [x, image, block], attributes, opset=18, constants=(1, 2), through=["dynamic"])


@pytest.mark.parametrize("activation", ["none", "silu"])
def test_causal_conv_with_state(activation):
    x, w = RNG.standard_normal((2, 3, 5)).astype(np.float32), RNG.standard_normal((3, 1, 4)).astype(np.float32)
    b, past = RNG.standard_normal(3).astype(np.float32), RNG.standard_normal((2, 3, 3)).astype(np.float32)
    for inputs in ([x, w, b, past], [x, w]):
        check_op(
            "CausalConvWithState",
            inputs,
            {"activation": activation},
            opset=27,
            outputs=2,
            constants=(1,),
            reference="onnx",
        )


@pytest.mark.parametrize("attributes", [{"strides": [3]}, {"strides": [2], "output_padding": [1]}])
def test_transposed_convolution_of_same_padding_multiplies_the_size(attributes):
    """ONNX's own shape inference says otherwise here; the layout pass relied on it."""
    x, w = np.arange(1, 4, dtype=np.float32).reshape(1, 1, 3), np.ones((1, 1, 2), np.float32)
    step = attributes["strides"][0]
    expected = np.zeros((1, 1, 3 * step), np.float32)
    expected[..., ::step], expected[..., 1::step] = x, x
    attributes = {"auto_pad": "SAME_UPPER", "kernel_shape": [2], **attributes}
    check_op("ConvTranspose", [x, w], attributes, reference=[expected])


def test_grouped_transposed_convolution_with_filters_of_unknown_shape():
    inputs, attributes = arrays("ConvTranspose", "volume_grouped")
    check_op("ConvTranspose", inputs, {**attributes, "kernel_shape": inputs[1].shape[2:]}, through=["dynamic"])


def test_an_empty_batch_of_one_channel():
    """Moving the channels is a Reshape here, in which 0 and -1 have a meaning of their own."""
    model = make_op_model("MaxPool", [np.zeros((0, 1, 5), np.float32)], {"kernel_shape": [2]})
    dims = model.graph.input[0].type.tensor_type.shape.dim
    dims[0].dim_param, dims[2].dim_param = "n", "length"
    assert prepare(model).run([np.zeros((0, 1, 5), np.float32)])[0].shape == (0, 1, 4)
    empty = np.zeros((3, 0, 1, 1), np.float32)
    check_op("DepthToSpace", [empty], {"blocksize": 1, "mode": "CRD"}, reference=[empty])
