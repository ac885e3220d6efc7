"""A model taken apart: each kind of node that it has as a model of its own, with the data that the node gets."""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx.inliner
from onnx import helper, numpy_helper

from onnx_tf.check.onnx_runtime import intermediate_values
from onnx_tf.pipeline import lower
from onnx_tf.registry import registry

MAX_SHOWN = 8
"""Of integers that tell an operator what to do so many are shown, of more a digest."""

MAX_TELLING = 256
"""Integers of more bytes are data."""

TOLD_BY_FLOATS = ("Clip", "Pow", "Resize", "Upsample")
"""Operators of which constants of few floats decide the form."""

ANCHOR = "_anchor"
"""What the names of outputs end with that tell the layout pass of channels, and are not computed."""

VIEWS = ("Flatten", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
"""Operators of which only the model tells how axes on both sides correspond."""

MIN_IMAGE_RANK = 3
"""Data of fewer axes has no other order."""

FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)


@dataclass(frozen=True)
class SingleNode:
    """A node as a model.

    Attributes:
        key: operator, version, attributes, dtypes, shapes and which operands are constants: what tells it from others.
        model: the node; constants are initializers.
        feed: an array for each input, in the ONNX order.
        last_inputs: the inputs that the layout pass has channels-last.
        last_outputs: likewise the outputs.
    """

    key: str
    model: onnx.ModelProto
    feed: dict[str, np.ndarray]
    last_inputs: tuple[str, ...]
    last_outputs: tuple[str, ...]


def single_nodes(model: onnx.ModelProto, feed: Mapping[str, Any]) -> tuple[list[SingleNode], dict[str, int]]:
    """Return a model of each kind of node in the main graph, and how many nodes there are of each kind, by key.

    Nodes that compute constants, that have bodies, or whose values are no tensors are left out.

    Args:
        model: the model with its weights.
        feed: an array for each input; ONNX Runtime computes all values from them.
    """
    model = onnx.inliner.inline_local_functions(model) if model.functions else model
    values = {**feed, **dict(intermediate_values(model, feed))}
    constants = _constants(model.graph)
    values |= constants
    constant_names = set(constants)
    is_last = _channels_last(model)
    found: dict[str, SingleNode] = {}
    counts: collections.Counter[str] = collections.Counter()
    for node in model.graph.node:
        named = [name for name in [*node.input, *node.output] if name]
        if any(a.HasField("g") or a.graphs for a in node.attribute) or node.op_type == "Constant":
            continue
        if node.op_type == "Shape" or (node.input and all(name in constant_names or not name for name in node.input)):
            constant_names.update(node.output)
        elif all(isinstance(values.get(name), np.ndarray) for name in named):
            single = _single(model, node, values, constant_names, is_last)
            found.setdefault(single.key, single)
            counts[single.key] += 1
    return list(found.values()), dict(counts)


def _constants(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            (attribute,) = node.attribute
            value = helper.get_attribute_value(attribute)
            is_tensor = attribute.type == onnx.AttributeProto.TENSOR
            constants[node.output[0]] = numpy_helper.to_array(value) if is_tensor else np.array(value)
    return constants


def _channels_last(model: onnx.ModelProto) -> set[str]:
    """Return the values of the main graph that the layout pass has channels-last in the whole model."""
    report = lower(model, until="layout").layout_report
    return {value.name for value in report.values if value.order == "channels-last"}


def _single(
    model: onnx.ModelProto, node: onnx.NodeProto, values: Mapping[str, Any], constants: set[str], is_last: set[str]
) -> SingleNode:
    names = {name: f"x{i}" for i, name in enumerate(dict.fromkeys(name for name in node.input if name))}
    results = {name: f"y{i}" for i, name in enumerate(node.output) if name}
    version = next((opset.version for opset in model.opset_import if opset.domain == node.domain), 1)
    alone = onnx.NodeProto()
    alone.CopyFrom(node)
    alone.name = ""
    alone.input[:] = [names.get(name, "") for name in node.input]
    alone.output[:] = [results.get(name, "") for name in node.output]
    fed = {inner: values[name] for name, inner in names.items() if name not in constants}
    graph = helper.make_graph(
        [alone],
        "node",
        [_info(inner, array) for inner, array in fed.items()],
        [_info(inner, values[name]) for name, inner in results.items()],
        [numpy_helper.from_array(values[name], inner) for name, inner in names.items() if name in constants],
    )
    single = helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version)
    last_inputs = [inner for name, inner in names.items() if inner in fed and name in is_last]
    last_outputs = [inner for name, inner in results.items() if name in is_last]
    has_flat_results = all(values[name].ndim < MIN_IMAGE_RANK for name in results)
    if node.op_type in VIEWS or not (last_inputs and (last_outputs or has_flat_results)):
        last_inputs, last_outputs = [], []
    if registry.supports_channels_last(node.op_type, version) and not node.domain:
        # Of what is folded or fused on the way the whole model has no order.
        last_inputs = last_inputs or [inner for inner in list(fed)[:1] if fed[inner].ndim >= MIN_IMAGE_RANK]
        last_outputs = last_outputs or [
            inner for name, inner in list(results.items())[:1] if values[name].ndim >= MIN_IMAGE_RANK
        ]
    shapes = [
        _told(node, values[name], name in constants, names[name] in last_inputs) if name else "-" for name in node.input
    ]
    attributes = " ".join(
        f"{a.name}={_text(helper.get_attribute_value(a))}" for a in sorted(node.attribute, key=lambda a: a.name)
    )
    domain = f"{node.domain}." if node.domain else ""
    key = f"{domain}{node.op_type}-{version} {attributes} ({', '.join(shapes)})".replace("  ", " ")
    return SingleNode(key, single, fed, tuple(last_inputs), tuple(last_outputs))


def anchored(node: SingleNode) -> onnx.ModelProto:
    """Return the model with more outputs, by which the layout pass knows the channels of what lies channels-last.

    An elementwise operator alone does not say which of its axes are channels.
    """
    model = onnx.ModelProto()
    model.CopyFrom(node.model)
    graph = model.graph
    types = {value.name: value.type.tensor_type for value in [*graph.input, *graph.output]}
    for name in (*node.last_inputs, *node.last_outputs):
        if types[name].elem_type in FLOATS:
            graph.node.append(helper.make_node("GlobalMaxPool", [name], [f"{name}{ANCHOR}"]))
        elif len(types[name].shape.dim) == 4:
            graph.node.append(helper.make_node("DepthToSpace", [name], [f"{name}{ANCHOR}"], blocksize=1))
        else:
            continue
        graph.output.add(name=f"{name}{ANCHOR}").type.tensor_type.elem_type = types[name].elem_type
    return model


def _info(name: str, array: np.ndarray) -> onnx.ValueInfoProto:
    dtype = onnx.TensorProto.STRING if array.dtype == object else helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor_value_info(name, dtype, array.shape)


def _told(node: onnx.NodeProto, array: np.ndarray, is_constant: bool, is_last: bool) -> str:
    """Return dtype and shape of an operand, and what it says where it is one that decides what is computed."""
    shape = f"{array.dtype}[{','.join(map(str, array.shape))}]"
    if not is_constant:
        return f"{shape} last" if is_last else shape
    is_told = array.dtype in (np.int64, np.int32) or node.op_type in TOLD_BY_FLOATS
    if not is_told or array.nbytes > MAX_TELLING:
        return f"const {shape}"
    content = array.tolist() if array.size <= MAX_SHOWN else hashlib.md5(array.tobytes()).hexdigest()[:8]
    return f"const {shape} {content}".replace(" ,", ",")


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, onnx.TensorProto):
        return str(numpy_helper.to_array(value).tolist())[:40]
    return str(value).replace(" ", "")
