"""Fourier transforms and windows."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tensorflow as tf

from onnx_tf.dtypes import to_tf
from onnx_tf.handlers._ranks import MAX_SLICED
from onnx_tf.handlers._tensors import (
    Dim,
    dims_of,
    normalize_axis,
    product,
    rank_of,
    reshaped,
    shaped,
    static_ints,
)
from onnx_tf.registry import onnx_op


@dataclass(frozen=True)
class Fourier:
    """Transforms of [..., length, 1 or 2] along the last axis but one, real and imaginary parts on the last.

    Attributes:
        forward: takes a signal and whether half of the result is wanted.
        inverse: takes a spectrum of two parts.
        inverse_real: takes half of one and the length of the signal, which it gives as [..., length, 1].
    """

    forward: Callable[[tf.Tensor, int], tf.Tensor]
    inverse: Callable[[tf.Tensor], tf.Tensor]
    inverse_real: Callable[[tf.Tensor, Dim], tf.Tensor]


def _dft_17(
    fourier: Fourier, x: tf.Tensor, dft_length: tf.Tensor | None = None, *, axis: int, inverse: int, onesided: int
) -> tf.Tensor:
    return _dft(fourier, x, dft_length, normalize_axis(axis, rank_of(x)), inverse, onesided)


def _dft_20(
    fourier: Fourier, x: tf.Tensor, dft_length: tf.Tensor | None = None, axis: tf.Tensor | None = None, *,
    inverse: int, onesided: int,
) -> tf.Tensor:  # fmt: skip
    known = [-2] if axis is None else static_ints(axis)
    if known is not None:
        return _dft(fourier, x, dft_length, normalize_axis(known[0], rank_of(x)), inverse, onesided)
    # The transform is along the last axis but one; where the axis is known at run time only, it is
    # swapped with that one.
    rank = rank_of(x)
    index = tf.cast(tf.reshape(axis, []), tf.int32)
    index = tf.where(index < 0, index + rank, index)
    order = tf.range(rank)
    swap = tf.where(order == index, rank - 2, tf.where(order == rank - 2, index, order))
    moved = shaped(tf.transpose(x, swap), [*[None] * (rank - 1), x.shape[-1]])
    return tf.transpose(_dft(fourier, moved, dft_length, rank - 2, inverse, onesided), swap)


def _dft(fourier: Fourier, x: tf.Tensor, length: tf.Tensor | None, axis: int, inverse: int, onesided: int) -> tf.Tensor:
    """Return the transform along an axis of [..., 1 or 2], cut or filled to a length."""
    rank = rank_of(x)
    order = [i for i in range(rank - 1) if i != axis] + [axis, rank - 1]
    signal = tf.transpose(_computable(x), order)
    outer = dims_of(signal)[:-2]
    signal = reshaped(signal, [product(outer), *dims_of(signal)[-2:]]) if rank > MAX_SLICED else signal
    size = dims_of(signal)[-2]
    if length is None:
        length = 2 * (size - 1) if inverse and onesided else size
    else:
        known = static_ints(length)
        length = tf.cast(tf.reshape(length, []), tf.int32) if known is None else known[0]
    if inverse and onesided:
        result = fourier.inverse_real(signal, length)
    else:
        signal = fitted(signal, length)
        result = fourier.inverse(signal) if inverse else fourier.forward(signal, onesided)
    result = reshaped(result, [*outer, *dims_of(result)[-2:]]) if rank > MAX_SLICED else result
    return tf.cast(tf.transpose(result, [order.index(i) for i in range(rank)]), x.dtype)


def _stft(
    fourier: Fourier,
    signal: tf.Tensor,
    frame_step: tf.Tensor,
    window: tf.Tensor | None = None,
    frame_length: tf.Tensor | None = None,
    *,
    onesided: int,
) -> tf.Tensor:
    if rank_of(signal) == 2:  # as PyTorch exports real signals
        signal = signal[..., tf.newaxis]
    length = dims_of(signal)[1] if window is None else dims_of(window)[0]
    if frame_length is not None:
        known = static_ints(frame_length)
        length = tf.reshape(frame_length, []) if known is None else known[0]
    known_step = static_ints(frame_step)
    step = tf.cast(tf.reshape(frame_step, []), tf.int32) if known_step is None else known_step[0]
    x = _computable(signal)
    frames = tf.signal.frame(x, length if isinstance(length, int) else tf.cast(length, tf.int32), step, axis=1)
    if window is not None:
        frames = frames * tf.cast(window, x.dtype)[:, tf.newaxis]
    return tf.cast(fourier.forward(frames, onesided), signal.dtype)


def _transformed(signal: tf.Tensor, onesided: int) -> tf.Tensor:
    """Return the transform along the last axis but one, real and imaginary parts on the last."""
    if signal.shape[-1] == 1:
        half = tf.signal.rfft(signal[..., 0])
        if onesided:
            return _parts(half)
        # The rest mirrors it.
        rest = tf.reverse(half[..., 1 : (dims_of(signal)[-2] + 1) // 2], [-1])
        return _parts(tf.concat([half, tf.math.conj(rest)], -1))
    spectrum = tf.signal.fft(_complex(signal))
    return _parts(spectrum[..., : dims_of(spectrum)[-1] // 2 + 1] if onesided else spectrum)


def _inverse(signal: tf.Tensor) -> tf.Tensor:
    return _parts(tf.signal.ifft(_complex(signal)))


def _inverse_real(signal: tf.Tensor, length: Dim) -> tf.Tensor:
    if isinstance(length, int) and length < 1:
        raise ValueError(f"half of a spectrum of {length} elements has no inverse: state a dft_length of 1 or more")
    if not isinstance(length, int):  # TensorFlow takes it for granted
        check = tf.debugging.Assert(
            length > 0, ["half of a spectrum without elements has no inverse; dft_length", length]
        )
        with tf.control_dependencies([check]):
            length = tf.identity(length)
    return tf.signal.irfft(_complex(signal), _ints([length]))[..., tf.newaxis]


def fitted(signal: tf.Tensor, length: Dim) -> tf.Tensor:
    """Cut or fill with zeros the last axis but one."""
    size = dims_of(signal)[-2]
    if isinstance(size, int) and isinstance(length, int) and size == length:
        return signal
    signal = signal[..., :length, :]
    missing = tf.cast(length, tf.int32) - tf.shape(signal)[-2]
    padded = tf.pad(signal, [*[[0, 0]] * (rank_of(signal) - 2), [0, missing], [0, 0]])
    size = length if isinstance(length, int) else None
    padded.set_shape([*signal.shape[:-2], size, signal.shape[-1]])
    return padded


def _computable(x: tf.Tensor) -> tf.Tensor:
    return tf.cast(x, tf.float32) if x.dtype in (tf.float16, tf.bfloat16) else x


def _complex(x: tf.Tensor) -> tf.Tensor:
    """Return [..., 1 or 2], real and imaginary parts, as complex numbers."""
    if x.shape[-1] != 2:
        x = tf.pad(x, [*[[0, 0]] * (rank_of(x) - 1), [0, 2 - tf.shape(x)[-1]]])
    return tf.complex(x[..., 0], x[..., 1])


def _parts(x: tf.Tensor) -> tf.Tensor:
    """Return complex numbers as real and imaginary parts on a new last axis."""
    return tf.stack([tf.math.real(x), tf.math.imag(x)], -1)


def _ints(numbers: Sequence[Dim]) -> tf.Tensor:
    """Return numbers and scalars as an int32 vector."""
    return tf.stack([tf.cast(n, tf.int32) for n in numbers])


def register_fourier(fourier: Fourier, target: str = "") -> None:
    """Register DFT and STFT with the transforms of a target."""
    for op_type, since, handler in (("DFT", 17, _dft_17), ("DFT", 20, _dft_20), ("STFT", 17, _stft)):
        onnx_op(op_type, since=since, target=target)(functools.partial(handler, fourier))


register_fourier(Fourier(_transformed, _inverse, _inverse_real))


MAX_WINDOW = 1 << 26
"""The largest window that is made of a size in the file: as float64 it takes half a gigabyte."""


def register_windows(dtype: tf.DType, target: str = "") -> None:
    """Register the windows, computed in a dtype, for one target or for all."""
    onnx_op("HannWindow", since=17, target=target)(_window(dtype, 0.5, -0.5))
    onnx_op("HammingWindow", since=17, target=target)(_window(dtype, 25 / 46, -21 / 46))
    onnx_op("BlackmanWindow", since=17, target=target)(_window(dtype, 0.42, -0.5, 0.08))


def _window(dtype: tf.DType, *weights: float) -> Callable[..., tf.Tensor]:
    """Return the handler of a window that is a sum of cosines of growing frequency."""

    def handler(size: tf.Tensor, *, output_datatype: int, periodic: int) -> tf.Tensor:
        known = tf.get_static_value(size)
        size = tf.reshape(size, [])
        if known is not None and known.item() > MAX_WINDOW:
            raise ValueError(
                f"a window of {known.item()} elements is larger than any signal: {MAX_WINDOW} at most are made"
            )
        period = tf.cast(size if periodic else size - 1, dtype)
        turn = 2 * math.pi * tf.cast(tf.range(size), dtype) / period
        terms = [tf.cast(weight, dtype) * tf.cos(k * turn) for k, weight in enumerate(weights)]
        return tf.cast(tf.add_n(terms), to_tf(output_datatype))

    return handler


register_windows(tf.float64)


def register_mel_weight_matrix(dtype: tf.DType, target: str = "") -> None:
    """Register MelWeightMatrix, computed in a dtype, for one target or for all."""

    @onnx_op("MelWeightMatrix", since=17, target=target)
    def mel_weight_matrix(
        num_mel_bins: tf.Tensor,
        dft_length: tf.Tensor,
        sample_rate: tf.Tensor,
        lower_edge_hertz: tf.Tensor,
        upper_edge_hertz: tf.Tensor,
        *,
        output_datatype: int,
    ) -> tf.Tensor:
        bins, length, rate, lower, upper = (
            tf.cast(tf.reshape(t, []), dtype)
            for t in (num_mel_bins, dft_length, sample_rate, lower_edge_hertz, upper_edge_hertz)
        )
        weights = _mel_weights(bins, length, rate, lower, upper)
        return tf.cast(weights, to_tf(output_datatype))


def _mel_weights(bins: tf.Tensor, length: tf.Tensor, rate: tf.Tensor, lower: tf.Tensor, upper: tf.Tensor) -> tf.Tensor:
    low, high = (2595 * tf.math.log1p(hertz / 700) / math.log(10) for hertz in (lower, upper))
    mel = tf.range(bins + 2) * (high - low) / (bins + 2) + low
    points = tf.math.floor((length + 1) * 700 * tf.math.expm1(mel / 2595 * math.log(10)) / rate)
    left, center, right = points[:-2], points[1:-1], points[2:]
    row = tf.range(tf.math.floor(length / 2) + 1)[:, tf.newaxis]
    zero = tf.zeros([], bins.dtype)
    rising = tf.where((row >= left) & (row < center), (row - left) / tf.maximum(center - left, 1), zero)
    falling = tf.where((row > center) & (row < right), (right - row) / tf.maximum(right - center, 1), zero)
    return tf.where(row == center, tf.ones_like(rising), rising + falling)


register_mel_weight_matrix(tf.float64)
