"""QuantizeLinear and DequantizeLinear that stand for themselves in a graph: an exporter finds them by their steps.

Each is a call of a function that computes the same as elsewhere, and that says in its attribute
``_implements`` which steps it takes. Only what LiteRT has integers for stands so: 8 bits and, for
biases, 32, with steps that the model states. The rest is arithmetic.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import onnx_ir as ir
import tensorflow as tf

from onnx_tf.handlers._tensors import normalize_axis, static_value
from onnx_tf.handlers.quantization import Steps, register_linear
from onnx_tf.registry import STEPS

TARGET = "litert_quantized"
_QUANTIZED = (ir.DataType.INT8, ir.DataType.UINT8)
_CONSTANT = (
    *(*_QUANTIZED, ir.DataType.INT32),
    *(ir.DataType.INT4, ir.DataType.UINT4, ir.DataType.INT2, ir.DataType.UINT2),
)
"""Of what is stored: biases have 32 bits, and weights of fewer bits are integers of 8 as well."""


def stand(compute: Callable[[tf.Tensor, Steps], tf.Tensor], x: tf.Tensor, steps: Steps, to_integers: bool) -> tf.Tensor:
    """Return what is computed, in a form that an exporter finds, where LiteRT has integers for the steps."""
    scale, zero_point = static_value(steps.scale), static_value(steps.zero_point)
    is_known = steps.zero_point is None or zero_point is not None
    if scale is None or not is_known or not _is_standing(x, steps, to_integers):
        return compute(x, steps)
    told = {
        "to_integers": to_integers,
        "dtype": steps.dtype.name,
        "scale": [float(step) for step in scale.ravel()],
        "zero_point": [0] * scale.size if zero_point is None else [int(zero) for zero in zero_point.ravel()],
        "axis": normalize_axis(steps.axis, x.shape.rank) if scale.size > 1 else 0,
    }

    def stands(x: tf.Tensor) -> tf.Tensor:
        # Of its own constants: a function that says what it implements takes nothing from outside.
        zero = None if zero_point is None else tf.constant(zero_point)
        return compute(x, replace(steps, scale=tf.constant(scale), zero_point=zero))

    result = tf.function(
        stands,
        input_signature=[tf.TensorSpec(x.shape, x.dtype)],
        autograph=False,
        experimental_implements=STEPS + json.dumps(told),
    )(x)
    is_floating = (x if to_integers else result).dtype == tf.float32
    return result if is_floating else compute(x, steps)


def _is_standing(x: tf.Tensor, steps: Steps, to_integers: bool) -> bool:
    """Return whether LiteRT has integers for these steps."""
    is_constant = static_value(x) is not None
    if steps.dtype not in (_CONSTANT if is_constant else _QUANTIZED) or steps.scale.dtype != tf.float32:
        return False
    if steps.block_size or steps.scale.shape.rank > 1 or x.shape.rank is None:
        return False
    return not to_integers or (steps.scale.shape.num_elements() == 1 and not is_constant)


register_linear(stand, target=TARGET)
