"""Normalizations: layers wherever scale and shift are constants."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import layers, ops

from onnx_tf.export.keras._place import Place, constant, is_constant, keras_op, static

FREE: dict[str, Any] = {"gamma_initializer": "zeros", "beta_initializer": "zeros"}


@keras_op("BatchNormalization", since=7, channels_last=True)
def batch_normalization(
    place: Place,
    x: Any,
    scale: Any,
    bias: Any,
    mean: Any,
    var: Any,
    *,
    epsilon: float,
    momentum: float,
    spatial: int | None,
    training_mode: int | None,
) -> Any:
    if spatial == 0 or any(place.outputs[1:]):
        place.refuse("Keras normalizes by channel, and gives no statistics")
    weights = [constant(place, value, "statistics") for value in (scale, bias, mean, var)]
    initial: dict[str, Any] = {"moving_mean_initializer": "zeros", "moving_variance_initializer": "zeros"}
    return place.layer(
        layers.BatchNormalization, x, weights=weights, epsilon=epsilon, momentum=momentum, **FREE, **initial
    )


@keras_op("InstanceNormalization", since=6, channels_last=True)
def instance_normalization(place: Place, x: Any, scale: Any, bias: Any, *, epsilon: float) -> Any:
    (channels,) = static(place, x, [-1])
    return _groups(place, x, scale, bias, channels, epsilon)


@keras_op("GroupNormalization", since=21, channels_last=True)
def group_normalization(
    place: Place,
    x: Any,
    scale: Any,
    bias: Any,
    *,
    epsilon: float,
    num_groups: int,
    stash_type: int,
) -> Any:
    return _groups(place, x, scale, bias, num_groups, epsilon)


@keras_op("GroupNormalization", since=18, channels_last=True)
def group_normalization_18(place: Place, x: Any, scale: Any, bias: Any, *, epsilon: float, num_groups: int) -> Any:
    """Normalize with one scale and shift for each group."""
    (channels,) = static(place, x, [-1])
    scale, bias = (np.repeat(constant(place, v, "scale and shift"), channels // num_groups) for v in (scale, bias))
    return _groups(place, x, scale, bias, num_groups, epsilon)


def _groups(place: Place, x: Any, scale: Any, bias: Any, groups: int, epsilon: float) -> Any:
    weights = [constant(place, value, "scale and shift") for value in (scale, bias)]
    return place.layer(layers.GroupNormalization, x, weights=weights, groups=groups, epsilon=epsilon, **FREE)


@keras_op("LayerNormalization")
def layer_normalization(
    place: Place,
    x: Any,
    scale: Any,
    bias: Any = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> Any:
    if any(place.outputs[1:]):
        place.refuse("Keras's layer gives neither mean nor deviation")
    rank = len(x.shape)
    axes = list(range(axis % rank, rank))
    dims = static(place, x, axes)
    gamma = np.broadcast_to(constant(place, scale, "scale"), dims)
    weights = [gamma] if bias is None else [gamma, np.broadcast_to(constant(place, bias, "shift"), dims)]
    return place.layer(
        layers.LayerNormalization,
        x,
        weights=weights,
        axis=axes[0] if len(axes) == 1 else axes,
        epsilon=epsilon,
        center=bias is not None,
        **FREE,
    )


@keras_op("RMSNormalization", since=23)
def rms_normalization(
    place: Place, x: Any, scale: Any, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> Any:
    rank = len(x.shape)
    axes = list(range(axis % rank, rank))
    layer = getattr(layers, "RMSNormalization", None)  # since Keras 3.9
    if layer is not None and len(axes) == 1 and is_constant(scale) and scale.shape == (x.shape[-1],):
        return place.layer(layer, x, weights=[scale], axis=-1, epsilon=epsilon)
    squares = ops.mean(ops.square(x), axis=tuple(axes), keepdims=True)
    return ops.multiply(ops.multiply(x, ops.rsqrt(ops.add(squares, epsilon))), place.operand(scale))


@keras_op("MeanVarianceNormalization")
def mean_variance_normalization(place: Place, x: Any, *, axes: tuple[int, ...]) -> Any:
    centered = ops.subtract(x, ops.mean(x, axis=tuple(axes), keepdims=True))
    return ops.divide(centered, ops.add(ops.std(x, axis=tuple(axes), keepdims=True), 1e-9))


@keras_op("LpNormalization")
def lp_normalization(place: Place, x: Any, *, axis: int, p: int) -> Any:
    size = ops.sum(ops.abs(x) if p == 1 else ops.square(x), axis=axis, keepdims=True)
    size = size if p == 1 else ops.sqrt(size)
    return ops.where(ops.equal(size, 0), ops.zeros_like(x), ops.divide(x, size))
