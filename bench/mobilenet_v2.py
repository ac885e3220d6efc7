"""MobileNetV2 as PyTorch writes it to ONNX, with random weights: the zoo has none."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bench.by_hand import MOBILENET_V2


class _Graph:
    """A graph under construction; every method adds nodes and returns the name of the result."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants = [numpy_helper.from_array(np.array(bound, np.float32), f"bound{bound}") for bound in (0, 6)]
        self.rng = np.random.default_rng(0)

    def add(self, op_type: str, *inputs: str, **attributes: object) -> str:
        result = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [result], name=f"{op_type}_{result}", **attributes))
        return result

    def weight(self, *shape: int) -> str:
        array = self.rng.standard_normal(shape, dtype=np.float32) * np.float32(np.prod(shape[1:]) ** -0.5)
        self.constants.append(numpy_helper.from_array(array, f"w{len(self.constants)}"))
        return str(self.constants[-1].name)

    def conv(self, x: str, before: int, after: int, size: int = 1, stride: int = 1, group: int = 1) -> str:
        weights = self.weight(after, before // group, size, size), self.weight(after)
        return self.add("Conv", x, *weights, strides=[stride] * 2, pads=[size // 2] * 4, group=group)

    def relu6(self, x: str) -> str:
        return self.add("Clip", x, "bound0", "bound6")


def mobilenet_v2() -> onnx.ModelProto:
    """Return MobileNetV2 (https://arxiv.org/abs/1801.04381) of a float32 ``image`` [1, 3, 224, 224]."""
    graph = _Graph()
    x = graph.relu6(graph.conv("image", 3, 32, 3, 2))
    channels = 32
    for expansion, after, blocks, stride in MOBILENET_V2:
        for index in range(blocks):
            inner = expansion * channels
            y = graph.relu6(graph.conv(x, channels, inner)) if expansion > 1 else x
            y = graph.relu6(graph.conv(y, inner, inner, 3, stride if index == 0 else 1, inner))
            y = graph.conv(y, inner, after)
            x, channels = y if index == 0 else graph.add("Add", x, y), after
    x = graph.add("Flatten", graph.add("GlobalAveragePool", graph.relu6(graph.conv(x, channels, 1280))))
    x = graph.add("Gemm", x, graph.weight(1000, 1280), graph.weight(1000), transB=1)
    made = helper.make_graph(
        graph.nodes,
        "mobilenet_v2",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 224, 224])],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, 1000])],
        graph.constants,
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
