"""Random numbers, drawn from TensorFlow Probability's distributions where these do not count in 32 bits.

With a ``seed`` attribute every call gives the same numbers; without, every call gives others.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import tensorflow as tf

from onnx_tf.dtypes import to_tf
from onnx_tf.handlers._tensors import as_shape, dims_of
from onnx_tf.registry import onnx_op


@onnx_op("RandomNormal")
def random_normal(*, dtype: int, mean: float, scale: float, seed: float | None, shape: Sequence[int]) -> tf.Tensor:
    return _normal(to_tf(dtype), mean, scale, seed, list(shape))


@onnx_op("RandomNormalLike")
def random_normal_like(
    like: tf.Tensor, *, dtype: int | None, mean: float, scale: float, seed: float | None
) -> tf.Tensor:
    return _normal(like.dtype if dtype is None else to_tf(dtype), mean, scale, seed, as_shape(dims_of(like)))


@onnx_op("RandomUniform")
def random_uniform(*, dtype: int, high: float, low: float, seed: float | None, shape: Sequence[int]) -> tf.Tensor:
    return _uniform(to_tf(dtype), low, high, seed, list(shape))


@onnx_op("RandomUniformLike")
def random_uniform_like(
    like: tf.Tensor, *, dtype: int | None, high: float, low: float, seed: float | None
) -> tf.Tensor:
    return _uniform(like.dtype if dtype is None else to_tf(dtype), low, high, seed, as_shape(dims_of(like)))


@onnx_op("Bernoulli", since=15)
def bernoulli(probability: tf.Tensor, *, dtype: int | None, seed: float | None) -> tf.Tensor:
    import tensorflow_probability as tfp

    result = probability.dtype if dtype is None else to_tf(dtype)
    drawn = tfp.distributions.Bernoulli(probs=_computable(probability), dtype=tf.int32).sample(seed=_seed(seed))
    return tf.cast(drawn, result)


@onnx_op("Multinomial", since=7)
def multinomial(logits: tf.Tensor, *, dtype: int, sample_size: int, seed: float | None) -> tf.Tensor:
    import tensorflow_probability as tfp

    drawn = tfp.distributions.Categorical(logits=_computable(logits)).sample(sample_size, seed=_seed(seed))
    return tf.cast(tf.transpose(drawn), to_tf(dtype))


def _normal(
    dtype: tf.DType, mean: float, scale: float, seed: float | None, shape: Sequence[int] | tf.Tensor
) -> tf.Tensor:
    """Return normally distributed numbers of a shape."""
    computed = _float(dtype)
    drawn = tf.random.stateless_normal(shape, _seed(seed), dtype=computed)
    return tf.cast(drawn * tf.cast(scale, computed) + tf.cast(mean, computed), dtype)


def _uniform(
    dtype: tf.DType, low: float, high: float, seed: float | None, shape: Sequence[int] | tf.Tensor
) -> tf.Tensor:
    """Return uniformly distributed numbers of a shape."""
    computed = _float(dtype)
    low, high = tf.cast(low, computed), tf.cast(high, computed)
    drawn = tf.random.stateless_uniform(shape, _seed(seed), dtype=computed)
    return tf.cast(low + (high - low) * drawn, dtype)


def _float(dtype: tf.DType) -> tf.DType:
    """Return the dtype in which numbers of a floating-point dtype are drawn."""
    if not dtype.is_floating:
        raise ValueError(f"random numbers are floats, the model asks for {dtype.name}: set the dtype attribute")
    return tf.float64 if dtype == tf.float64 else tf.float32


def _computable(tensor: tf.Tensor) -> tf.Tensor:
    return tf.cast(tensor, _float(tensor.dtype))


def _seed(seed: float | None) -> tf.Tensor:
    """Return the seed of one draw: of the attribute's bits, or new in every call."""
    if seed is None:
        return tf.random.uniform([2], tf.int32.min, tf.int32.max, tf.int32)
    (bits,) = struct.unpack("<i", struct.pack("<f", seed))
    return tf.constant([bits, 0], tf.int32)
