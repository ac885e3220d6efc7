"""Values inside a model as outputs of a signature: in ONNX's order, by operations of TensorFlow."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from onnx_tf.backend_tf_module import BackendTFModule
from onnx_tf.dtypes import carried
from onnx_tf.origins import Grouped, Narrowed, Rearranged, Reordered, Rescaled, Transposed
from onnx_tf.runtime.graph import Held

__all__ = ["Intermediate"]


@dataclass(frozen=True)
class Intermediate:
    """What a signature gives of the values inside a model.

    Attributes:
        held: those that are computed, by ONNX name.
        folded: those that are constants.
    """

    held: Mapping[str, Held]
    folded: Mapping[str, np.ndarray]

    def computing(self, model: BackendTFModule, *, freeze: bool) -> Callable[[Sequence[Any]], dict[str, Any]]:
        """Return a function of a model's inputs, in order, that gives the values by ONNX name within a trace.

        Args:
            model: the module.
            freeze: whether its weights are constants, of the values that they have now.
        """
        probe = model.probe(list(self.held), freeze=freeze)

        def compute(inputs: Sequence[Any]) -> dict[str, Any]:
            values = {name: _in_onnx_order(value, self.held[name]) for name, value in probe(*inputs).items()}
            return values | {name: tf.constant(carried(array)) for name, array in self.folded.items()}

        return compute


def _in_onnx_order(value: Any, held: Held) -> Any:
    if not isinstance(value, tf.Tensor):
        return value
    for step in held.origin.restoring:
        value = _restored(step, value)
    return value


@functools.singledispatch
def _restored(step: Any, tensor: tf.Tensor) -> tf.Tensor:
    """Return what a step of :mod:`onnx_tf.origins` makes of an array, as a tensor."""
    raise NotImplementedError(type(step).__name__)


@_restored.register
def _(step: Transposed, tensor: tf.Tensor) -> tf.Tensor:
    return tf.transpose(tensor, np.argsort(step.axes))


@_restored.register
def _(_: Narrowed, tensor: tf.Tensor) -> tf.Tensor:
    return tf.cast(tensor, tf.float32)


@_restored.register
def _(step: Reordered, tensor: tf.Tensor) -> tf.Tensor:
    before, shape = tensor.shape.rank - 1, tf.shape(tensor)
    pieces = tf.reshape(tensor, tf.concat([shape[:-1], [step.sizes[i] for i in step.order]], 0))
    perm = [*range(before), *(before + i for i in np.argsort(step.order))]
    return tf.reshape(tf.transpose(pieces, perm), shape)


@_restored.register
def _(step: Rescaled, tensor: tf.Tensor) -> tf.Tensor:
    per_channel = (-1, *[1] * (tensor.shape.rank - 2))
    dtype = np.result_type(tensor.dtype.as_numpy_dtype, step.factor.dtype)
    factor, offset = (array.reshape(per_channel).astype(dtype) for array in (step.factor, step.offset))
    return tf.cast(tf.cast(tensor, dtype) * factor + offset, tensor.dtype)


@_restored.register
def _(step: Rearranged, tensor: tf.Tensor) -> tf.Tensor:
    return tf.gather(tensor, np.argsort(step.order), axis=1)


@_restored.register
def _(step: Grouped, tensor: tf.Tensor) -> tf.Tensor:
    shape = tf.shape(tensor)
    rest = tf.reduce_prod(shape[1:]) // step.groups
    return tf.reshape(tensor, tf.stack([shape[0], step.groups, rest]))
