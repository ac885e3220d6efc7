"""Fourier transforms in .tflite files, against NumPy: ONNX Runtime is off by 1e-4 where lengths are no powers of 2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest

from test.handlers.check import make_op_model
from test.litert.check import check_tflite


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def transformed(x: np.ndarray, length: int, axis: int, inverse: int, onesided: int) -> np.ndarray:
    values = (x[..., 0] + (1j * x[..., 1] if x.shape[-1] == 2 else 0)).astype(np.complex128)
    if inverse and onesided:
        return np.fft.irfft(values, length, axis)[..., np.newaxis].astype(np.float32)
    spectrum = (np.fft.ifft if inverse else np.fft.fft)(values, length, axis)
    if onesided:
        spectrum = np.take(spectrum, range(length // 2 + 1), axis)
    return np.stack([spectrum.real, spectrum.imag], -1).astype(np.float32)


def opened(model: onnx.ModelProto, axes: Sequence[int]) -> onnx.ModelProto:
    for axis in axes:
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = f"d{axis}"
    return model


CASES: list[tuple[tuple[int, ...], int | None, int, int, int, tuple[int, ...]]] = [
    ((2, 300, 1), None, 1, 0, 1, (0,)),
    ((2, 30, 1), 41, 1, 0, 0, ()),
    ((3, 20, 5, 2), None, 1, 0, 0, ()),
    ((2, 30, 2), 17, 1, 1, 0, (0, 1)),
    ((2, 16, 2), 30, 1, 1, 1, ()),
    ((2, 16, 2), 31, 1, 1, 1, (1,)),
    ((2, 300, 2), None, 1, 0, 0, (1,)),
    ((2, 40, 1), None, 1, 0, 1, (0, 1)),
]


@pytest.mark.parametrize(("shape", "length", "axis", "inverse", "onesided", "axes"), CASES)
def test_dft(tmp_path, shape, length, axis, inverse, onesided, axes):
    x = noise(*shape)
    inputs: list[Any] = [x, None if length is None else np.array(length), np.array(axis)]
    model = make_op_model("DFT", inputs, {"inverse": inverse, "onesided": onesided}, constants=[1, 2], opset=20)
    expected = transformed(x, length or shape[axis], axis, inverse, onesided)
    check_tflite(opened(model, axes), {"x0": x}, tmp_path, expected=[{"y0": expected}])


@pytest.mark.parametrize("axes", [(), (0, 1)])
def test_stft(tmp_path, axes):
    x, window = noise(2, 400, 1), np.hanning(160).astype(np.float32)
    model = make_op_model("STFT", [x, np.array(80), window, np.array(160)], constants=[1, 2, 3], opset=17)
    frames = np.stack([x[:, start : start + 160] * window[:, np.newaxis] for start in range(0, 241, 80)], 1)
    expected = transformed(frames, 160, 2, 0, 1)
    check_tflite(opened(model, axes), {"x0": x}, tmp_path, expected=[{"y0": expected}])
