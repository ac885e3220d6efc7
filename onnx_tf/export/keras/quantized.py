"""Arithmetic on quantised values: integers as float32, which holds their sums, scaled and rounded as the model says.

The layers hold the integers of the model, so the sums are ONNX Runtime's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import layers, ops

from onnx_tf.export.keras import activations, convolution, dense, pooling
from onnx_tf.export.keras._place import Place, constant, is_constant, keras_op, to_first, to_last
from onnx_tf.export.keras._sums import added
from onnx_tf.export.keras.quantization import RANGES

MICROSOFT = "com.microsoft"

EXACT = 1 << 24
"""Float32 holds integers up to here."""


def centred(x: Any, zero: Any) -> Any:
    """Return quantised values less their zero point, float32."""
    if is_constant(x):
        return x.astype(np.float32) - (0 if zero is None else zero.astype(np.float32))
    y = ops.cast(x, "float32")
    if zero is None or (is_constant(zero) and not zero.any()):
        return y
    return ops.subtract(y, _number(zero.astype(np.float32)) if is_constant(zero) else ops.cast(zero, "float32"))


def _number(array: np.ndarray) -> Any:
    return array.item() if array.size == 1 else array


def rounded(place: Place, ratio: Any, zero: Any, kind: str = "") -> Any:
    """Return a multiple of steps, float32, as quantised values: rounded, then moved by the zero point."""
    zero = np.zeros((), kind or np.uint8) if zero is None else constant(place, zero, "zero point")
    name = zero.dtype.name
    if name not in RANGES:
        place.refuse(f"Keras has no dtype {name}")
    y = ops.round(ratio)
    y = ops.add(y, _number(zero.astype(np.float32))) if zero.any() else y
    return ops.cast(ops.clip(y, *map(float, RANGES[name])), name)


def _step(place: Place, value: Any) -> np.ndarray:
    scale = constant(place, value, "scale")
    return scale.reshape(()) if scale.size == 1 else scale


def _scaled(place: Place, sums: Any, factor: np.ndarray) -> Any:
    return ops.multiply(sums, _number(factor) if factor.size == 1 else place.operand(factor))


def _convolved(place: Place, x: Any, w: np.ndarray, b: Any, attributes: dict[str, Any]) -> Any:
    bias = None if b is None else constant(place, b, "bias").astype(np.float32)
    return convolution.conv(place, x, w, bias, **attributes)


@keras_op("QLinearConv", since=10, channels_last=True, filters=3)
def q_linear_conv(
    place: Place,
    x: Any,
    x_scale: Any,
    x_zero: Any,
    w: Any,
    w_scale: Any,
    w_zero: Any,
    y_scale: Any,
    y_zero: Any,
    b: Any = None,
    *,
    auto_pad: str,
    dilations: Sequence[int] | None,
    group: int,
    kernel_shape: Sequence[int] | None,
    pads: Sequence[int] | None,
    strides: Sequence[int] | None,
) -> Any:
    attributes = {
        "auto_pad": auto_pad,
        "dilations": dilations,
        "group": group,
        "kernel_shape": kernel_shape,
        "pads": pads,
        "strides": strides,
    }
    filters = centred(constant(place, w, "filter"), constant(place, w_zero, "zero point"))
    sums = _convolved(place, centred(x, x_zero), filters, b, attributes)
    factor = _step(place, x_scale) * _step(place, w_scale) / _step(place, y_scale)
    return rounded(place, _scaled(place, sums, factor), y_zero)


@keras_op("ConvInteger", since=10, channels_last=True)
def conv_integer(
    place: Place,
    x: Any,
    w: Any,
    x_zero: Any = None,
    w_zero: Any = None,
    *,
    auto_pad: str,
    dilations: Sequence[int] | None,
    group: int,
    kernel_shape: Sequence[int] | None,
    pads: Sequence[int] | None,
    strides: Sequence[int] | None,
) -> Any:
    attributes = {
        "auto_pad": auto_pad,
        "dilations": dilations,
        "group": group,
        "kernel_shape": kernel_shape,
        "pads": pads,
        "strides": strides,
    }
    zero = None if w_zero is None else constant(place, w_zero, "zero point")
    filters = centred(constant(place, w, "filter"), zero)
    return ops.cast(ops.round(_convolved(place, centred(x, x_zero), filters, None, attributes)), "int32")


def _product(place: Place, a: Any, b: Any, a_zero: Any, b_zero: Any) -> Any:
    """Return the product of quantised matrices, integers as float32 or int32."""
    if a_zero is not None and is_constant(a_zero) and a_zero.ndim == 1 and a_zero.size > 1:
        a_zero = a_zero[:, None]  # of each row
    left = centred(a, a_zero)
    if not is_constant(b) or b.ndim != 2 or is_constant(a):
        return ops.matmul(place.tensor(left), place.tensor(centred(b, b_zero)))
    matrix = centred(b, None if b_zero is None else constant(place, b_zero, "zero point"))
    rows = max(1, EXACT // max(1, int(255 * np.abs(matrix).max(initial=0))))
    if len(matrix) <= rows:
        return dense.dense(place, left, matrix, None)
    parts = [
        ops.cast(dense.dense(place, left[..., first : first + rows], matrix[first : first + rows], None), "int32")
        for first in range(0, len(matrix), rows)
    ]
    total = parts[0]
    for part in parts[1:]:
        total = added(total, part)
    return total


@keras_op("MatMulInteger", since=10)
def matmul_integer(place: Place, a: Any, b: Any, a_zero: Any = None, b_zero: Any = None) -> Any:
    return ops.cast(_product(place, a, b, a_zero, b_zero), "int32")


@keras_op("QLinearMatMul", since=10)
def q_linear_matmul(
    place: Place,
    a: Any,
    a_scale: Any,
    a_zero: Any,
    b: Any,
    b_scale: Any,
    b_zero: Any,
    y_scale: Any,
    y_zero: Any,
) -> Any:
    sums = ops.cast(_product(place, a, b, a_zero, b_zero), "float32")
    factor = _step(place, a_scale) * _step(place, b_scale) / _step(place, y_scale)
    return rounded(place, _scaled(place, sums, factor.astype(np.float32)), y_zero)


@keras_op("QGemm", domain=MICROSOFT)
def q_gemm(
    place: Place,
    a: Any,
    a_scale: Any,
    a_zero: Any,
    b: Any,
    b_scale: Any,
    b_zero: Any,
    c: Any = None,
    y_scale: Any = None,
    y_zero: Any = None,
    *,
    alpha: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Any:
    a = ops.transpose(a) if transA else a
    b = (np.ascontiguousarray(b.T) if is_constant(b) else ops.transpose(b)) if transB else b
    sums = _product(place, a, b, a_zero, b_zero)
    if c is not None:
        sums = added(ops.cast(sums, "int32"), place.operand(c))
    factor = (np.float32(alpha) * _step(place, a_scale) * _step(place, b_scale)).astype(np.float32)
    sums = ops.cast(sums, "float32")
    if y_scale is None:
        return _scaled(place, sums, factor)
    return rounded(place, _scaled(place, sums, factor / _step(place, y_scale)), y_zero)


@keras_op("DynamicQuantizeLinear", since=11)
def dynamic_quantize(place: Place, x: Any) -> Any:
    low, high = ops.minimum(ops.min(x), 0.0), ops.maximum(ops.max(x), 0.0)
    flat = ops.equal(high, low)
    scale = ops.where(flat, 1.0, ops.divide(ops.subtract(high, low), 255.0))
    zero = ops.clip(ops.round(ops.divide(ops.negative(low), scale)), 0.0, 255.0)
    y = ops.clip(ops.add(ops.round(ops.divide(x, scale)), zero), 0.0, 255.0)
    return ops.cast(y, "uint8"), scale, ops.cast(zero, "uint8")


@keras_op("QLinearAdd", domain=MICROSOFT)
def q_linear_add(
    place: Place,
    a: Any,
    a_scale: Any,
    a_zero: Any,
    b: Any,
    b_scale: Any,
    b_zero: Any,
    c_scale: Any,
    c_zero: Any = None,
) -> Any:
    """Add multiples of the result's steps, with the zero points in one number, as ONNX Runtime does."""
    steps = [_step(place, scale) / _step(place, c_scale) for scale in (a_scale, b_scale)]
    zeros = [_zero(place, zero) for zero in (a_zero, b_zero)]
    kind = (a if is_constant(a) else b).dtype if c_zero is None else c_zero.dtype
    moved = np.float32(float(steps[0]) * zeros[0] + float(np.float32(steps[1] * zeros[1])))
    total: Any = np.float32(_zero(place, c_zero)) - moved
    for x, step in ((b, steps[1]), (a, steps[0])):
        total = _multiply_add(place, centred(x, None), float(step), total)
    return _shifted(place, total, np.dtype(str(kind)).name)


def _zero(place: Place, zero: Any) -> float:
    return 0.0 if zero is None else float(constant(place, zero, "zero point").item())


def _multiply_add(place: Place, x: Any, step: float, addend: Any) -> Any:
    """Return x * step + addend rounded once, as processors do, where the backend has 64 bits."""
    wide = ops.multiply(ops.cast(place.tensor(x), "float64"), step)
    more = float(addend) if isinstance(addend, np.floating) else ops.cast(addend, "float64")
    return ops.cast(added(wide, more), "float32")


@keras_op("QLinearMul", domain=MICROSOFT)
def q_linear_mul(
    place: Place,
    a: Any,
    a_scale: Any,
    a_zero: Any,
    b: Any,
    b_scale: Any,
    b_zero: Any,
    c_scale: Any,
    c_zero: Any = None,
) -> Any:
    factor = _step(place, a_scale) * _step(place, b_scale) / _step(place, c_scale)
    values = ops.multiply(*(place.tensor(centred(x, zero)) for x, zero in ((a, a_zero), (b, b_zero))))
    kind = np.dtype(str((a if c_zero is None else c_zero).dtype)).name
    return _shifted(place, ops.add(_scaled(place, values, factor), _zero(place, c_zero)), kind)


def _shifted(place: Place, moved: Any, kind: str) -> Any:
    """Return multiples of steps with the zero point in them, rounded: a tie goes to the even sum."""
    if kind not in RANGES:
        place.refuse(f"Keras has no dtype {kind}")
    return ops.cast(ops.clip(ops.round(moved), *map(float, RANGES[kind])), kind)


@keras_op("QLinearConcat", domain=MICROSOFT)
def q_linear_concat(place: Place, y_scale: Any, y_zero: Any, *inputs: Any, axis: int) -> Any:
    step = _step(place, y_scale)
    triples = zip(inputs[::3], inputs[1::3], inputs[2::3], strict=True)
    parts = [
        rounded(place, _scaled(place, place.tensor(centred(x, zero)), _step(place, scale) / step), y_zero)
        for x, scale, zero in triples
    ]
    return ops.concatenate(parts, axis=axis)


@keras_op("QLinearAveragePool", domain=MICROSOFT)
def q_linear_average_pool(
    place: Place,
    x: Any,
    x_scale: Any,
    x_zero: Any,
    y_scale: Any,
    y_zero: Any = None,
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    channels_last: int = 0,
    count_include_pad: int = 0,
    kernel_shape: Sequence[int],
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Any:
    def pool(values: Any) -> Any:
        return pooling.average_pool(
            place,
            values,
            auto_pad=auto_pad,
            ceil_mode=ceil_mode,
            count_include_pad=count_include_pad,
            dilations=None,
            kernel_shape=kernel_shape,
            pads=pads,
            strides=strides,
        )

    return _pooled(place, pool, x, (x_scale, x_zero), (y_scale, y_zero), bool(channels_last))


@keras_op("QLinearGlobalAveragePool", domain=MICROSOFT)
def q_linear_global_average_pool(
    place: Place,
    x: Any,
    x_scale: Any,
    x_zero: Any,
    y_scale: Any,
    y_zero: Any,
    *,
    channels_last: int = 0,
) -> Any:
    def pool(values: Any) -> Any:
        return pooling.global_average_pool(place, values)

    return _pooled(place, pool, x, (x_scale, x_zero), (y_scale, y_zero), bool(channels_last))


def _pooled(
    place: Place,
    pool: Callable[[Any], Any],
    x: Any,
    given: tuple[Any, Any],
    wanted: tuple[Any, Any],
    is_last: bool,
) -> Any:
    (x_scale, x_zero), (y_scale, y_zero) = given, wanted
    values = ops.multiply(centred(x, x_zero), float(_step(place, x_scale)))
    mean = pool(values if is_last else to_last(place, 0, values))
    kind = "uint8" if y_zero is None else y_zero.dtype.name
    y = _shifted(place, ops.add(ops.divide(mean, float(_step(place, y_scale))), _zero(place, y_zero)), kind)
    return y if is_last else to_first(place, y)


def _by_floats(op_type: str, function: Callable[[Place, Any, dict[str, Any]], Any]) -> None:
    """Register an operator of one quantised tensor that is computed on floats."""

    @keras_op(op_type, domain=MICROSOFT)
    def build(
        place: Place, x: Any, x_scale: Any, x_zero: Any, y_scale: Any, y_zero: Any = None, **attributes: Any
    ) -> Any:
        values = ops.multiply(centred(x, x_zero), float(_step(place, x_scale)))
        y = ops.divide(function(place, values, attributes), float(_step(place, y_scale)))
        return rounded(place, y, y_zero, str(x.dtype))


_by_floats("QLinearSigmoid", lambda place, x, _: place.layer(layers.Activation, x, activation="sigmoid"))
_by_floats(
    "QLinearLeakyRelu",
    lambda place, x, attributes: activations.leaky_relu(place, x, alpha=attributes.get("alpha", 0.01)),
)
