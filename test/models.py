"""Small models for tests, in ONNX's text form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

POOLED = """
    agraph (float[N, 3, 8, 8] x) => (float[N, 4, 4, 4] y)
    <float[4] one = {1, 2, 3, 4}, int64[4] s = {4, 3, 1, 1}> {
        w = ConstantOfShape <value = float[1] {0.5}> (s)
        c = Conv (x, w, one)
        r = Relu (c)
        p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r)
        y = Exp (p)
    }"""
"""A convolution and a pool."""


def text_model(body: str, *, opset: int = 17, ir_version: int = 8) -> onnx.ModelProto:
    """Return the model of a graph in ONNX's text form, as in ``g (float[2] x) => (float[2] y) { y = Relu(x) }``."""
    return onnx.parser.parse_model(f'<ir_version: {ir_version}, opset_import: ["" : {opset}]>\n{body}')


def relu_model(**versions: int) -> onnx.ModelProto:
    return text_model("g (float[N, 3] x) => (float[N, 3] y) { y = Relu(x) }", **versions)


def node_model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[Any]],
    outputs: Sequence[str],
    initializers: Mapping[str, np.ndarray] | None = None,
    *,
    opset: int = 17,
) -> onnx.ModelProto:
    """Return a float model with names that the text form does not take."""
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [onnx.numpy_helper.from_array(array, name) for name, array in (initializers or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def external_model(folder: Path, *, location: str = "w.bin", length: int = 64, ir_version: int = 8) -> Path:
    """Write a model x + w whose 4x4 weight ``w`` lies in an external file of ``length`` bytes."""
    model = text_model("g (float[4, 4] x) => (float[4, 4] y) { y = Add(x, w) }", ir_version=ir_version)
    tensor = model.graph.initializer.add(name="w", data_type=TensorProto.FLOAT, dims=[4, 4])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": "64"}.items():
        tensor.external_data.add(key=key, value=value)
    file = folder / location
    if file.parent.is_dir() and not file.is_dir():
        file.write_bytes(np.arange(16, dtype=np.float32).tobytes()[:length])
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path
