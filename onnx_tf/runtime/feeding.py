"""From what users pass to ``run`` to TensorFlow, and back to numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import tensorflow as tf

from onnx_tf.dtypes import carried, is_carried, restored, to_tf
from onnx_tf.errors import InputError
from onnx_tf.input_checks import by_name, in_own_dtype, numpy_dtype, refuse_dtype, refuse_shape
from onnx_tf.telling import type_of
from onnx_tf.value_types import MAP_TYPE
from onnx_tf.values import Map, MapSequence, OptionalValue, TensorSequence

__all__ = ["bind_inputs", "is_map", "map_spec", "to_numpy"]


def bind_inputs(values: Sequence[ir.Value], inputs: Any, keywords: Mapping[str, Any]) -> list[Any]:
    """Return one TensorFlow value per graph input, checked against what the model states.

    Raises:
        InputError: count, name, rank, static dimension or dtype do not fit.
    """
    feed = by_name(values, inputs, keywords)
    return [convert_input(value, feed[str(value.name)]) for value in values]


def convert_input(value: ir.Value, given: Any) -> Any:
    """Return one given input as a tensor (or what stands for a sequence or optional)."""
    if is_map(value):
        return _convert_map(value, given)
    if isinstance(value.type, ir.OptionalType):
        return None if given is None else _convert_element(value, value.type.elem_type, given)
    return _convert_element(value, value.type, given)


def is_map(value: ir.Value) -> bool:
    """Return whether a graph input is a map."""
    return MAP_TYPE in value.meta and value.meta[MAP_TYPE].HasField("map_type")


def map_spec(value: ir.Value) -> tf.TypeSpec:
    """Return the spec of a graph input that is a map."""
    kind = value.meta[MAP_TYPE].map_type
    keys, values = to_tf(kind.key_type), to_tf(kind.value_type.tensor_type.elem_type)
    return Map.Spec(keys=tf.TensorSpec([None], keys), values=tf.TensorSpec([None], values))


def _convert_map(value: ir.Value, given: Any) -> Map:
    if isinstance(given, Map):
        return given
    if not isinstance(given, Mapping):
        raise InputError(f"input {value.name!r} is a map: pass a dict, got {type(given).__name__}")
    spec = map_spec(value)
    try:
        keys = tf.constant(list(given.keys()), spec.keys.dtype, [len(given)])
        return Map(keys, tf.constant(list(given.values()), spec.values.dtype, [len(given)]))
    except (TypeError, ValueError) as error:
        expected = f"{spec.keys.dtype.name} keys and {spec.values.dtype.name} values"
        raise InputError(f"input {value.name!r} is a map with {expected}: {str(error).splitlines()[0]}") from error


def _convert_element(value: ir.Value, kind: Any, given: Any) -> Any:
    if isinstance(kind, ir.SequenceType):
        if isinstance(given, (np.ndarray, tf.Tensor)):
            given = list(given)
        if not isinstance(given, (list, tuple)):
            raise InputError(f"input {value.name!r} is a sequence: pass a list, got {type(given).__name__}")
        return [_convert_element(value, kind.elem_type, item) for item in given]
    return _convert_tensor(value, given)


def _convert_tensor(value: ir.Value, given: Any) -> tf.Tensor:
    if value.dtype is None:
        return tf.convert_to_tensor(given)
    dtype = to_tf(value.dtype)
    if given is None:
        raise InputError(f"input {value.name!r} is None: the model needs {type_of(value)}")
    if isinstance(given, (tf.Tensor, tf.Variable)):
        tensor = tf.convert_to_tensor(given)
    else:
        tensor = _from_numpy(value, given, dtype)
    if tensor.dtype != dtype:
        refuse_dtype(value, tensor.dtype.name)
    refuse_shape(value, list(tensor.shape))
    return tensor


def _from_numpy(value: ir.Value, given: Any, dtype: tf.DType) -> tf.Tensor:
    is_plain = not hasattr(given, "dtype") and not hasattr(given, "__array__")
    try:
        if dtype == tf.string:
            if not is_plain and np.asarray(given).dtype.kind not in "OUS":
                refuse_dtype(value, np.asarray(given).dtype.name)
            array = np.asarray(given, dtype=object)
            flat = [s if isinstance(s, bytes) else str(s).encode() for s in array.ravel()]
            return tf.constant(flat, tf.string, shape=array.shape)
        array = np.asarray(given)
        own = numpy_dtype(value)
        if array.dtype == object and not is_plain:
            refuse_dtype(value, "object")
        if is_plain and array.dtype != own:
            array = in_own_dtype(value, array)
        return tf.convert_to_tensor(carried(array) if array.dtype == own else array)
    except (TypeError, ValueError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        reason = str(error).splitlines()[0]
        raise InputError(f"input {value.name!r} is {type_of(value)}, got {type(given).__name__}: {reason}") from error


def to_numpy(result: Any, dtype: ir.DataType | None = None) -> Any:
    """Return a result of the module as numpy: arrays, lists for sequences, dicts for maps, ``None`` for no value.

    Args:
        result: the result.
        dtype: the ONNX dtype of its elements; needed for those that TensorFlow carries in another.
    """
    if isinstance(result, (list, tuple)):
        return [to_numpy(item, dtype) for item in result]
    if isinstance(result, dict):
        return {to_numpy(key): to_numpy(item) for key, item in result.items()}
    if isinstance(result, OptionalValue):
        return to_numpy(result.element, dtype) if result.flag else None
    if isinstance(result, TensorSequence):
        return to_numpy(result.elements(), dtype)
    if isinstance(result, MapSequence):
        keys = to_numpy(result.keys).tolist()
        return [dict(zip(keys, row, strict=True)) for row in to_numpy(result.values).tolist()]
    if isinstance(result, Map):
        return dict(zip(to_numpy(result.keys).tolist(), to_numpy(result.values).tolist(), strict=True))
    if not isinstance(result, (tf.Tensor, tf.Variable)):
        return result
    array = np.asarray(result.numpy())
    if result.dtype == tf.string:
        return _decoded(array)
    return restored(array, dtype) if is_carried(dtype) else array


def _decoded(array: np.ndarray) -> np.ndarray:
    flat = [item.decode("utf-8", errors="surrogateescape") for item in array.ravel()]
    decoded = np.empty(len(flat), object)
    decoded[:] = flat
    return decoded.reshape(array.shape)
