"""QuantizeLinear and DequantizeLinear: weights become floats, values are rounded as the model says."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from onnx_tf.export.keras._place import Place, constant, is_constant, keras_op
from onnx_tf.export.keras._sums import added

RANGES = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "uint16": (0, 65535)}


@keras_op("DequantizeLinear", since=10)
def dequantize(
    place: Place,
    x: Any,
    scale: Any,
    zero_point: Any = None,
    *,
    axis: int | None,
    block_size: int | None,
    output_dtype: int | None,
) -> Any:
    if block_size or output_dtype:
        place.refuse("Keras's form of it has no blocks and no other dtypes")
    scale, zero = _parameters(place, x, scale, zero_point, axis)
    if is_constant(x):
        return (x.astype(scale.dtype) - zero.astype(scale.dtype)) * scale
    y = ops.cast(x, scale.dtype.name)
    y = ops.subtract(y, place.operand(zero.astype(scale.dtype))) if zero.any() else y
    return ops.multiply(y, place.operand(scale))


@keras_op("QuantizeLinear", since=10)
def quantize(
    place: Place,
    x: Any,
    scale: Any,
    zero_point: Any = None,
    *,
    axis: int | None,
    block_size: int | None,
    output_dtype: int | None,
    precision: int | None,
    saturate: int | None,
) -> Any:
    if block_size or output_dtype or precision:
        place.refuse("Keras's form of it has no blocks and no other dtypes")
    scale, zero = _parameters(place, x, scale, zero_point, axis)
    kind = "uint8" if zero_point is None else zero_point.dtype.name
    if kind not in RANGES:
        place.refuse(f"Keras has no dtype {kind}")
    y = ops.round(ops.divide(place.tensor(x), place.operand(scale)))
    y = added(y, place.operand(zero.astype(scale.dtype))) if zero.any() else y
    return ops.cast(ops.clip(y, *map(float, RANGES[kind])), kind)


def _parameters(place: Place, x: Any, scale: Any, zero_point: Any, axis: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Return scale and zero point in shapes that broadcast with the data."""
    scale = constant(place, scale, "scale")
    zero = np.zeros(scale.shape, np.int32) if zero_point is None else constant(place, zero_point, "zero point")
    if scale.size == 1:
        return scale.reshape(()), zero.reshape(())
    rank = len(x.shape)
    assert axis is not None  # before opset 13 there is one scale
    shape = [-1 if i == axis % rank else 1 for i in range(rank)]
    return scale.reshape(shape), zero.reshape(shape)
