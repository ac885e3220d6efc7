"""Operators of images that ONNX Runtime writes for GPUs alone, against what it fuses them from."""

from __future__ import annotations

import numpy as np

from test.handlers.com_microsoft.case import by_onnx_runtime, case, each

RNG = np.random.default_rng(29)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def last(x):
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


@each("channels_last", [0, 1])
@each("activation", [0, 1])
def group_norm(channels_last, activation):
    x, gamma, beta, skip, bias = normal(2, 4, 3, 5), normal(4), normal(4), normal(2, 4, 3, 5), normal(4)
    nodes = "n = GroupNormalization <num_groups = 2, epsilon = 0.01> (s, x1, x2)"
    nodes += "g = Sigmoid (n) y = Mul (n, g)" if activation else "y = Identity (n)"
    attributes = {"groups": 2, "epsilon": 0.01, "activation": activation, "channels_last": channels_last}
    given = last if channels_last else lambda z: z
    (y,) = by_onnx_runtime("s = Identity (x0)" + nodes, x, gamma, beta)
    yield case("GroupNorm", [given(x), gamma, beta], attributes, reference=[given(y)])
    for skipped in (skip, skip[:, :, :1, :1].copy()):
        (y,) = by_onnx_runtime("s = Add (x0, x3)" + nodes, x, gamma, beta, skipped)
        added = skipped.reshape(2, 4) if skipped.shape[2] == 1 else given(skipped)
        inputs, expected = [given(x), gamma, beta, added], [given(y), given(x + skipped)]
        yield case("SkipGroupNorm", inputs, attributes, outputs=2, reference=expected, through=["dynamic"])
    total = x + skip + bias[:, None, None]
    (y,) = by_onnx_runtime("s = Identity (x0)" + nodes, total, gamma, beta)
    inputs, expected = [given(x), gamma, beta, given(skip), bias], [given(y), given(total)]
    yield case("SkipGroupNorm", inputs, attributes, outputs=2, reference=expected, through=["static"])


@each(
    "attributes",
    [{"dilations": [1, 2]}, {"strides": [2, 1], "pads": [1, 0, 1, 2]}, {"group": 2, "auto_pad": "SAME_UPPER"}],
)
def convolutions(attributes):
    x, w, b = normal(1, 4, 5, 6), normal(4, 4 // attributes.get("group", 1), 3, 3), normal(4)
    written = ", ".join(f'{k} = "{v}"' if isinstance(v, str) else f"{k} = {v}" for k, v in attributes.items())
    (y,) = by_onnx_runtime(f"y = Conv <{written}> (x0, x1, x2)", x, w, b)
    yield case("NhwcConv", [last(x), w, b], attributes, constants=[1, 2], reference=[last(y)])
    z = normal(*y.shape)
    (plain,) = by_onnx_runtime(f"y = Conv <{written}> (x0, x1)", x, w)
    yield case("NhwcConv", [last(x), w], attributes, constants=[1], reference=[last(plain)], through=["dynamic"])
    fused = attributes | {"activation": "Relu"}
    expected = [np.maximum(last(plain), 0)]
    yield case("NhwcFusedConv", [last(x), w], fused, constants=[1], reference=expected, through=["dynamic"])
    expected = [np.maximum(last(y + z), 0)]
    yield case("NhwcFusedConv", [last(x), w, b, last(z)], fused, constants=[1], reference=expected)
