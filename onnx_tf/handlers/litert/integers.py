"""Integer operators of which LiteRT has kernels for other dtypes only, or none."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from onnx_tf.handlers import elementwise, linear_algebra, reduction
from onnx_tf.handlers._broadcasting import aligned_at
from onnx_tf.handlers._ranks import broadcasting
from onnx_tf.handlers._tensors import as_shape, dims_of, normalize_axis, rank_of, static_value
from onnx_tf.handlers.litert import _integers as integers
from onnx_tf.registry import onnx_op, registry

TARGET = "litert"
WIDE = (tf.int32, tf.int64)
DENSE_RANKS = range(3, 7)
"""Ranks above which LiteRT's delegate does not load a dense layer."""


def of_integers(op_type: str, form: Callable[..., Any], dtypes: tuple[tf.DType, ...] = WIDE) -> None:
    """Register a form of an operator for data of some dtypes; all other data has the form for all targets.

    Args:
        op_type: the operator in ai.onnx.
        form: a function of the operator's inputs and attributes.
        dtypes: of the first input.
    """
    versions = registry.versions("", op_type)
    assert versions, f"{op_type} has no form for all targets yet"
    for since in versions:
        common = registry.find("", op_type, since)
        assert common is not None
        registry.register(op_type, _for(common.function, form, dtypes), since=since, domain="", target=TARGET)


def _for(common: Callable[..., Any], form: Callable[..., Any], dtypes: tuple[tf.DType, ...]) -> Callable[..., Any]:
    takes = inspect.signature(form).parameters

    def handler(*inputs: Any, **keywords: Any) -> Any:
        if inputs[0].dtype not in dtypes:
            return common(*inputs, **keywords)
        if "broadcast" in keywords and "broadcast" not in takes:
            a, b, *rest = inputs
            inputs = (a, aligned_at(a, b, keywords["axis"]) if keywords["broadcast"] else b, *rest)
            keywords = {}
        return form(*inputs, **keywords)

    handler.__signature__ = inspect.signature(common)  # type: ignore[attr-defined]
    return functools.update_wrapper(handler, common)


def _remainder(a: tf.Tensor, b: tf.Tensor, *, fmod: int) -> tf.Tensor:
    return broadcasting(integers.truncated_remainder if fmod else tf.math.floormod)(a, b)


def _power(x: tf.Tensor, exponent: tf.Tensor) -> tf.Tensor:
    if x.dtype.is_floating:
        return tf.pow(x, tf.cast(exponent, x.dtype))
    known = static_value(exponent)
    if exponent.dtype.is_floating and known is not None and (known == known.astype(np.int32)).all():
        exponent = tf.constant(known, x.dtype)
    if exponent.dtype.is_floating:
        return elementwise.power(x, exponent)
    return integers.power(x, tf.cast(exponent, x.dtype))


of_integers("Div", broadcasting(integers.truncated_quotient))
of_integers("Mod", _remainder)
of_integers("Abs", integers.absolute)
of_integers("Sign", integers.sign)
of_integers("Pow", broadcasting(_power), (*WIDE, tf.float32))


@onnx_op("BitwiseAnd", since=18, target=TARGET)
def bitwise_and(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return broadcasting(integers.bitwise(integers.bits_and))(a, b)


@onnx_op("BitwiseOr", since=18, target=TARGET)
def bitwise_or(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return broadcasting(integers.bitwise(integers.bits_or))(a, b)


@onnx_op("BitwiseXor", since=18, target=TARGET)
def bitwise_xor(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return broadcasting(integers.bitwise(tf.bitwise.bitwise_xor))(a, b)


@onnx_op("BitwiseNot", since=18, target=TARGET)
def bitwise_not(x: tf.Tensor) -> tf.Tensor:
    return -x - tf.ones([], x.dtype)


@onnx_op("BitShift", since=11, target=TARGET)
def bit_shift(x: tf.Tensor, amount: tf.Tensor, *, direction: str) -> tf.Tensor:
    return broadcasting(functools.partial(integers.shifted, direction=direction, bits=8 * x.dtype.size))(x, amount)


@onnx_op("BitShift", since=28, target=TARGET)
def bit_shift_28(x: tf.Tensor, amount: tf.Tensor, *, direction: str) -> tf.Tensor:
    if direction == "LEFT":
        return bit_shift(x, amount, direction=direction)
    return broadcasting(integers.shifted_with_sign)(x, amount)


def _place(best: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    """Return the form of ArgMax or ArgMin that looks for the largest or smallest element once it is known."""

    def arg(data: tf.Tensor, *, axis: int, keepdims: int, select_last_index: int = 0) -> tf.Tensor:
        if rank_of(data) == 0:
            return tf.zeros([], tf.int64)
        axis = normalize_axis(axis, rank_of(data))
        is_best = tf.cast(tf.equal(data, best(data, axis, keepdims=True)), tf.int32)
        return reduction.arg(tf.argmax, is_best, axis, keepdims, select_last_index)

    return arg


of_integers("ArgMax", _place(tf.reduce_max), (tf.int64,))
of_integers("ArgMin", _place(tf.reduce_min), (tf.int64,))


def _reduction(form: reduction.Reduction, op_type: str) -> reduction.Reduction:
    """Return a reduction that has a form of its own for integers."""
    common = reduction.REDUCTIONS[op_type]

    def reduce(x: tf.Tensor, axes: reduction.Axes, keepdims: bool) -> tf.Tensor:
        return (form if x.dtype in WIDE else common)(x, axes, keepdims)

    return reduce


def _mean(x: tf.Tensor, axes: reduction.Axes, keepdims: bool) -> tf.Tensor:
    count = tf.maximum(tf.reduce_sum(tf.ones_like(x), axes, keepdims), 1)
    return integers.truncated_quotient(tf.reduce_sum(x, axes, keepdims), count)


def _l1(x: tf.Tensor, axes: reduction.Axes, keepdims: bool) -> tf.Tensor:
    return tf.reduce_sum(integers.absolute(x), axes, keepdims)


def _l2(x: tf.Tensor, axes: reduction.Axes, keepdims: bool) -> tf.Tensor:
    x = tf.cast(x, tf.int64)
    return integers.square_root(tf.reduce_sum(x * x, axes, keepdims))


def _narrowed(form: reduction.Reduction) -> reduction.Reduction:
    return lambda x, axes, keepdims: tf.cast(form(x, axes, keepdims), x.dtype)


def _of_elements(op_type: str, of_none: Callable[[tf.DType], Any]) -> reduction.Reduction:
    """Return a reduction that gives a value of its own for no elements: LiteRT's has the largest finite numbers."""
    common = reduction.REDUCTIONS[op_type]

    def reduce(x: tf.Tensor, axes: reduction.Axes, keepdims: bool) -> tf.Tensor:
        if 0 not in x.shape:
            return common(x, axes, keepdims)
        like = tf.reduce_sum(tf.cast(x, tf.float32), axes, keepdims)
        return tf.fill(as_shape(dims_of(like)), tf.constant(of_none(x.dtype), x.dtype))

    return reduce


def _lowest(dtype: tf.DType) -> Any:
    return -np.inf if dtype.is_floating else False if dtype == tf.bool else dtype.min


def _highest(dtype: tf.DType) -> Any:
    return np.inf if dtype.is_floating else True if dtype == tf.bool else dtype.max


for _name, _of_none in {"ReduceLogSumExp": _lowest, "ReduceMax": _lowest, "ReduceMin": _highest}.items():
    reduction.register_reduction(_name, _of_elements(_name, _of_none), target=TARGET)

for _name, _form in {"ReduceL1": _l1, "ReduceL2": _narrowed(_l2), "ReduceMean": _mean}.items():
    reduction.register_reduction(_name, _reduction(_form, _name), target=TARGET)


def _product(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    if rank_of(a) == 1:
        return tf.squeeze(_product(a[tf.newaxis, :], b), -2 if rank_of(b) > 1 else [])
    if rank_of(b) == 1:
        return tf.squeeze(_product(a, b[:, tf.newaxis]), -1)
    return integers.matrix_product(a, b)


def _gemm(
    a: tf.Tensor,
    b: tf.Tensor,
    c: tf.Tensor | None = None,
    *,
    alpha: float,
    beta: float,
    transA: int,
    transB: int,
    broadcast: int = 1,
) -> tf.Tensor:
    product = integers.matrix_product(tf.transpose(a) if transA else a, tf.transpose(b) if transB else b)
    scaled = linear_algebra.scaled(product, alpha)
    return scaled if c is None or beta == 0 else scaled + linear_algebra.scaled(c, beta)


@onnx_op("MatMul", target=TARGET)
def mat_mul(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    if a.dtype in WIDE:
        return _product(a, b)
    if a.shape.rank in DENSE_RANKS and b.shape.rank == 2:
        return tf.matmul(a, b)  # one dense layer: no shapes are computed around it
    return linear_algebra.mat_mul(a, b)


of_integers("Gemm", _gemm)

__all__ = ["mat_mul", "of_integers"]
