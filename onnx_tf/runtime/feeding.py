"""From what users pass to ``run`` to TensorFlow, and back to numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import tensorflow as tf

from onnx_tf.dtypes import carried, is_carried, restored, to_tf
from onnx_tf.errors import InputError
from onnx_tf.model.loading import MAP_TYPE
from onnx_tf.values import Map, MapSequence, OptionalValue, TensorSequence

__all__ = ["bind_inputs", "is_map", "map_spec", "to_numpy"]


def bind_inputs(values: Sequence[ir.Value], inputs: Any, keywords: Mapping[str, Any]) -> list[Any]:
    """Return one TensorFlow value per graph input, checked against what the model states.

    Raises:
        InputError: count, name, rank, static dimension or dtype do not fit.
    """
    feed = _by_name(values, inputs, keywords)
    return [convert_input(value, feed[str(value.name)]) for value in values]


def _by_name(values: Sequence[ir.Value], inputs: Any, keywords: Mapping[str, Any]) -> dict[str, Any]:
    names = [str(value.name) for value in values]
    feed: dict[str, Any] = {}
    if isinstance(inputs, Mapping):
        feed = dict(inputs)
    elif inputs is not None:
        feed = _positional([value for value in values if value.name not in keywords] or values, inputs)
    twice = sorted(feed.keys() & keywords.keys())
    if twice:
        raise InputError(f"input {twice[0]!r} is given twice, once by keyword")
    feed |= keywords
    unknown = [name for name in feed if name not in names]
    if unknown:
        raise InputError(f"the model has no input {unknown[0]!r}; its inputs are {names}")
    missing = [name for name in names if name not in feed]
    if missing:
        raise InputError(f"input {missing[0]!r} is missing: the model takes {names}, got {sorted(feed)}")
    return feed


def _positional(values: Sequence[ir.Value], inputs: Any) -> dict[str, Any]:
    if not isinstance(inputs, (list, tuple)) or (len(values) == 1 and not _is_list_of_inputs(values[0], inputs)):
        inputs = [inputs]
    if len(inputs) != len(values):
        described = ", ".join(_described(value) for value in values)
        plural = "input" if len(values) == 1 else "inputs"
        raise InputError(f"the model takes {len(values)} {plural} ({described}), got {len(inputs)}")
    return {str(value.name): given for value, given in zip(values, inputs, strict=True)}


def _is_list_of_inputs(value: ir.Value, inputs: Sequence[Any]) -> bool:
    """Whether a list given to a single-input model is [input], not the input as nested lists."""
    tensors = sum(isinstance(item, (np.ndarray, tf.Tensor, tf.Variable)) for item in inputs)
    if tensors > 1 and not isinstance(value.type, (ir.SequenceType, ir.OptionalType)):
        return True
    if len(inputs) != 1:
        return False
    kind = value.type.elem_type if isinstance(value.type, ir.OptionalType) else value.type
    if isinstance(kind, ir.SequenceType):
        return isinstance(inputs[0], (list, tuple)) or inputs[0] is None
    if isinstance(inputs[0], (np.ndarray, tf.Tensor, tf.Variable, np.generic)) or inputs[0] is None:
        return True
    rank = None if value.shape is None else len(value.shape)
    return rank is None or np.ndim(inputs[0]) == rank


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
        raise InputError(f"input {value.name!r} is None: the model needs {_described(value)}")
    if isinstance(given, (tf.Tensor, tf.Variable)):
        tensor = tf.convert_to_tensor(given)
    else:
        tensor = _from_numpy(value, given, dtype)
    if tensor.dtype != dtype:
        raise InputError(
            f"input {value.name!r} is {_described(value)}, got {tensor.dtype.name}: "
            f"cast it, for example x.astype({dtype.name!r}) or tf.cast(x, {dtype.name!r})"
        )
    _check_shape(value, tensor)
    return tensor


def _from_numpy(value: ir.Value, given: Any, dtype: tf.DType) -> tf.Tensor:
    is_plain = not hasattr(given, "dtype") and not hasattr(given, "__array__")
    try:
        if dtype == tf.string:
            array = np.asarray(given, dtype=object)
            flat = [s if isinstance(s, bytes) else str(s).encode() for s in array.ravel()]
            return tf.constant(flat, tf.string, shape=array.shape)
        array = np.asarray(given)
        own = _numpy_dtype(value)
        if is_plain and array.dtype != own:
            array = _lossless(value, array)
        return tf.convert_to_tensor(carried(array) if array.dtype == own else array)
    except (TypeError, ValueError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        reason = str(error).splitlines()[0]
        raise InputError(
            f"input {value.name!r} is {_described(value)}, got {type(given).__name__}: {reason}"
        ) from error


def _lossless(value: ir.Value, array: np.ndarray) -> np.ndarray:
    """Give Python numbers the input's dtype, unless that changes integers or drops fractions."""
    assert value.dtype is not None
    unfit = InputError(f"input {value.name!r} is {_described(value)}, which cannot hold the given values")
    if array.dtype.kind in "OSU" or (array.dtype.kind == "c" and not value.dtype.name.startswith("COMPLEX")):
        raise unfit
    converted = array.astype(_numpy_dtype(value))
    integral = np.issubdtype(array.dtype, np.integer) or array.dtype == bool or not value.dtype.is_floating_point()
    if integral and not np.array_equal(converted.astype(array.dtype), array):
        raise unfit
    return converted


def _numpy_dtype(value: ir.Value) -> np.dtype:
    assert value.dtype is not None
    return value.dtype.numpy()


def _check_shape(value: ir.Value, tensor: tf.Tensor) -> None:
    if value.shape is None:
        return
    fits = len(value.shape) == tensor.shape.rank and all(
        not isinstance(expected, int) or expected == actual
        for expected, actual in zip(value.shape, tensor.shape, strict=True)
    )
    if not fits:
        raise InputError(f"input {value.name!r} is {_described(value)}, got shape {list(tensor.shape)}")


def _described(value: ir.Value) -> str:
    dtype = "any" if value.dtype is None else to_tf(value.dtype).name
    if is_carried(value.dtype):
        dtype = f"{_numpy_dtype(value).name} (as {dtype})"
    if value.shape is None:
        return f"{value.name}: {dtype}"
    dims = ", ".join(str(dim if isinstance(dim, int) else dim.value or "?") for dim in value.shape)
    return f"{value.name}: {dtype}[{dims}]"


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
