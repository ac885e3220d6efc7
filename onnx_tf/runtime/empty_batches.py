"""A batch of nothing, before TensorFlow's convolutions.

With oneDNN their kernels give the shape of their data for an empty batch (TensorFlow 2.21). All that a model computes
of nothing is nothing where each of its outputs has the batch as a dimension: one row of zeros tells the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import tensorflow as tf

from onnx_tf.runtime.graph import BoundGraph

__all__ = ["empty_dims", "of_nothing", "one_row"]

CONVOLUTIONS = frozenset({"Conv", "ConvInteger", "ConvTranspose", "DeformConv", "FusedConv", "QLinearConv"})


def empty_dims(graph: BoundGraph, tensors: Sequence[Any]) -> frozenset[str]:
    """Return the names of the dimensions of length 0, if the graph convolves and all its outputs are empty by them."""
    empty = frozenset(
        name
        for value, tensor in zip(graph.inputs, tensors, strict=True)
        if tf.is_tensor(tensor)
        for name, length in zip(_names(value), tensor.shape, strict=False)  # its rank may not be known
        if name is not None and length == 0
    )
    if not empty or not all(empty.intersection(_names(value)) for value in graph.outputs):
        return frozenset()
    return empty if any(node.context.op_type in CONVOLUTIONS for node in graph.all_nodes()) else frozenset()


def one_row(graph: BoundGraph, tensors: Sequence[Any], empty: frozenset[str]) -> list[Any]:
    """Return the inputs with length 1 for the dimensions that are ``empty``."""
    return [
        tf.zeros([1 if name in empty else n for name, n in zip(_names(value), tensor.shape, strict=True)], tensor.dtype)
        if tf.is_tensor(tensor) and empty.intersection(_names(value))
        else tensor
        for value, tensor in zip(graph.inputs, tensors, strict=True)
    ]


def of_nothing(value: ir.Value, result: np.ndarray, empty: frozenset[str]) -> np.ndarray:
    """Return no rows of a result that was computed for one, along the dimensions that are ``empty``."""
    return result[tuple(slice(0 if name in empty else None) for name in _names(value))]


def _names(value: ir.Value) -> list[str | None]:
    if value.shape is None or not isinstance(value.type, ir.TensorType):
        return []
    return [None if isinstance(dim, int) else dim.value for dim in value.shape]
