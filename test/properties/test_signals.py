"""Signals and resampling: the smallest sizes, odd lengths, windows of one element."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from test.handlers.check import check_op
from test.handlers.strategies import a_way, few, normal, one_of


def scalar(value, dtype=np.int64):
    return np.array(value, dtype)


@few
@given(data=st.data())
def test_stft(data):
    length, step, frame = data.draw(st.integers(4, 20)), data.draw(st.integers(1, 5)), data.draw(st.integers(1, 4))
    x = normal(data, data.draw(st.integers(1, 2)), length, 1)
    window = one_of(data, None, normal(data, frame))
    onesided = data.draw(st.integers(0, 1))
    starts = range(0, length - frame + 1, step)
    frames = np.stack([x[:, s : s + frame, 0] for s in starts], 1) * (1 if window is None else window)
    spectrum = np.fft.rfft(frames) if onesided else np.fft.fft(frames)
    expected = np.stack([spectrum.real, spectrum.imag], -1).astype(np.float32)
    inputs = [x, scalar(step), window, scalar(frame)]
    ways = {"constants": one_of(data, (), (1, 3)), "through": a_way(data)}
    check_op("STFT", inputs, {"onesided": onesided}, opset=17, atol=1e-4, reference=[expected], **ways)


@few
@given(data=st.data())
def test_windows_of_signals(data):
    op_type, periodic = one_of(data, "HannWindow", "HammingWindow", "BlackmanWindow"), data.draw(st.integers(0, 1))
    size = data.draw(st.integers(2 - periodic, 9))
    size = scalar(size, one_of(data, np.int32, np.int64))
    constants = one_of(data, (), (0,))
    check_op(op_type, [size], {"periodic": periodic}, opset=17, constants=constants, through=["static"], atol=2e-6)


@few
@given(data=st.data())
def test_scale_and_translate(data):
    """TensorFlow's operator, as its exporters write it."""
    x = normal(data, data.draw(st.integers(1, 2)), data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4)), 2)
    size = np.array([data.draw(st.integers(1, 5)) for _ in range(2)], np.int32)
    scale, shift = np.abs(normal(data, 2)) + np.float32(0.5), normal(data, 2)
    attributes = {
        "kernel_type": one_of(data, "lanczos3", "triangle", "keyscubic"),
        "antialias": data.draw(st.integers(0, 1)),
    }
    options = {"kernel_type": attributes["kernel_type"], "antialias": bool(attributes["antialias"])}
    y = tf.raw_ops.ScaleAndTranslate(images=x, size=size, scale=scale, translation=shift, **options)
    inputs, domain, constants = [x, size, scale, shift], "ai.onnx.converters.tensorflow", one_of(data, (), (1,))
    ways = {"constants": constants, "through": ["static"]}
    check_op("ScaleAndTranslate", inputs, attributes, domain=domain, reference=[y.numpy()], **ways)
