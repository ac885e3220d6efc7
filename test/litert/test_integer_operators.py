"""Operators on integers, and graphs whose inputs and outputs are integers, become integer kernels as pairs do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import helper

from onnx_tf import convert
from onnx_tf.check.compare import compare
from onnx_tf.export.flatbuffer import operators
from onnx_tf.export.integers.file import float_operators
from onnx_tf.targets import LITERT_QUANTIZED
from test.litert.check import STRICT, written
from test.litert.integers import check_integers, tensors_of, weights_of
from test.litert.pairs import Pairs
from test.litert.served import ServedLiteRT
from test.reference import ort_outputs

MICROSOFT = "com.microsoft"
Build = Callable[[Pairs], str]


def q_conv(group: int, per_channel: bool) -> Build:
    def build(graph: Pairs) -> str:
        graph.per_channel = per_channel
        x = graph.quantized(graph.input(1, 4, 8, 8))
        scale = graph.scales(6)
        w = [graph.constant(graph.integers(6, 4 // group, 3, 3)), graph.constant(scale)]
        zero = graph.constant(np.zeros(scale.shape, np.int8))
        bias = graph.constant(graph.random.integers(-3000, 3000, 6).astype(np.int32))
        steps = _steps(graph, 0.05)
        y = graph.node("QLinearConv", x, *graph.steps_of(x), *w, zero, *steps, bias, group=group, pads=[1, 1, 1, 1])
        return _dequantized(graph, y, steps)

    return build


def q_mat_mul(graph: Pairs) -> str:
    x = graph.quantized(graph.input(3, 20))
    w = [graph.constant(graph.integers(20, 7)), graph.constant(np.float32(0.005)), graph.constant(np.int8(0))]
    steps = _steps(graph, 0.02)
    return _dequantized(graph, graph.node("QLinearMatMul", x, *graph.steps_of(x), *w, *steps), steps)


def q_gemm(graph: Pairs) -> str:
    x = graph.quantized(graph.input(3, 20))
    w = [graph.constant(graph.integers(7, 20)), graph.constant(np.float32(0.005)), graph.constant(np.int8(0))]
    bias = graph.constant(graph.random.integers(-3000, 3000, 7).astype(np.int32))
    steps = _steps(graph, 0.02)
    y = graph.node("QGemm", x, *graph.steps_of(x), *w, bias, *steps, domain=MICROSOFT, transB=1)
    return _dequantized(graph, y, steps)


def q_binary(op_type: str) -> Build:
    def build(graph: Pairs) -> str:
        a, b = graph.quantized(graph.input(2, 3, 5)), graph.quantized(graph.input(3, 1, low=-1))
        steps = _steps(graph, 0.04)
        y = graph.node(op_type, a, *graph.steps_of(a), b, *graph.steps_of(b), *steps, domain=MICROSOFT)
        return _dequantized(graph, y, steps)

    return build


def q_unary(op_type: str, scale: float, zero_point: int, **attributes) -> Build:
    def build(graph: Pairs) -> str:
        x = graph.quantized(graph.input(1, 4, 6, 6))
        steps = _steps(graph, scale, zero_point)
        y = graph.node(op_type, x, *graph.steps_of(x), *steps, domain=MICROSOFT, **attributes)
        return _dequantized(graph, y, steps)

    return build


def q_concat(graph: Pairs) -> str:
    a, b = graph.quantized(graph.input(1, 4, 6, 6)), graph.quantized(graph.input(1, 3, 6, 6, low=0))
    steps = _steps(graph, 0.025)
    y = graph.node("QLinearConcat", *steps, a, *graph.steps_of(a), b, *graph.steps_of(b), domain=MICROSOFT, axis=1)
    return _dequantized(graph, y, steps)


def moved(op_type: str, *inputs: np.ndarray | None, count: int = 1, **attributes) -> Build:
    def build(graph: Pairs) -> str:
        x = graph.quantized(graph.input(1, 4, 6, 6))
        others = ["" if array is None else graph.constant(array) for array in inputs]
        y = graph.node(op_type, x, *others, outputs=count, **attributes)
        y = y if count == 1 else y[0]
        graph.steps[y] = graph.steps[x]
        return graph.dequantized(y)

    return build


def joined(graph: Pairs) -> str:
    x = graph.quantized(graph.input(1, 4, 6, 6))
    y = graph.node("Concat", x, graph.node("Transpose", x, perm=[0, 1, 3, 2]), axis=1)
    graph.steps[y] = graph.steps[x]
    return graph.dequantized(y)


def quantized_weights(graph: Pairs) -> str:
    """Weights that are stored as floats and quantised in the graph."""
    w = graph.constant(graph.random.normal(size=(5, 4, 3, 3)).astype(np.float32))
    scale = graph.constant(np.linspace(0.02, 0.03, 5, dtype=np.float32))
    zero = graph.constant(np.zeros(5, np.int8))
    w = graph.node("QuantizeLinear", w, scale, zero, axis=0)
    w = graph.node("DequantizeLinear", w, scale, zero, axis=0)
    return graph.pair(graph.node("Conv", graph.input(1, 4, 6, 6), w))


CASES: dict[str, tuple[Build, str]] = {
    "conv": (q_conv(1, True), "CONV_2D"),
    "conv_per_tensor": (q_conv(1, False), "CONV_2D"),
    "conv_grouped": (q_conv(2, True), "CONV_2D"),
    "mat_mul": (q_mat_mul, "FULLY_CONNECTED"),
    "gemm": (q_gemm, "FULLY_CONNECTED"),
    "add": (q_binary("QLinearAdd"), "ADD"),
    "mul": (q_binary("QLinearMul"), "MUL"),
    "concat": (q_concat, "CONCATENATION"),
    "sigmoid": (q_unary("QLinearSigmoid", 1 / 256, 0), "LOGISTIC"),
    "softmax": (q_unary("QLinearSoftmax", 1 / 256, 0, axis=-1, opset=13), "SOFTMAX"),
    "leaky_relu": (q_unary("QLinearLeakyRelu", 0.02, 100, alpha=0.25), "LEAKY_RELU"),
    "global_average_pool": (q_unary("QLinearGlobalAveragePool", 0.01, 100), "MEAN"),
    "max_pool": (moved("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]), "MAX_POOL_2D"),
    "reshape": (moved("Reshape", np.array([1, 4, 36])), "RESHAPE"),
    "transpose": (moved("Transpose", perm=[0, 2, 3, 1]), ""),
    "slice": (moved("Slice", np.array([1]), np.array([3]), np.array([2])), ""),
    "split": (moved("Split", count=2, axis=1), ""),
    "pad": (moved("Pad", np.array([0, 0, 1, 1, 0, 0, 1, 1])), ""),
    "resize": (moved("Resize", None, np.array([1, 1, 2, 2], np.float32), mode="nearest"), ""),
    "joined": (joined, "CONCATENATION"),
    "quantized_weights": (quantized_weights, "CONV_2D"),
}


def _steps(graph: Pairs, scale: float, zero_point: int = 120) -> list[str]:
    least = int(np.iinfo(graph.dtype).min)
    return [graph.constant(np.float32(scale)), graph.constant(graph.dtype(zero_point + least))]


def _dequantized(graph: Pairs, value: str, steps: list[str]) -> str:
    return graph.node("DequantizeLinear", value, *steps)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
@pytest.mark.parametrize("name", CASES)
def test_operators_on_integers(name, dtype, tmp_path):
    build, kernel = CASES[name]
    graph = Pairs(dtype)
    model = graph.model([build(graph)], checked=False)
    content = check_integers(model, graph.feed, tmp_path)
    assert kernel in ("", *operators(content))
    assert not float_operators(content)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_integers_from_the_first_to_the_last(dtype, tmp_path):
    graph = Pairs(dtype)
    graph.data["q"] = graph.random.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, (2, 4, 6, 6)).astype(dtype)
    graph.steps["q"] = np.float32(0.02), dtype(np.iinfo(dtype).min + 110)
    x = graph.dequantized("q")
    w = graph.weights(5, 4, 3, 3)
    y = graph.quantized(graph.node("Relu", graph.node("Conv", x, w)), 0.03, int(np.iinfo(dtype).min))
    model = graph.model([y])
    assert model.graph.input[0].type.tensor_type.elem_type == helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    content = check_integers(model, graph.feed, tmp_path)
    assert operators(content)["CONV_2D"] == 1
    assert not float_operators(content)


def test_open_batch(tmp_path):
    graph = Pairs()
    w = graph.weights(5, 4, 3, 3)
    model = graph.model([graph.pair(graph.node("Conv", graph.input(3, 4, 6, 6), w))], checked=False)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    content = check_integers(onnx.shape_inference.infer_shapes(model), graph.feed, tmp_path)
    assert not float_operators(content)


@pytest.mark.parametrize("dtype", [onnx.TensorProto.INT4, onnx.TensorProto.UINT4])
def test_weights_of_four_bits(dtype, tmp_path):
    graph = Pairs(opset=21)
    x = graph.input(1, 4, 6, 6)
    least = -8 if dtype == onnx.TensorProto.INT4 else 0
    integers = graph.random.integers(least, least + 16, (5, 4, 3, 3))
    zero_point = np.full(5, least + 8)
    names = graph.constant(integers), graph.constant(np.linspace(0.02, 0.03, 5, dtype=np.float32))
    w = graph.node("DequantizeLinear", *names, graph.constant(zero_point), axis=0)
    y = graph.node("Conv", x, w)
    y = graph.quantized(y, 0.05, 120)
    model = graph.model([graph.dequantized(y)], checked=False)
    narrow = {tensor.name: tensor for tensor in model.graph.initializer}
    for name, array in ((names[0], integers), (graph.nodes[-4].input[2], zero_point)):
        if narrow[name].data_type == onnx.TensorProto.INT64:
            narrow[name].CopyFrom(helper.make_tensor(name, dtype, array.shape, array.ravel().tolist()))
    content = check_integers(model, graph.feed, tmp_path)
    assert not float_operators(content)


def test_pairs_of_com_microsoft(tmp_path):
    graph = Pairs()
    y = graph.pair(graph.node("Conv", graph.input(1, 4, 6, 6), graph.weights(5, 4, 3, 3)))
    model = graph.model([y])
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            node.domain = "com.microsoft"
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    content = check_integers(model, graph.feed, tmp_path)
    assert not float_operators(content)


def test_pairs_in_a_branch(tmp_path):
    graph = Pairs()
    x = graph.input(1, 4, 6, 6)
    y = graph.pair(graph.node("Conv", x, graph.weights(5, 4, 3, 3)))
    model = graph.model([y])
    inner = onnx.GraphProto(name="then")
    inner.node.extend(model.graph.node[1:])
    inner.output.extend([helper.make_tensor_value_info(y, onnx.TensorProto.FLOAT, [1, 5, 4, 4])])
    other = helper.make_graph(
        [helper.make_node("Expand", ["zero", "shape"], ["none"])],
        "else",
        [],
        [helper.make_tensor_value_info("none", onnx.TensorProto.FLOAT, [1, 5, 4, 4])],
    )
    del model.graph.node[1:]
    model.graph.node.append(helper.make_node("If", ["condition"], ["y"], then_branch=inner, else_branch=other))
    model.graph.input.append(helper.make_tensor_value_info("condition", onnx.TensorProto.BOOL, []))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(0), "zero"))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1, 5, 4, 4]), "shape"))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 5, 4, 4]))
    content = check_integers(model, {**graph.feed, "condition": np.array(True)}, tmp_path)
    assert operators(content)["CONV_2D"] == 1
    assert not float_operators(content)


@pytest.mark.parametrize("depth", [20, 900])
@pytest.mark.parametrize("zero_point", [np.int8(0), np.arange(-3, 4, dtype=np.int8)])
def test_weights_of_dynamic_products_stay_integers(depth, zero_point, tmp_path):
    graph = Pairs()
    graph.data["x"] = graph.random.normal(size=(4, depth)).astype(np.float32)
    q, scale, zero = graph.node("DynamicQuantizeLinear", "x", outputs=3)
    w = graph.constant(graph.integers(depth, 7))
    sums = graph.node("MatMulInteger", q, w, zero, graph.constant(zero_point))
    y = graph.node("Mul", graph.node("Cast", sums, to=onnx.TensorProto.FLOAT), scale)
    file = tmp_path / "integers.tflite"
    interface = written(graph.model([y]), file, LITERT_QUANTIZED)
    assert weights_of(graph.model([y])) <= tensors_of(file.read_bytes())[1] or depth > 518
    for xnnpack in (True, False):
        (found,) = ServedLiteRT(file, interface, xnnpack=xnnpack).runs([graph.data])
        assert compare(ort_outputs(graph.model([y]), graph.data), found, STRICT).fits


def test_weights_alone(tmp_path):
    graph = Pairs()
    graph.data["x"] = graph.random.normal(size=(1, 4, 8, 8)).astype(np.float32)
    y = graph.node("Conv", "x", graph.weights(32, 4, 3, 3))
    onnx.save(graph.model([y]), tmp_path / "net.onnx")
    (written_file,) = convert(tmp_path / "net.onnx", tmp_path / "net.tflite", check=graph.data).artifacts
    assert written_file.accuracy.fits
    assert not written_file.accuracy.unit  # the same floats: nothing is rounded
    assert written_file.operators["DEQUANTIZE"] == 1
    assert weights_of(graph.model([y])) <= tensors_of((tmp_path / "net.tflite").read_bytes())[1]
