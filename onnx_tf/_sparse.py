"""Sparse constants, which onnx_ir does not know, as dense ones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import numpy_helper

__all__ = ["densified"]


def densified(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with dense tensors instead of sparse ones; a model without any is returned as it is."""
    if not any(_is_sparse(graph) for graph in _graphs(proto.graph)):
        return proto
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    for graph in _graphs(copy.graph):
        graph.initializer.extend(_dense(tensor) for tensor in graph.sparse_initializer)
        graph.ClearField("sparse_initializer")
        for attribute in _sparse_attributes(graph):
            attribute.name, attribute.type = "value", onnx.AttributeProto.TENSOR
            attribute.t.CopyFrom(_dense(attribute.sparse_tensor))
            attribute.ClearField("sparse_tensor")
    return copy


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for subgraph in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
                yield from _graphs(subgraph)


def _is_sparse(graph: onnx.GraphProto) -> bool:
    return bool(graph.sparse_initializer) or any(True for _ in _sparse_attributes(graph))


def _sparse_attributes(graph: onnx.GraphProto) -> Iterator[onnx.AttributeProto]:
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("sparse_tensor"):
                yield attribute


def _dense(tensor: onnx.SparseTensorProto) -> onnx.TensorProto:
    values = numpy_helper.to_array(tensor.values)
    indices = numpy_helper.to_array(tensor.indices)
    dense = np.zeros(int(np.prod(tensor.dims)), values.dtype)
    flat = indices if indices.ndim == 1 else np.ravel_multi_index(tuple(indices.T), tuple(tensor.dims))
    dense[flat] = values
    return numpy_helper.from_array(dense.reshape(tuple(tensor.dims)), tensor.values.name)
