"""Networks as PyTorch's exporter writes and names them, narrow."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper


class _Graph:
    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, np.ndarray] = {}
        self._rng = np.random.default_rng(0)

    def node(self, op: str, scope: str, *inputs: str, count: int = 0, **attributes: object) -> str:
        name = f"{scope}/{op}" + (f"_{count}" if count else "")
        self.nodes.append(helper.make_node(op, list(inputs), [f"{name}_output_0"], name=name, **attributes))
        return f"{name}_output_0"

    def weight(self, name: str, *shape: int) -> str:
        values = self._rng.normal(size=shape) / np.sqrt(max(np.prod(shape[1:]), 1))
        self.weights[name] = values.astype(np.float32)
        return name

    def table(self, name: str, values: object) -> str:
        self.weights[name] = np.array(values)
        return name

    def model(self, inputs: dict[str, tuple[int, list[int | str]]], output: str) -> onnx.ModelProto:
        self.nodes[-1].output[0] = output
        graph = helper.make_graph(
            self.nodes,
            "main_graph",
            [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
            [onnx.numpy_helper.from_array(array, name) for name, array in self.weights.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def resnet18(width: int = 4) -> onnx.ModelProto:
    """The network of 18 layers: ``image`` [n, 3, 32, 32] to ``logits`` [n, 10]."""
    graph = _Graph()

    def conv(x: str, scope: str, c_in: int, c_out: int, kernel: int, stride: int) -> str:
        name = scope[1:].replace("/", ".")
        weights = graph.weight(f"{name}.weight", c_out, c_in, kernel, kernel), graph.weight(f"{name}.bias", c_out)
        pad = kernel // 2
        return graph.node("Conv", scope, x, *weights, strides=[stride] * 2, pads=[pad] * 4, kernel_shape=[kernel] * 2)

    x = graph.node("Relu", "/relu", conv("image", "/conv1", 3, width, 7, 2))
    x = graph.node("MaxPool", "/maxpool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = width
    for stage in range(1, 5):
        wide = width << (stage - 1)
        for block in range(2):
            scope, stride = f"/layer{stage}/layer{stage}.{block}", 2 if stage > 1 and not block else 1
            y = graph.node("Relu", f"{scope}/relu", conv(x, f"{scope}/conv1", channels, wide, 3, stride))
            y = conv(y, f"{scope}/conv2", wide, wide, 3, 1)
            if stride > 1:
                x = conv(x, f"{scope}/downsample/downsample.0", channels, wide, 1, stride)
            x = graph.node("Relu", f"{scope}/relu", graph.node("Add", scope, y, x), count=1)
            channels = wide
    x = graph.node("Flatten", "", graph.node("GlobalAveragePool", "/avgpool", x))
    graph.node("Gemm", "/fc", x, graph.weight("fc.weight", 10, channels), graph.weight("fc.bias", 10), transB=1)
    return graph.model({"image": (TensorProto.FLOAT, ["n", 3, 32, 32])}, "logits")


def bert(layers: int = 12, size: int = 32, heads: int = 2, length: int = 6) -> onnx.ModelProto:
    """An encoder: ``input_ids`` and ``attention_mask`` int64[n, 6] to ``hidden`` [n, 6, 32]."""
    graph = _Graph()

    def dense(x: str, scope: str, n_in: int, n_out: int) -> str:
        name = scope[1:].replace("/", ".")
        product = graph.node("MatMul", scope, x, graph.weight(f"{name}.weight", n_in, n_out))
        return graph.node("Add", scope, graph.weight(f"{name}.bias", n_out), product)

    def norm(x: str, scope: str) -> str:
        name = scope[1:].replace("/", ".")
        weights = graph.weight(f"{name}.weight", size), graph.weight(f"{name}.bias", size)
        return graph.node("LayerNormalization", scope, x, *weights, axis=-1, epsilon=1e-12)

    def split(x: str, scope: str, count: int, perm: list[int]) -> str:
        x = graph.node("Reshape", scope, x, graph.table("heads", [0, 0, heads, -1]), count=count)
        return graph.node("Transpose", scope, x, count=count, perm=perm)

    x = graph.node("Gather", "/embeddings/word_embeddings", graph.weight("words", 20, size), "input_ids")
    x = graph.node("Add", "/embeddings", x, graph.weight("positions", 1, length, size))
    x = norm(x, "/embeddings/LayerNorm")
    mask = graph.node("Unsqueeze", "", "attention_mask", graph.table("axes", [1, 2]))
    mask = graph.node("Sub", "", graph.table("one", np.float32(1)), graph.node("Cast", "", mask, to=TensorProto.FLOAT))
    mask = graph.node("Mul", "", mask, graph.table("lowest", np.float32(-1e9)))
    for layer in range(layers):
        scope = f"/encoder/layer.{layer}"
        inner = f"{scope}/attention/self"
        q = split(dense(x, f"{inner}/query", size, size), inner, 0, [0, 2, 1, 3])
        k = split(dense(x, f"{inner}/key", size, size), inner, 1, [0, 2, 3, 1])
        v = split(dense(x, f"{inner}/value", size, size), inner, 2, [0, 2, 1, 3])
        scores = graph.node("Mul", inner, graph.node("MatMul", inner, q, k), graph.table("scale", np.float32(0.5)))
        scores = graph.node("Softmax", inner, graph.node("Add", inner, scores, mask), axis=-1)
        y = graph.node("MatMul", inner, scores, v, count=1)
        y = graph.node("Transpose", inner, y, count=3, perm=[0, 2, 1, 3])
        y = graph.node("Reshape", inner, y, graph.table("joined", [0, 0, size]), count=3)
        y = dense(y, f"{scope}/attention/output/dense", size, size)
        x = norm(graph.node("Add", f"{scope}/attention/output", y, x), f"{scope}/attention/output/LayerNorm")
        y = graph.node("Tanh", f"{scope}/intermediate/act", dense(x, f"{scope}/intermediate/dense", size, 4 * size))
        y = dense(y, f"{scope}/output/dense", 4 * size, size)
        x = norm(graph.node("Add", f"{scope}/output", y, x), f"{scope}/output/LayerNorm")
    inputs = {name: (TensorProto.INT64, ["n", length]) for name in ("input_ids", "attention_mask")}
    return graph.model(inputs, "hidden")
