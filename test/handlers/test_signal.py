"""Fourier transforms and windows."""

from __future__ import annotations

import numpy as np
import pytest

from test.handlers.check import check_op

RNG = np.random.default_rng(6)
WAYS = ["static", "dynamic", "export"]
REAL = RNG.normal(size=(2, 9, 4, 1)).astype(np.float32)
COMPLEX = RNG.normal(size=(2, 9, 4, 2)).astype(np.float32)


def scalar(value, dtype=np.int64):
    return np.array(value, dtype)


@pytest.mark.parametrize("length", [None, 5, 9, 12])
@pytest.mark.parametrize("axis", [1, -2])
@pytest.mark.parametrize(("x", "onesided", "inverse"), [(REAL, 0, 0), (REAL, 1, 0), (COMPLEX, 0, 0), (COMPLEX, 0, 1)])
def test_dft(x, onesided, inverse, axis, length):
    attributes = {"onesided": onesided, "inverse": inverse}
    given = [x, None if length is None else scalar(length), scalar(axis)]
    settings = {"opset": 20, "reference": "onnx", "rtol": 1e-4, "atol": 1e-4}
    check_op("DFT", given, attributes, constants=[2], through=["dynamic"], **settings)
    check_op("DFT", given, attributes, through=["static"], **settings)


@pytest.mark.parametrize("length", [None, 9, 16])
def test_inverse_onesided_dft(length):
    given = [COMPLEX, None if length is None else scalar(length), scalar(1)]
    check_op("DFT", given, {"onesided": 1, "inverse": 1}, opset=20, constants=[2], reference="onnx", atol=1e-4)


def test_dft_17_and_float64():
    check_op("DFT", [REAL.astype(np.float64)], {"axis": 2}, opset=17, reference="onnx", through=WAYS)


@pytest.mark.parametrize("onesided", [0, 1])
@pytest.mark.parametrize("constants", [(), (1, 3)])
def test_stft(onesided, constants):
    signal = RNG.normal(size=(2, 64, 1)).astype(np.float32)
    window = np.hanning(16).astype(np.float32)
    settings = {"opset": 17, "constants": constants, "atol": 1e-4}
    check_op("STFT", [signal, scalar(8), window, scalar(16)], {"onesided": onesided}, through=WAYS, **settings)
    check_op("STFT", [signal, scalar(5), None, scalar(12)], {"onesided": onesided}, **settings)
    check_op("STFT", [signal, scalar(8), window], {"onesided": onesided}, reference="onnx", **settings)


@pytest.mark.parametrize("op", ["HannWindow", "HammingWindow", "BlackmanWindow"])
@pytest.mark.parametrize("periodic", [0, 1])
@pytest.mark.parametrize("size", [1, 2, 9])
def test_windows(op, periodic, size):
    if size == 1 and not periodic:
        return  # 0 / 0
    check_op(op, [scalar(size)], {"periodic": periodic}, opset=17, through=["static"], atol=2e-6)
    check_op(op, [scalar(size)], {"periodic": periodic, "output_datatype": 11}, opset=17, constants=[0], atol=2e-6)


@pytest.mark.parametrize(("bins", "length", "rate"), [(8, 16, 8192), (40, 512, 16000), (80, 400, 16000)])
def test_mel_weight_matrix(bins, length, rate):
    given = [scalar(bins), scalar(length), scalar(rate), scalar(20, np.float32), scalar(rate / 2, np.float32)]
    check_op("MelWeightMatrix", given, opset=17, through=["static"])
