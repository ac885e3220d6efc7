"""What ``run`` is given most often, arrays and tensors just as the model states its inputs, told at once.

All that is to be converted, and all that is to be refused, is left to :mod:`onnx_tf.runtime.feeding`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import tensorflow as tf

from onnx_tf.dtypes import is_carried, to_tf
from onnx_tf.input_checks import numpy_dtype
from onnx_tf.runtime.feeding import is_map

__all__ = ["PlainInputs"]

_Fits = Callable[[Any], bool]


class PlainInputs:
    """The inputs of a model, each a tensor of a dtype that numpy and TensorFlow both have."""

    def __init__(self, values: Sequence[ir.Value]) -> None:
        """Take the inputs of a model for which :meth:`are_plain` holds."""
        self._names = tuple(str(value.name) for value in values)
        self._fits = tuple(map(_fits, values))

    @staticmethod
    def are_plain(values: Sequence[ir.Value]) -> bool:
        """Return whether all inputs of a model are such tensors; it has some."""
        return bool(values) and all(map(_is_plain, values))

    def of(self, inputs: Any, keywords: Mapping[str, Any]) -> Sequence[Any] | None:
        """Return the inputs in order: arrays and tensors with elements; ``None`` where anything else is given.

        Args:
            inputs: what :meth:`onnx_tf.TensorflowRep.run` takes.
            keywords: inputs by name.
        """
        given: Sequence[Any]
        if keywords or isinstance(inputs, Mapping):
            named = keywords or inputs
            if (keywords and inputs is not None) or named.keys() != set(self._names):
                return None
            given = [named[name] for name in self._names]
        else:
            given = inputs if type(inputs) in (list, tuple) else (inputs,)
        if len(given) != len(self._names):
            return None
        for item, fits in zip(given, self._fits, strict=True):
            if not fits(item):
                return None
        return given


def _is_plain(value: ir.Value) -> bool:
    is_tensor = isinstance(value.type, ir.TensorType) and not is_map(value)
    return is_tensor and value.dtype not in (None, ir.DataType.STRING) and not is_carried(value.dtype)


def _fits(value: ir.Value) -> _Fits:
    """Return what tells whether something is an array or a tensor of the dtype and shape of an input, and not empty."""
    assert value.dtype is not None
    own, dtype = numpy_dtype(value), to_tf(value.dtype)
    rank = None if value.shape is None else len(value.shape)
    fixed = [(axis, n) for axis, n in enumerate(value.shape or ()) if isinstance(n, int)]

    def fits(given: Any) -> bool:
        if type(given) is np.ndarray:
            if given.dtype != own:
                return False
        elif not isinstance(given, tf.Tensor) or given.dtype != dtype:
            return False
        shape = given.shape
        if rank is not None and len(shape) != rank:
            return False
        return all(shape[axis] == n for axis, n in fixed) and 0 not in shape

    return fits
