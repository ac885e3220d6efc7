"""Whether data fit the inputs of a model: names, shapes, dtypes, numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from onnx_tf.errors import InputError
from onnx_tf.telling import described, listed

__all__ = ["checked", "divided"]


def checked(sample: Mapping[str, Any], inputs: Sequence[ir.Value], place: str) -> dict[str, np.ndarray]:
    """Return a sample with every array as its input states it.

    Args:
        sample: arrays by the names of inputs.
        inputs: the inputs of the ONNX model.
        place: which sample it is, for messages.

    Raises:
        InputError: a name, shape or dtype does not fit, or numbers are not finite or too large for the dtype.
    """
    names = [str(value.name) for value in inputs]
    unknown = [name for name in sample if name not in names]
    if unknown:
        raise InputError(f"{place}: the model has no input {unknown[0]!r}; its inputs are {listed(names, unknown[0])}")
    for value in inputs:
        if value.name not in sample:
            raise InputError(f"{place}: input {described(value)} is missing; it holds {listed(map(str, sample))}")
    return {str(value.name): _fitting(np.asarray(sample[str(value.name)]), value, place) for value in inputs}


def divided(array: np.ndarray, value: ir.Value, place: str) -> Iterator[np.ndarray]:
    """Yield the samples of an array: its rows where it has one axis more than the input, else parts of its batch.

    Raises:
        InputError: the array has another number of axes, or its first is no multiple of the input's.
    """
    dims = _dims(value)
    if dims is None or array.ndim == len(dims) + 1:
        yield from array
    elif array.ndim == len(dims) - 1 and dims[0] in (None, 1):
        yield array[np.newaxis]
    elif array.ndim == len(dims) and dims:
        size = dims[0] or 1
        if len(array) % size or not len(array):
            raise _unfit(
                value, f"{place} has the shape {list(array.shape)}: {len(array)} rows are no batches of {size}"
            )
        for start in range(0, len(array), size):
            yield array[start : start + size]
    elif array.ndim == len(dims):
        yield array
    else:
        raise _unfit(value, f"{place} has the shape {list(array.shape)}: a sample has {len(dims)} axes")


def _dims(value: ir.Value) -> list[int | None] | None:
    return None if value.shape is None else [dim if isinstance(dim, int) else None for dim in value.shape]


def _unfit(value: ir.Value, reason: str) -> InputError:
    return InputError(f"calibration data do not fit input {described(value)}: {reason}")


def _fitting(array: np.ndarray, value: ir.Value, place: str) -> np.ndarray:
    dims = _dims(value)
    if dims is not None and len(dims) == array.ndim + 1 and dims[0] in (None, 1):
        array = array[np.newaxis]
    if dims is not None and not (
        len(dims) == array.ndim and all(dim in (None, size) for dim, size in zip(dims, array.shape, strict=True))
    ):
        raise _unfit(value, f"{place} has the shape {list(array.shape)}")
    if not array.size:
        raise _unfit(value, f"{place} is empty: its shape is {list(array.shape)}")
    if value.dtype is None:
        return array
    return _of_dtype(array, value, place)


def _of_dtype(array: np.ndarray, value: ir.Value, place: str) -> np.ndarray:
    wanted = value.dtype.numpy()  # type: ignore[union-attr]
    kinds = {np.dtype(bool): "b"}.get(wanted, "iu" if value.dtype.is_integer() else "f")  # type: ignore[union-attr]
    if array.dtype.kind not in kinds and array.dtype != wanted:
        advice = ": scale them to what the model was trained with (mean=, std=)" if kinds == "f" else ""
        raise _unfit(value, f"{place} is of {array.dtype}, not of {wanted}{advice}")
    if kinds == "f" and not _is_finite(array):
        raise _unfit(value, f"{place} holds NaN or infinity, which no steps can hold")
    if kinds == "iu":
        limits = np.iinfo(wanted)
        low, high = array.min(), array.max()
        if low < limits.min or high > limits.max:
            raise _unfit(value, f"{place} holds numbers from {low} to {high}, {wanted} those to {limits.max}")
    with np.errstate(over="ignore"):
        cast = array.astype(wanted, order="C")
    if kinds == "f" and not _is_finite(cast):
        raise _unfit(value, f"{place} holds numbers up to {np.abs(array).max():.3g}, which {wanted} cannot hold")
    return cast


def _is_finite(array: np.ndarray) -> bool:
    with np.errstate(over="ignore"):  # numpy's own test knows none of the narrow floats
        return bool(np.isfinite(array if array.dtype.kind == "f" else array.astype(np.float32)).all())
