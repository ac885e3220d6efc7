"""The correspondence of ONNX and TensorFlow dtypes."""

from __future__ import annotations

import onnx_ir as ir
import tensorflow as tf

from onnx_tf.errors import OnnxTfError

__all__ = ["to_tf"]


def to_tf(dtype: ir.DataType | int) -> tf.DType:
    """Return the TensorFlow dtype of an ONNX dtype.

    Raises:
        OnnxTfError: TensorFlow has no such dtype.
    """
    dtype = ir.DataType(dtype)
    try:
        return tf.as_dtype(dtype.numpy())
    except TypeError as error:
        raise OnnxTfError(f"TensorFlow {tf.__version__} has no dtype for ONNX's {dtype.name}") from error
