"""Transposed convolutions of quantised models for LiteRT, whose integer kernel takes their weights as they are."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from onnx_tf.handlers._tensors import Dim
from onnx_tf.handlers.litert import transposed_convolution
from onnx_tf.handlers.litert.standing_quantization import TARGET
from onnx_tf.handlers.transposed_convolution import register_conv_transpose


def _form(
    x: tf.Tensor, filters: tf.Tensor, sizes: Sequence[Dim], strides: tuple[int, ...], groups: int, padding: str
) -> tf.Tensor | None:
    # One group is LiteRT's TRANSPOSE_CONV: phases would be convolutions of parts of the weights.
    return None if groups == 1 else transposed_convolution.form(x, filters, sizes, strides, groups, padding)


register_conv_transpose(_form, target=TARGET)
