"""Activations: layers of their own, or ``Activation`` by name."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from keras import layers, ops

from onnx_tf.export.keras._place import BUILDERS, Place, constant, floats, is_constant, keras_op, static

MAX_RANK = 5

NAMED = {
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "HardSwish": "hard_silu",
    "Mish": "mish",
}


def _named(name: str) -> Any:
    def build(place: Place, x: Any) -> Any:
        return place.layer(layers.Activation, x, activation=name)

    return build


for _op_type, _name in NAMED.items():
    BUILDERS.register(_op_type, _named(_name), since=1, domain="")


@keras_op("Relu")
def relu(place: Place, x: Any) -> Any:
    return place.layer(layers.ReLU, x) if floats(x) else ops.maximum(x, 0)


@keras_op("LeakyRelu")
def leaky_relu(place: Place, x: Any, *, alpha: float) -> Any:
    if alpha < 0:  # the layer refuses it
        return ops.leaky_relu(x, alpha)
    return place.layer(layers.LeakyReLU, x, negative_slope=alpha)


@keras_op("Elu")
def elu(place: Place, x: Any, *, alpha: float) -> Any:
    return place.layer(layers.ELU, x, alpha=alpha)


@keras_op("Celu")
def celu(place: Place, x: Any, *, alpha: float) -> Any:
    return ops.celu(x, alpha)


@keras_op("Selu", since=6)
def selu(place: Place, x: Any, *, alpha: float, gamma: float) -> Any:
    negative = ops.multiply(ops.subtract(ops.exp(ops.minimum(x, 0.0)), 1.0), alpha)
    return ops.multiply(ops.add(ops.relu(x), negative), gamma)


@keras_op("Gelu")
def gelu(place: Place, x: Any, *, approximate: str) -> Any:
    if approximate == "none":
        return place.layer(layers.Activation, x, activation="gelu")
    return ops.gelu(x, approximate=True)


@keras_op("Gelu", domain="com.microsoft")
def gelu_microsoft(place: Place, x: Any) -> Any:
    return gelu(place, x, approximate="none")


@keras_op("QuickGelu", domain="com.microsoft")
def quick_gelu(place: Place, x: Any, *, alpha: float) -> Any:
    return ops.multiply(x, ops.sigmoid(ops.multiply(x, alpha)))


@keras_op("Swish")
def swish(place: Place, x: Any, *, alpha: float) -> Any:
    if alpha == 1:
        return place.layer(layers.Activation, x, activation="silu")
    return ops.multiply(x, ops.sigmoid(ops.multiply(x, alpha)))


@keras_op("HardSigmoid")
def hard_sigmoid(place: Place, x: Any, *, alpha: float, beta: float) -> Any:
    return ops.clip(ops.add(ops.multiply(x, alpha), beta), 0.0, 1.0)


@keras_op("ThresholdedRelu")
def thresholded_relu(place: Place, x: Any, *, alpha: float) -> Any:
    return ops.where(ops.greater(x, alpha), x, 0.0)


@keras_op("PRelu")
def prelu_1(place: Place, x: Any, slope: Any) -> Any:
    if slope.ndim == 1 and slope.shape[0] != 1:  # one for each channel
        shape = (-1, *[1] * (len(x.shape) - 2))
        slope = slope.reshape(shape) if is_constant(slope) else ops.reshape(slope, shape)
    return prelu_7(place, x, slope)


@keras_op("PRelu", since=7)
def prelu_7(place: Place, x: Any, slope: Any) -> Any:
    rank = len(x.shape)
    if is_constant(slope):
        alpha = slope.reshape((1,) * (rank - slope.ndim) + slope.shape)
        if rank > 1 and alpha.shape[0] == 1:
            shared = [axis for axis in range(1, rank) if alpha.shape[axis] == 1]
            return place.layer(layers.PReLU, x, weights=[alpha[0]], shared_axes=shared)
    return ops.where(ops.less(x, 0), ops.multiply(x, place.operand(slope)), x)


@keras_op("Clip", since=11)
def clip(place: Place, x: Any, low: Any = None, high: Any = None) -> Any:
    bounds = [None if bound is None else constant(place, bound, "bound").item() for bound in (low, high)]
    return _clipped(place, x, *bounds)


@keras_op("Clip", since=6)
def clip_6(place: Place, x: Any, *, min: float, max: float) -> Any:  # noqa: A002
    limit = float(np.finfo(np.float32).max)
    return _clipped(place, x, None if min <= -limit else min, None if max >= limit else max)


def _clipped(place: Place, x: Any, low: Any, high: Any) -> Any:
    low, high = (None if bound is None or math.isinf(bound) else bound for bound in (low, high))
    if low == 0 and floats(x):
        return place.layer(layers.ReLU, x, max_value=high)
    x = x if low is None else ops.maximum(x, low)
    return x if high is None else ops.minimum(x, high)


@keras_op("Softmax", since=13)
def softmax(place: Place, x: Any, *, axis: int) -> Any:
    rank = len(x.shape)
    if rank <= MAX_RANK:
        return place.layer(layers.Softmax, x, axis=axis)
    # TensorFlow's kernel takes no more axes: others become one.
    last = ops.moveaxis(x, axis, -1)
    dims = [-1 if n is None else n for n in last.shape]
    if dims.count(-1) > 1:
        place.refuse(f"it has {rank} axes, of which several are open")
    rows = place.layer(layers.Softmax, ops.reshape(last, (-1, static(place, last, [-1])[0])))
    return ops.moveaxis(ops.reshape(rows, tuple(dims)), -1, axis)


@keras_op("Softmax")
def softmax_1(place: Place, x: Any, *, axis: int) -> Any:
    """Normalize over all axes from one on, which before opset 13 are one."""
    rank = len(x.shape)
    axes = list(range(axis % rank, rank))
    return place.layer(layers.Softmax, x, axis=axes[0] if len(axes) == 1 else axes)


@keras_op("LogSoftmax", since=13)
def log_softmax(place: Place, x: Any, *, axis: int) -> Any:
    return ops.log_softmax(x, axis=axis)


@keras_op("LogSoftmax")
def log_softmax_1(place: Place, x: Any, *, axis: int) -> Any:
    if axis % len(x.shape) != len(x.shape) - 1:
        place.refuse("its axis is not the last one")
    return ops.log_softmax(x, axis=-1)


@keras_op("Dropout", since=12)
def dropout_12(place: Place, x: Any, ratio: Any = None, training_mode: Any = None, *, seed: int | None) -> Any:
    return _dropped(place, x, 0.5 if ratio is None else float(constant(place, ratio, "ratio").item()), seed)


@keras_op("Dropout", since=7)
def dropout_7(place: Place, x: Any, *, ratio: float) -> Any:
    return _dropped(place, x, ratio, None)


@keras_op("Dropout")
def dropout_1(place: Place, x: Any, *, ratio: float, is_test: int) -> Any:
    return _dropped(place, x, ratio, None)


def _dropped(place: Place, x: Any, ratio: float, seed: int | None) -> Any:
    """Return what a layer that only training uses gives: models are written to serve."""
    if any(place.outputs[1:]):
        place.refuse("Keras's dropout gives no mask")
    if not place.drawn.training or is_constant(x) or not 0 < ratio < 1:
        return x
    return place.layer(layers.Dropout, x, rate=ratio, seed=seed)
