"""The correspondence of ONNX and TensorFlow dtypes.

TensorFlow names most of ONNX's 8-bit floats and 2- and 4-bit numbers, but has next to no kernels
for them (no Transpose, no Gather, no cast to some of them), and none of float8e8m0 and float6. Such
narrow dtypes are therefore *carried*: integers as ``int8`` or ``uint8`` of the same value, floats as
``uint8`` of the same bits. Operators that only move elements need not know; those that compute (Cast,
QuantizeLinear, ...) learn the ONNX dtype from :class:`~onnx_tf.registry.NodeContext`. ``run`` takes
and returns arrays of ONNX's own (``ml_dtypes``) dtypes; a SavedModel's signature shows the carrier.
"""

from __future__ import annotations

from typing import TypeGuard

import numpy as np
import onnx_ir as ir
import tensorflow as tf

from onnx_tf.errors import ConversionError

__all__ = ["carried", "from_tf", "is_carried", "restored", "to_tf"]

_CARRIERS: dict[ir.DataType, type[np.generic]] = {
    ir.DataType.INT4: np.int8,
    ir.DataType.INT2: np.int8,
    ir.DataType.UINT4: np.uint8,
    ir.DataType.UINT2: np.uint8,
    ir.DataType.FLOAT8E4M3FN: np.uint8,
    ir.DataType.FLOAT8E4M3FNUZ: np.uint8,
    ir.DataType.FLOAT8E5M2: np.uint8,
    ir.DataType.FLOAT8E5M2FNUZ: np.uint8,
    ir.DataType.FLOAT8E8M0: np.uint8,
    ir.DataType.FLOAT4E2M1: np.uint8,
}
_CARRIERS |= {ir.DataType[name]: np.uint8 for name in ("FLOAT6E2M3", "FLOAT6E3M2") if name in ir.DataType.__members__}
_BY_NUMPY = {dtype.numpy(): dtype for dtype in _CARRIERS}


def is_carried(dtype: ir.DataType | None) -> TypeGuard[ir.DataType]:
    """Return whether tensors of an ONNX dtype are carried in another TensorFlow dtype."""
    return dtype in _CARRIERS


def to_tf(dtype: ir.DataType | int) -> tf.DType:
    """Return the TensorFlow dtype in which tensors of an ONNX dtype are computed.

    Raises:
        OnnxTfError: TensorFlow has no such dtype.
    """
    dtype = ir.DataType(dtype)
    try:
        return tf.as_dtype(_CARRIERS.get(dtype) or dtype.numpy())
    except TypeError as error:
        raise ConversionError(f"TensorFlow {tf.__version__} has no dtype for ONNX's {dtype.name}") from error


def from_tf(dtype: tf.DType) -> ir.DataType:
    """Return the ONNX dtype that a TensorFlow dtype stands for if it carries no other."""
    return ir.DataType.STRING if dtype == tf.string else ir.DataType.from_numpy(np.dtype(dtype.as_numpy_dtype))


def carried(array: np.ndarray) -> np.ndarray:
    """Return an array in the dtype that TensorFlow computes with."""
    dtype = _BY_NUMPY.get(array.dtype)
    if dtype is None:
        return array
    carrier = _CARRIERS[dtype]
    return array.astype(carrier) if dtype.is_integer() else np.asarray(array, order="C").view(carrier)


def restored(array: np.ndarray, dtype: ir.DataType | None) -> np.ndarray:
    """Return a carried array of an ONNX dtype in the numpy dtype of that name."""
    if not is_carried(dtype):
        return array
    target = dtype.numpy()
    return array.astype(target) if dtype.is_integer() else np.asarray(array, order="C").view(target)
