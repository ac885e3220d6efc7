"""Sparse constants, which onnx_ir does not know, as dense ones."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from onnx import numpy_helper

from onnx_tf.budget import Budget
from onnx_tf.errors import ModelError
from onnx_tf.model.external_data import check_external_tensor

__all__ = ["densified"]


def densified(proto: onnx.ModelProto, folder: Path | None, budget: Budget) -> onnx.ModelProto:
    """Return the model with dense tensors instead of sparse ones; a model without any is returned as it is.

    Args:
        proto: the model.
        folder: where its external data lies.
        budget: what the dense tensors draw from.

    Raises:
        ModelError: indices are no positions in the tensor, or do not fit its values; it is too large; external data
            is missing, too short or outside the folder.
    """
    if not any(graph.sparse_initializer for graph in _graphs(proto)) and not any(_sparse_attributes(proto)):
        return proto
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    for graph in _graphs(copy):
        graph.initializer.extend(
            _dense(tensor, tensor.values.name, folder, budget) for tensor in graph.sparse_initializer
        )
        graph.ClearField("sparse_initializer")
    for node, attribute in list(_sparse_attributes(copy)):
        name = next(filter(None, node.output), node.name)
        attribute.name, attribute.type = "value", onnx.AttributeProto.TENSOR
        attribute.t.CopyFrom(_dense(attribute.sparse_tensor, name, folder, budget))
        attribute.ClearField("sparse_tensor")
    return copy


def _nodes(proto: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    for graph in _graphs(proto):
        yield from graph.node
    for function in proto.functions:
        yield from function.node


def _graphs(proto: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    stack = [proto.graph, *(body for function in proto.functions for node in function.node for body in _bodies(node))]
    while stack:
        graph = stack.pop()
        yield graph
        stack += [body for node in graph.node for body in _bodies(node)]


def _bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _sparse_attributes(proto: onnx.ModelProto) -> Iterator[tuple[onnx.NodeProto, onnx.AttributeProto]]:
    for node in _nodes(proto):
        for attribute in node.attribute:
            if attribute.HasField("sparse_tensor"):
                yield node, attribute


def _dense(tensor: onnx.SparseTensorProto, name: str, folder: Path | None, budget: Budget) -> onnx.TensorProto:
    dims = tuple(tensor.dims)
    if any(dim < 0 for dim in dims):
        raise ModelError(f"sparse tensor {name!r} has the negative shape {list(dims)}: export the model again")
    values = _array(tensor.values, name, folder).reshape(-1)
    size = math.prod(dims) * values.dtype.itemsize
    if not budget.takes_bytes(size):
        raise ModelError(
            f"sparse tensor {name!r} of shape {list(dims)} takes {size} bytes as a dense one, more than are left of "
            f"max_constant_bytes={budget.max_constant_bytes}: {budget.more_bytes()}"
        )
    indices = _array(tensor.indices, f"{name} (indices)", folder)
    limits = dims if indices.ndim == 2 else (math.prod(dims),)
    if indices.dtype.kind not in "iu" or indices.shape not in ((len(values),), (len(values), len(dims))):
        raise ModelError(
            f"sparse tensor {name!r} of shape {list(dims)} has {len(values)} values, but {indices.dtype} indices of "
            f"shape {list(indices.shape)}: one position per value is needed; export the model again"
        )
    outside = (indices < 0) | (indices >= np.asarray(limits))
    wrong = np.asarray(outside.any(axis=1) if indices.ndim == 2 else outside)
    if wrong.any():
        raise ModelError(
            f"sparse tensor {name!r} has a value at {indices[wrong.argmax()].tolist()}, which is no position in the "
            f"shape {list(dims)}: indices count from 0 up, negative ones have no meaning; export the model again"
        )
    flat = indices if indices.ndim == 1 else np.ravel_multi_index(tuple(indices.T), dims)
    dense = np.zeros(math.prod(dims), values.dtype)
    dense[flat] = values
    return numpy_helper.from_array(dense.reshape(dims), tensor.values.name)


def _array(tensor: onnx.TensorProto, name: str, folder: Path | None) -> np.ndarray:
    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        return numpy_helper.to_array(tensor)
    external = ir.serde.deserialize_tensor(tensor, "" if folder is None else str(folder))
    assert isinstance(external, ir.ExternalTensor)
    check_external_tensor(name, external)
    return np.array(external.numpy())
