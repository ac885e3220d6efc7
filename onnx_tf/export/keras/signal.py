"""Fourier transforms: real and imaginary parts on the last axis."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from onnx_tf.export.keras._place import Place, constant, keras_op, static


@keras_op("DFT", since=17)
def dft_17(place: Place, x: Any, dft_length: Any = None, *, axis: int, inverse: int, onesided: int) -> Any:
    return _dft(place, x, dft_length, axis, inverse, onesided)


@keras_op("DFT", since=20)
def dft_20(place: Place, x: Any, dft_length: Any = None, axis: Any = None, *, inverse: int, onesided: int) -> Any:
    along = -2 if axis is None else int(constant(place, axis, "axis").item())
    return _dft(place, x, dft_length, along, inverse, onesided)


def _dft(place: Place, x: Any, dft_length: Any, axis: int, inverse: int, onesided: int) -> Any:
    x = place.tensor(x)
    axis %= len(x.shape)
    if inverse and onesided:
        place.refuse("its inverse of half a spectrum has no form here")
    signal = ops.moveaxis(x, axis, -2)
    (size,) = static(place, signal, [-2])
    length = size if dft_length is None else int(constant(place, dft_length, "length").item())
    if length < size:
        signal = signal[..., :length, :]
    elif length > size:
        signal = ops.pad(signal, (*((0, 0),) * (len(x.shape) - 2), (0, length - size), (0, 0)))
    return ops.moveaxis(_transformed(signal, length, bool(inverse), bool(onesided)), -2, axis)


def _transformed(signal: Any, length: int, inverse: bool, onesided: bool) -> Any:
    """Return the transform of [..., length, 1 or 2] along the last axis but one."""
    real = signal[..., 0]
    imaginary = signal[..., 1] if signal.shape[-1] == 2 else ops.zeros_like(real)
    if inverse:
        # The transform of what is mirrored: conjugated before and after, and divided by its length.
        real, imaginary = ops.fft((real, ops.negative(imaginary)))
        real, imaginary = ops.divide(real, float(length)), ops.divide(imaginary, float(-length))
    elif onesided and signal.shape[-1] == 1:
        real, imaginary = ops.rfft(real)
    else:
        real, imaginary = ops.fft((real, imaginary))
        if onesided:
            real, imaginary = (part[..., : length // 2 + 1] for part in (real, imaginary))
    return ops.stack([real, imaginary], axis=-1)


@keras_op("STFT", since=17)
def stft(
    place: Place, signal: Any, frame_step: Any, window: Any = None, frame_length: Any = None, *, onesided: int
) -> Any:
    x = place.tensor(signal)
    x = x if len(x.shape) == 2 else x[..., 0] if x.shape[-1] == 1 else place.refuse("its signal is complex")
    step = int(constant(place, frame_step, "step").item())
    if frame_length is not None:
        length = int(constant(place, frame_length, "length").item())
    else:
        length = static(place, x, [1])[0] if window is None else int(window.shape[0])
    frames = ops.extract_sequences(x, length, step)
    if window is not None:
        frames = ops.multiply(frames, place.operand(window))
    return _transformed(ops.expand_dims(frames, -1), length, False, bool(onesided))


def _window(first: float, second: float, third: float = 0.0) -> Any:
    def build(place: Place, size: Any, *, output_datatype: int, periodic: int) -> Any:
        if output_datatype not in (1, 11):
            place.refuse("its dtype has no form here")
        count = int(constant(place, size, "size").item())
        turn = 2 * np.pi * np.arange(count) / max(1, count if periodic else count - 1)
        values = first + second * np.cos(turn) + third * np.cos(2 * turn)
        return values.astype(np.float32 if output_datatype == 1 else np.float64)

    return build


for _op_type, _terms in (
    ("HannWindow", (0.5, -0.5)),
    ("HammingWindow", (25 / 46, -21 / 46)),
    ("BlackmanWindow", (0.42, -0.5, 0.08)),
):
    keras_op(_op_type, since=17)(_window(*_terms))
