"""Random numbers of LiteRT's own operators; those of a seed are the same in each call, so they are constants."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from onnx_tf.dtypes import to_tf
from onnx_tf.handlers import random as common
from onnx_tf.handlers._tensors import as_shape, dims_of, static_ints
from onnx_tf.registry import onnx_op


@onnx_op("RandomNormal", target="litert")
def random_normal(*, dtype: int, mean: float, scale: float, seed: float | None, shape: Sequence[int]) -> tf.Tensor:
    if seed is not None:
        with tf.init_scope():
            drawn = common.random_normal(dtype=dtype, mean=mean, scale=scale, seed=seed, shape=shape).numpy()
        return tf.constant(drawn)
    return _normal(to_tf(dtype), mean, scale, as_shape(list(shape)))


@onnx_op("RandomNormalLike", target="litert")
def random_normal_like(
    like: tf.Tensor, *, dtype: int | None, mean: float, scale: float, seed: float | None
) -> tf.Tensor:
    if seed is not None:
        return common.random_normal_like(like, dtype=dtype, mean=mean, scale=scale, seed=seed)
    return _normal(like.dtype if dtype is None else to_tf(dtype), mean, scale, as_shape(dims_of(like)))


@onnx_op("RandomUniform", target="litert")
def random_uniform(*, dtype: int, high: float, low: float, seed: float | None, shape: Sequence[int]) -> tf.Tensor:
    if seed is not None:
        with tf.init_scope():
            drawn = common.random_uniform(dtype=dtype, high=high, low=low, seed=seed, shape=shape).numpy()
        return tf.constant(drawn)
    return _uniform(to_tf(dtype), low, high, as_shape(list(shape)))


@onnx_op("RandomUniformLike", target="litert")
def random_uniform_like(
    like: tf.Tensor, *, dtype: int | None, high: float, low: float, seed: float | None
) -> tf.Tensor:
    if seed is not None:
        return common.random_uniform_like(like, dtype=dtype, high=high, low=low, seed=seed)
    return _uniform(like.dtype if dtype is None else to_tf(dtype), low, high, as_shape(dims_of(like)))


@onnx_op("Bernoulli", since=15, target="litert")
def bernoulli(probability: tf.Tensor, *, dtype: int | None, seed: float | None) -> tf.Tensor:
    if seed is not None:
        return common.bernoulli(probability, dtype=dtype, seed=seed)
    drawn = tf.random.uniform(_int32(as_shape(dims_of(probability))))
    result = probability.dtype if dtype is None else to_tf(dtype)
    return tf.cast(drawn < tf.cast(probability, tf.float32), result)


@onnx_op("Multinomial", since=7, target="litert")
def multinomial(logits: tf.Tensor, *, dtype: int, sample_size: int, seed: float | None) -> tf.Tensor:
    if seed is not None:
        return common.multinomial(logits, dtype=dtype, sample_size=sample_size, seed=seed)
    drawn = tf.random.categorical(tf.cast(logits, tf.float32), sample_size, dtype=tf.int32)
    return tf.cast(drawn, to_tf(dtype))


def _normal(dtype: tf.DType, mean: float, scale: float, shape: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.random.normal(_int32(shape)) * scale + mean, dtype)


def _uniform(dtype: tf.DType, low: float, high: float, shape: tf.Tensor) -> tf.Tensor:
    return tf.cast(low + (high - low) * tf.random.uniform(_int32(shape)), dtype)


def _int32(shape: tf.Tensor) -> tf.Tensor:
    known = static_ints(shape)
    return tf.cast(shape, tf.int32) if known is None else tf.constant(known, tf.int32)
