"""A model that tells nothing of where it comes from: neutral names, random weights."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import onnx
from onnx import numpy_helper

__all__ = ["with_neutral_names", "with_random_weights"]


def with_neutral_names(model: onnx.ModelProto) -> tuple[onnx.ModelProto, dict[str, str]]:
    """Return a copy with invented names of values, nodes, dimensions and producer, without documentation.

    Returns:
        The copy, and its name of each value by the old one.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for field in ("producer_name", "producer_version", "doc_string", "domain"):
        copy.ClearField(field)
    del copy.metadata_props[:]
    values: dict[str, str] = {"": ""}
    dims: dict[str, str] = {}
    numbers = itertools.count()
    for graph in _graphs(copy.graph):
        graph.name, graph.doc_string = "graph", ""
        for info in itertools.chain(graph.input, graph.output, graph.value_info):
            info.name, info.doc_string = values.setdefault(info.name, f"v{len(values) - 1}"), ""
            for dim in info.type.tensor_type.shape.dim:
                if dim.dim_param:
                    dim.dim_param = dims.setdefault(dim.dim_param, f"d{len(dims)}")
        for tensor in graph.initializer:
            tensor.name, tensor.doc_string = values.setdefault(tensor.name, f"v{len(values) - 1}"), ""
        for node in graph.node:
            node.name, node.doc_string = f"n{next(numbers)}", ""
            for names in (node.input, node.output):
                names[:] = [values.setdefault(name, f"v{len(values) - 1}") for name in names]
    return copy, values


def with_random_weights(model: onnx.ModelProto, seed: int = 0) -> onnx.ModelProto:
    """Return a copy whose float initializers of more than one element are drawn with their mean and deviation."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    rng = np.random.default_rng(seed)
    for graph in _graphs(copy.graph):
        for tensor in graph.initializer:
            array = numpy_helper.to_array(tensor)
            if array.dtype.kind == "f" and array.size > 1:
                drawn = rng.normal(array.mean(dtype=np.float64), array.std(dtype=np.float64), array.shape)
                tensor.CopyFrom(numpy_helper.from_array(drawn.astype(array.dtype), tensor.name))
    return copy


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for body in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from _graphs(body)
