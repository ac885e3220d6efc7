"""Operators that change the shape of a tensor, not its elements."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.handlers._tensors import as_shape, dims_of, static_ints
from onnx_tf.registry import onnx_op


@onnx_op("Transpose")
def transpose(data, *, perm):
    return tf.transpose(data, perm)


@onnx_op("Reshape", since=5)
def reshape_5(data, shape):
    return _reshape(data, shape, allowzero=0)


@onnx_op("Reshape", since=14)
def reshape_14(data, shape, *, allowzero):
    return _reshape(data, shape, allowzero)


def _reshape(data, shape, allowzero):
    target = static_ints(shape)
    if allowzero or (target is not None and 0 not in target):
        return tf.reshape(data, shape)
    dims = dims_of(data)
    if target is not None:
        return tf.reshape(data, as_shape([dims[i] if d == 0 else d for i, d in enumerate(target)]))
    count = shape.shape[0]
    kept = as_shape([*dims, *[0] * count][:count])
    return tf.reshape(data, tf.where(shape == 0, kept, shape))
