"""Operators of TensorFlow that exporters leave as they are, in whichever domain they choose."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.registry import onnx_op


@onnx_op("ScaleAndTranslate")
@onnx_op("ScaleAndTranslate", domain="ai.onnx.converters.tensorflow")
@onnx_op("ScaleAndTranslate", domain="com.microsoft")
def scale_and_translate(
    images: tf.Tensor,
    size: tf.Tensor,
    scale: tf.Tensor,
    translation: tf.Tensor,
    *,
    antialias: int = 1,
    kernel_type: str = "lanczos3",
    T: int | None = None,
) -> tf.Tensor:
    """Compute TensorFlow's operator: images are N, height, width, channels."""
    del T  # the dtype of the images
    return tf.raw_ops.ScaleAndTranslate(
        images=images,
        size=tf.cast(size, tf.int32),
        scale=scale,
        translation=translation,
        kernel_type=kernel_type,
        antialias=bool(antialias),
    )
