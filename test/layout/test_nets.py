"""Small networks of known shape: how many Transposes are left, and how many bytes they move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnx_tf.layout.network import solve
from test.layout.channels_first import in_channels_first_operators
from test.layout.forcing import all_last
from test.layout.running import assert_same_numbers, optimized, run

FLOAT = 4


class Net:
    """A model under construction; every method adds nodes and returns the name of the result."""

    def __init__(self, opset: int = 17, **inputs: Sequence[int | str]) -> None:
        self.opset = opset
        self.inputs = inputs
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.rng = np.random.default_rng(0)

    def add(self, op_type: str, *inputs: str | np.ndarray, outputs: int = 1, **attributes: Any) -> str:
        names = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        made = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op_type, names, made, name=f"{op_type}{len(self.nodes)}", **attributes))
        return made[0]

    def constant(self, array: np.ndarray) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def weights(self, *shape: int) -> np.ndarray:
        return self.rng.uniform(-0.3, 0.3, shape).astype(np.float32)

    def conv(self, x: str, before: int, after: int, kernel: int = 3, rank: int = 4, **attributes: Any) -> str:
        spatial = rank - 2
        weight = self.weights(after, before // attributes.get("group", 1), *[kernel] * spatial)
        attributes.setdefault("pads", [kernel // 2] * 2 * spatial)
        return self.add("Conv", x, weight, self.weights(after), **attributes)

    def relu(self, x: str) -> str:
        return self.add("Relu", x)

    def reshape(self, x: str, *shape: int) -> str:
        return self.add("Reshape", x, np.array(shape, np.int64))

    def transpose(self, x: str, *perm: int) -> str:
        return self.add("Transpose", x, perm=perm)

    def model(self, *outputs: str) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in self.inputs.items()],
            [helper.make_empty_tensor_value_info(n) for n in outputs],
            self.constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def resnet_block() -> onnx.ModelProto:
    net = Net(x=("n", 8, 8, 8))
    x = net.conv("x", 8, 8)
    y = net.conv(net.relu(net.conv(x, 8, 8)), 8, 8)
    x = net.relu(net.add("Add", x, y))
    x = net.add("Flatten", net.add("GlobalAveragePool", x))
    return net.model(net.add("Gemm", x, net.weights(5, 8), transB=1))


def squeeze_excite() -> onnx.ModelProto:
    net = Net(x=(1, 8, 8, 8))
    x = net.conv("x", 8, 8)
    gate = net.add("ReduceMean", x, axes=[2, 3], keepdims=0)
    gate = net.relu(net.add("Gemm", gate, net.weights(8, 4)))
    gate = net.add("Sigmoid", net.add("Gemm", gate, net.weights(4, 8)))
    gate = net.add("Unsqueeze", gate, ints(2, 3))
    x = net.conv(net.add("Mul", x, gate), 8, 8)
    return net.model(net.add("Flatten", net.add("GlobalMaxPool", x)))


def shuffle_unit() -> onnx.ModelProto:
    net = Net(x=(1, 8, 4, 4))
    x = net.conv("x", 8, 8, 1, group=2)
    x = net.reshape(net.transpose(net.reshape(x, 1, 2, 4, 4, 4), 0, 2, 1, 3, 4), 1, 8, 4, 4)
    x = net.conv(x, 8, 8, group=8)
    return net.model(net.add("Flatten", net.add("GlobalAveragePool", x)))


def unet() -> onnx.ModelProto:
    net = Net(x=(1, 3, 8, 8))
    top = net.relu(net.conv("x", 3, 4))
    down = net.relu(net.conv(net.add("MaxPool", top, kernel_shape=[2, 2], strides=[2, 2]), 4, 8))
    up = net.add("ConvTranspose", down, net.weights(8, 4, 2, 2), strides=[2, 2])
    return net.model(net.conv(net.add("Concat", top, up, axis=1), 8, 2, 1))


def yolo_head() -> onnx.ModelProto:
    net = Net(x=(1, 3, 8, 8))
    x = net.relu(net.conv("x", 3, 8))
    heads = []
    for stride in (1, 2):
        y = net.conv(x, 8, 12, strides=[stride, stride])
        side = 8 // stride
        y = net.transpose(net.reshape(y, 1, 2, 6, side, side), 0, 1, 3, 4, 2)
        heads.append(net.reshape(net.add("Sigmoid", y), 1, -1, 6))
    return net.model(net.add("Concat", *heads, axis=1))


def flatten_gemm() -> onnx.ModelProto:
    net = Net(x=("n", 3, 8, 8))
    x = net.add("Flatten", net.relu(net.conv("x", 3, 4)))
    x = net.relu(net.add("Gemm", net.relu(x), net.weights(10, 256), net.weights(10), transB=1))
    return net.model(net.add("MatMul", x, net.weights(10, 3)))


def reshape_matmul() -> onnx.ModelProto:
    net = Net(x=(2, 3, 8, 8))
    x = net.reshape(net.conv("x", 3, 4), 2, -1)
    return net.model(net.add("MatMul", x, net.weights(256, 3)), net.add("Gemm", x, net.weights(256, 2)))


def channels_last_inside() -> onnx.ModelProto:
    """As tf2onnx writes it: channels-last input and output, Transposes around what needs channels-first."""
    net = Net(x=("n", 8, 8, 3))
    x = net.transpose("x", 0, 3, 1, 2)
    x = net.transpose(net.conv(x, 3, 4), 0, 2, 3, 1)
    x = net.add("Add", x, net.weights(4))
    x = net.transpose(net.conv(net.transpose(net.relu(x), 0, 3, 1, 2), 4, 4), 0, 2, 3, 1)
    return net.model(net.add("Softmax", x, axis=-1))


def conv_1d() -> onnx.ModelProto:
    net = Net(x=(1, 4, 16))
    x = net.relu(net.conv("x", 4, 8, rank=3))
    x = net.add("BatchNormalization", x, *[np.ones(8, np.float32)] * 4)
    x = net.add("MaxPool", x, kernel_shape=[2], strides=[2])
    return net.model(net.add("ReduceMean", net.conv(x, 8, 8, rank=3), axes=[-1], keepdims=0))


def conv_3d() -> onnx.ModelProto:
    net = Net(x=(1, 2, 4, 8, 8))
    x = net.relu(net.conv("x", 2, 4, rank=5))
    x = net.add("AveragePool", x, kernel_shape=[2, 2, 2], strides=[2, 2, 2])
    x = net.add("Flatten", net.add("GlobalAveragePool", net.conv(x, 4, 4, rank=5)))
    return net.model(x)


def lstm_after_cnn() -> onnx.ModelProto:
    net = Net(x=(2, 3, 4, 8))
    x = net.add("MaxPool", net.relu(net.conv("x", 3, 6)), kernel_shape=[4, 1])
    x = net.transpose(net.add("Squeeze", x, ints(2)), 2, 0, 1)
    hidden = 5
    x = net.add("LSTM", x, net.weights(1, 4 * hidden, 6), net.weights(1, 4 * hidden, hidden), hidden_size=hidden)
    return net.model(net.add("Squeeze", x, ints(1)))


def pixel_shuffle_by_hand() -> onnx.ModelProto:
    net = Net(x=(1, 3, 4, 4))
    x = net.conv("x", 3, 8)
    x = net.transpose(net.reshape(x, 1, 2, 2, 2, 4, 4), 0, 1, 4, 2, 5, 3)
    return net.model(net.conv(net.reshape(x, 1, 2, 8, 8), 2, 3))


def patches_to_attention() -> onnx.ModelProto:
    net = Net(x=(1, 3, 8, 8))
    x = net.conv("x", 3, 6, 2, strides=[2, 2], pads=[0, 0, 0, 0])
    x = net.transpose(net.reshape(x, 1, 6, 16), 0, 2, 1)
    return net.model(net.add("Softmax", net.add("MatMul", x, net.weights(6, 6)), axis=-1))


def quantized_pair() -> onnx.ModelProto:
    net = Net(x=(1, 3, 8, 8))

    def both(value: str) -> str:
        scale = [np.float32(0.1), np.uint8(128)]
        return net.add("DequantizeLinear", net.add("QuantizeLinear", value, *scale), *scale)

    return net.model(both(net.conv(both(net.relu(net.conv(both("x"), 3, 4))), 4, 4)))


def kernels_of_each_place() -> onnx.ModelProto:
    """A convolution whose kernels are computed for each place: windows by Gather, products by Einsum."""
    net = Net(x=(1, 4, 16))
    x = net.conv("x", 4, 4, rank=3)
    kernels = net.reshape(net.conv(x, 4, 4 * 5 * 3, rank=3), 1, 4, 5, 3, 16)
    windows = net.add("Gather", x, np.minimum(np.arange(16)[:, None] + np.arange(3), 15), axis=2)
    return net.model(net.conv(net.add("Einsum", windows, kernels, equation="bilk,biokl->bol"), 5, 4, rank=3))


EXPECTED: Mapping[str, tuple[Any, int, int, int]] = {
    # the net, Transposes left, bytes they move, Transposes left with channels-last inputs and outputs
    "resnet block": (resnet_block, 1, 8 * 64 * FLOAT, 0),
    "squeeze and excite": (squeeze_excite, 1, 8 * 64 * FLOAT, 0),
    "shuffle unit": (shuffle_unit, 2, 2 * 8 * 16 * FLOAT, 1),
    "U-Net": (unet, 2, (3 + 2) * 64 * FLOAT, 0),
    "YOLO head": (yolo_head, 3, (3 * 64 + 12 * 64 + 12 * 16) * FLOAT, 3),
    "flatten and Gemm": (flatten_gemm, 1, 3 * 64 * FLOAT, 0),
    "reshape and MatMul": (reshape_matmul, 1, 2 * 3 * 64 * FLOAT, 0),
    "channels-last inside": (channels_last_inside, 0, 0, 0),
    "1-D convolution": (conv_1d, 1, 4 * 16 * FLOAT, 0),
    "3-D convolution": (conv_3d, 1, 2 * 256 * FLOAT, 0),
    "LSTM after CNN": (lstm_after_cnn, 2, 2 * (3 * 32 + 6 * 8) * FLOAT, 2),
    "pixel shuffle by hand": (pixel_shuffle_by_hand, 3, (3 * 16 + 8 * 16 + 3 * 64) * FLOAT, 1),
    "patches to attention": (patches_to_attention, 1, 3 * 64 * FLOAT, 0),
    "kernels of each place": (kernels_of_each_place, 2, 2 * 4 * 16 * FLOAT, 0),
    "quantised pair": (quantized_pair, 2, (3 + 4) * 64, 0),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_transposes_left(name: str) -> None:
    build, count, nbytes, count_last = EXPECTED[name]
    proto = build()
    feed = {
        i.name: np.random.default_rng(5)
        .uniform(-1, 1, [d.dim_value or 2 for d in i.type.tensor_type.shape.dim])
        .astype(np.float32)
        for i in proto.graph.input
    }
    model, report = optimized(proto)
    assert_same_numbers(proto, model, feed)
    assert (len(report.transposes), report.bytes_moved) == (count, nbytes), report
    assert report.bytes_moved == report.cut_bytes
    model, report = optimized(proto, channels_last_inputs="all", channels_last_outputs="all")
    assert len(report.transposes) == count_last, report
    moved = {n: np.moveaxis(a, 1, -1) if n in report.channels_last_inputs else a for n, a in feed.items()}
    for output, array in run(proto, feed).items():
        wanted = np.moveaxis(array, 1, -1) if output in report.channels_last_outputs else array
        np.testing.assert_allclose(run(in_channels_first_operators(model), moved)[output], wanted, rtol=1e-4, atol=1e-5)


def test_quantised_patterns_stay_together() -> None:
    model, _ = optimized(quantized_pair())
    for node in model.graph:
        if node.op_type == "Conv":
            assert node.inputs[0].producer().op_type == "DequantizeLinear"


@pytest.mark.parametrize("axis", [0, 1])
def test_axes_of_indices_stay_in_order(axis: int) -> None:
    """The axes of a table of indices become a channel and a spatial one, the indices stay as they are."""
    net = Net(x=(2, 8, 6))
    factor = net.add("ReduceMax", "x", keepdims=0)
    table = net.add("Mul", net.weights(4) if axis == 0 else net.weights(2, 4), factor)
    indices = np.arange(48 if axis else 96).reshape([2, 8, 6][axis:]) % 4
    proto = net.model(net.add("Add", net.conv("x", 8, 8, 1, rank=3), net.add("Gather", table, indices, axis=axis)))
    for choose in (solve, all_last):
        model, _ = optimized(proto, choose=choose)
        assert_same_numbers(proto, model, {"x": net.rng.standard_normal((2, 8, 6), dtype=np.float32)})


def test_a_size_that_expand_states_need_not_be_that_of_its_data() -> None:
    net = Net(x=("n", 4, 3, 3))
    expanded = net.add("Expand", "x", ints(4, 4, 3, 3))
    pooled = net.conv(net.add("GlobalMaxPool", "x"), 4, 8, 1)
    proto = net.model(expanded, pooled)
    model, _ = optimized(proto)
    for batch in (1, 4):
        assert_same_numbers(proto, model, {"x": net.rng.standard_normal((batch, 4, 3, 3), dtype=np.float32)})
