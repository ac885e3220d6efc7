"""Fourier transforms as products with matrices; LiteRT's own is of real signals of two axes and lengths 2^n."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from onnx_tf.handlers._tensors import Dim, dims_of, product, reshaped
from onnx_tf.handlers.signal import (
    Fourier,
    fitted,
    register_fourier,
    register_mel_weight_matrix,
    register_windows,
)


def _forward(signal: tf.Tensor, onesided: int) -> tf.Tensor:
    length = dims_of(signal)[-2]
    cosines, sines = _waves(length, _half(length) if onesided else length, length)
    real = _products(signal[..., 0], cosines, sines)
    if signal.shape[-1] == 1:
        return tf.stack([real[0], -real[1]], -1)
    imaginary = _products(signal[..., 1], cosines, sines)
    return tf.stack([real[0] + imaginary[1], imaginary[0] - real[1]], -1)


def _inverse(spectrum: tf.Tensor) -> tf.Tensor:
    length = dims_of(spectrum)[-2]
    cosines, sines = _waves(length, length, length)
    scale = 1 / tf.cast(length, tf.float32)
    real = _products(spectrum[..., 0] * scale, cosines, sines)
    if spectrum.shape[-1] == 1:
        return tf.stack([real[0], real[1]], -1)
    imaginary = _products(spectrum[..., 1] * scale, cosines, sines)
    return tf.stack([real[0] - imaginary[1], real[1] + imaginary[0]], -1)


def _inverse_real(spectrum: tf.Tensor, length: Dim) -> tf.Tensor:
    half = _half(length)
    spectrum = fitted(spectrum, half)
    cosines, sines = _waves(half, length, length)
    # What the other half mirrors counts twice: all but the first, and the last of an even length.
    numbers = tf.range(tf.cast(half, tf.int32))
    alone = (numbers == 0) | (2 * numbers == tf.cast(length, tf.int32))
    weights = tf.where(alone, 1.0, 2.0) / tf.cast(length, tf.float32)
    signal = _products(spectrum[..., 0] * weights, cosines, sines)[0]
    if spectrum.shape[-1] == 2:
        signal -= _products(spectrum[..., 1] * weights, cosines, sines)[1]
    return tf.expand_dims(signal, -1)


def _half(length: Dim) -> Dim:
    return (length if isinstance(length, int) else tf.cast(length, tf.int32)) // 2 + 1  # no int64 is divided


def _waves(rows: Dim, columns: Dim, length: Dim) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the cosines and sines of the angles 2 pi r c / length, [rows, columns]."""
    if isinstance(rows, int) and isinstance(columns, int) and isinstance(length, int):
        angles = 2 * np.pi / max(length, 1) * (np.arange(rows)[:, None] * np.arange(columns) % max(length, 1))
        return tf.constant(np.cos(angles), tf.float32), tf.constant(np.sin(angles), tf.float32)
    size = tf.cast(length, tf.int32)
    row, column = tf.range(tf.cast(rows, tf.int32)), tf.range(tf.cast(columns, tf.int32))
    turns = tf.cast(row[:, tf.newaxis] * column % size, tf.float32) / tf.cast(size, tf.float32)
    return tf.cos(2 * math.pi * turns), tf.sin(2 * math.pi * turns)


def _products(x: tf.Tensor, *matrices: tf.Tensor) -> list[tf.Tensor]:
    """Return the products of the last axis with matrices: of two axes, which is a dense layer to LiteRT."""
    *outer, length = dims_of(x)
    flat = reshaped(x, [product(outer), length])
    found = [tf.matmul(flat, matrix) for matrix in matrices]
    return [reshaped(y, [*outer, dims_of(y)[-1]]) for y in found]


register_fourier(Fourier(_forward, _inverse, _inverse_real), target="litert")
register_windows(tf.float32, target="litert")
register_mel_weight_matrix(tf.float32, target="litert")
