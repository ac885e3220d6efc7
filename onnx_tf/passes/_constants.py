"""Initializers that passes add."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import onnx_ir as ir

__all__ = ["add_constant", "add_initializer"]


def add_constant(
    graph: ir.Graph, name: str, dtype: ir.DataType, shape: Iterable[Any], compute: Callable[[], np.ndarray]
) -> ir.Value:
    """Return a new initializer of a graph that is computed when it is needed, cast and reshaped as stated."""
    dims = tuple(int(dim) for dim in shape)
    tensor = ir.LazyTensor(
        lambda: ir.tensor(np.ascontiguousarray(compute()).reshape(dims).astype(dtype.numpy())),
        dtype=dtype,
        shape=ir.Shape(dims),
        name=name,
    )
    return add_initializer(graph, name, tensor)


def add_initializer(graph: ir.Graph, name: str, tensor: ir.TensorProtocol) -> ir.Value:
    """Return a new initializer of a graph that holds a tensor; it is called ``name`` unless another one is."""
    key, count = name, 1
    while key in graph.initializers:
        count += 1
        key = f"{name}_{count}"
    value = ir.Value(
        name=key, type=ir.TensorType(tensor.dtype), shape=ir.Shape(tensor.shape.numpy()), const_value=tensor
    )
    graph.register_initializer(value)
    return value
