"""Experimental operators of opsets 1 to 9, which converters from Core ML, CNTK and Caffe2 wrote.

The standard has dropped them and has no text for them: they are what ONNX Runtime makes of them. The others of
their kind are operators of ai.onnx in another dress, see ``passes/experimental_bodies.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from onnx_tf.handlers._layout import channels_last_op
from onnx_tf.handlers._tensors import rank_of, shaped, widened
from onnx_tf.registry import onnx_op


@onnx_op("Affine")
def affine(x: tf.Tensor, *, alpha: float = 1.0, beta: float = 0.0) -> tf.Tensor:
    """Return ``alpha * x + beta``.

    Limits: Experimental until opset 9, not in the standard: as in ONNX Runtime.
    """
    return widened(lambda x: alpha * x + beta, x)


@onnx_op("ParametricSoftplus")
def parametric_softplus(x: tf.Tensor, *, alpha: float | None = None, beta: float | None = None) -> tf.Tensor:
    """Return ``alpha * log(1 + exp(beta * x))``.

    Limits: Experimental until opset 9, not in the standard: as in ONNX Runtime.
    """
    _need(alpha=alpha, beta=beta)
    return widened(lambda x: alpha * tf.nn.softplus(beta * x), x)


@onnx_op("Scale")
def scale(x: tf.Tensor, *, scale: float = 1.0) -> tf.Tensor:
    """Return ``scale * x``.

    Limits: Experimental until opset 9, not in the standard: as in ONNX Runtime.
    """
    return widened(lambda x: scale * x, x)


@onnx_op("ScaledTanh")
def scaled_tanh(x: tf.Tensor, *, alpha: float | None = None, beta: float | None = None) -> tf.Tensor:
    """Return ``alpha * tanh(beta * x)``.

    Limits: Experimental until opset 9, not in the standard: as in ONNX Runtime.
    """
    _need(alpha=alpha, beta=beta)
    return widened(lambda x: alpha * tf.tanh(beta * x), x)


def _image_scaler_first(x: tf.Tensor, *, bias: Sequence[float] | None = None, scale: float = 1.0) -> tf.Tensor:
    """Return ``scale * x`` with a number added to each channel.

    Limits: Experimental until opset 9, not in the standard: as in ONNX Runtime.
    """
    return _image_scaled(x, bias, scale, axis=1)


@channels_last_op("ImageScaler", channels_first=_image_scaler_first)
def image_scaler(x: tf.Tensor, *, bias: Sequence[float] | None = None, scale: float = 1.0) -> tf.Tensor:
    return _image_scaled(x, bias, scale, axis=3)


def _image_scaled(x: tf.Tensor, bias: Sequence[float] | None, scale: float, axis: int) -> tf.Tensor:
    if bias is None:
        raise ValueError("the required attribute 'bias' is missing")
    if rank_of(x) != 4:
        raise ValueError(f"the input must have four dimensions (N, C, H, W), got {rank_of(x)}")
    if x.shape[axis] not in (None, len(bias)):
        raise ValueError(f"'bias' has {len(bias)} numbers for {x.shape[axis]} channels")
    x = shaped(x, [len(bias) if i == axis else None for i in range(4)])
    places = [len(bias) if i == axis else 1 for i in range(4)]
    return widened(lambda x: scale * x + tf.reshape(tf.cast(bias, x.dtype), places), x)


def _need(**attributes: object) -> None:
    for name, value in attributes.items():
        if value is None:
            raise ValueError(f"the required attribute {name!r} is missing")
