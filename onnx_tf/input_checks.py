"""Whether what is passed to a model fits its inputs, told from names, dtypes and shapes alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from onnx_tf.errors import InputError, either
from onnx_tf.telling import described, did_you_mean, listed, type_of
from onnx_tf.value_types import MAP_TYPE

__all__ = [
    "by_name",
    "check_arrays",
    "disagreement",
    "in_own_dtype",
    "numpy_dtype",
    "refuse_dtype",
    "refuse_shape",
    "symbol_sizes",
]


def by_name(values: Sequence[ir.Value], inputs: Any, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was passed to ``run`` by the names of the inputs.

    Args:
        values: the inputs of the model.
        inputs: an array (for a single input), a list or tuple by position, or a dict by name.
        keywords: inputs by name.

    Raises:
        InputError: an input is missing, unknown or given twice.
    """
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
        near = did_you_mean(str(unknown[0]), names)
        raise InputError(f"the model has no input {unknown[0]!r}{near}; its inputs are {listed(names)}")
    missing = [value for value in values if value.name not in feed]
    if missing:
        given = f"got {listed(sorted(feed))}" if feed else "got none"
        also = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        name = missing[0].name
        step = either("pass it by name or position", f"add --input {name}=FILE, or --input {name}=random")
        raise InputError(f"input {name!r}{also} is missing, {given}: {step}; it is {type_of(missing[0])}")
    return feed


def _positional(values: Sequence[ir.Value], inputs: Any) -> dict[str, Any]:
    if not isinstance(inputs, (list, tuple)) or (len(values) == 1 and not _is_list_of_inputs(values[0], inputs)):
        inputs = [inputs]
    if len(inputs) != len(values):
        types = ", ".join(map(described, values))
        plural = "input" if len(values) == 1 else "inputs"
        raise InputError(f"the model takes {len(values)} {plural} ({types}), got {len(inputs)}")
    return {str(value.name): given for value, given in zip(values, inputs, strict=True)}


def _is_list_of_inputs(value: ir.Value, inputs: Sequence[Any]) -> bool:
    """Whether a list given to a single-input model is [input], not the input as nested lists."""
    tensors = sum(_is_tensor(item) for item in inputs)
    if tensors > 1 and not isinstance(value.type, (ir.SequenceType, ir.OptionalType)):
        return True
    if len(inputs) != 1:
        return False
    kind = value.type.elem_type if isinstance(value.type, ir.OptionalType) else value.type
    if isinstance(kind, ir.SequenceType):
        return isinstance(inputs[0], (list, tuple)) or inputs[0] is None
    if _is_tensor(inputs[0]) or isinstance(inputs[0], np.generic) or inputs[0] is None:
        return True
    rank = None if value.shape is None else len(value.shape)
    try:
        return rank is None or np.ndim(inputs[0]) == rank
    except ValueError as error:
        raise InputError(
            f"input {value.name!r} is {type_of(value)}, got lists of different lengths: give an array, or lists that "
            "are equally long"
        ) from error


def _is_tensor(item: Any) -> bool:
    return hasattr(item, "shape") and hasattr(item, "dtype") and not isinstance(item, np.generic)


def numpy_dtype(value: ir.Value) -> np.dtype:
    """Return the dtype of the arrays that an input takes; that of strings is ``object``."""
    assert value.dtype is not None
    return value.dtype.numpy()


def check_arrays(values: Sequence[ir.Value], feed: Mapping[str, Any], moved: Collection[str] = ()) -> None:
    """Check dtypes and shapes of numpy arrays; what else is given is left to the run.

    Args:
        values: the inputs of the model.
        feed: all of them by name.
        moved: the names of those that may be N, spatial..., C in the feed: of these the rank alone counts.

    Raises:
        InputError: an array does not fit.
    """
    for value in values:
        given = feed.get(str(value.name))
        is_plain = isinstance(value.type, ir.TensorType) and MAP_TYPE not in value.meta
        if not isinstance(given, np.ndarray) or not is_plain:
            continue
        is_text = value.dtype is ir.DataType.STRING
        if is_text != (given.dtype.kind in "OUS") or (not is_text and given.dtype != numpy_dtype(value)):
            refuse_dtype(value, str(given.dtype))
        if value.name not in moved:
            refuse_shape(value, given.shape)
        elif value.shape is not None and len(value.shape) != given.ndim:
            raise InputError(f"input {value.name!r} is {type_of(value)}, got shape {list(given.shape)}")


def refuse_dtype(value: ir.Value, given: str) -> None:
    """Refuse an array of another dtype than an input's.

    Raises:
        InputError: always.
    """
    assert value.dtype is not None
    if value.dtype is ir.DataType.STRING:
        step = "pass an array of strings, numpy.array([...], dtype='U')"
    elif given[:1] in "<>|O" or given == "object":
        step = "pass an array of numbers; of Python objects numpy knows no dtype"
    else:
        name = numpy_dtype(value).name
        step = either(f"cast it, for example x.astype({name!r}) or tf.cast(x, {name!r})", "cast it with --cast")
    raise InputError(f"input {value.name!r} is {type_of(value)}, got {given}: {step}")


def refuse_shape(value: ir.Value, shape: Sequence[int]) -> None:
    """Refuse a shape that does not fit an input, with what was probably meant.

    Raises:
        InputError: the rank or a fixed dimension is another.
    """
    if value.shape is None or _fits(list(value.shape), shape):
        return
    raise InputError(f"input {value.name!r} is {type_of(value)}, got shape {list(shape)}{_mend(value, shape)}")


def _fits(stated: Sequence[Any], shape: Sequence[int]) -> bool:
    return len(stated) == len(shape) and all(
        not isinstance(size, int) or size == given for size, given in zip(stated, shape, strict=True)
    )


def _mend(value: ir.Value, shape: Sequence[int]) -> str:
    stated, rank = list(value.shape or ()), len(shape)
    last = either(f"channels_last_inputs=[{value.name!r}]", f"--channels-last-inputs {value.name}")
    to_first = [0, rank - 1, *range(1, rank - 1)]
    if rank > 2 and _fits(stated, [shape[axis] for axis in to_first]):
        return f": it is channels-last; transpose it with x.transpose({to_first}), or convert the model with {last}"
    if _fits(stated[1:], shape) and (not isinstance(stated[0], int) or stated[0] == 1):
        return ": the batch axis is missing; add it with x[numpy.newaxis]"
    if rank > 2 and _fits(stated[1:], [shape[-1], *shape[:-1]]):
        return f": it is channels-last and has no batch axis; x[numpy.newaxis] adds one, {last} takes the order"
    if rank == len(stated) + 1 and shape[0] == 1 and _fits(stated, shape[1:]):
        return ": it has one axis too many; take x[0]"
    return ""


def in_own_dtype(value: ir.Value, array: np.ndarray) -> np.ndarray:
    """Give Python numbers the input's dtype, unless that changes integers or drops fractions.

    Raises:
        InputError: it would.
    """
    assert value.dtype is not None
    unfit = InputError(f"input {value.name!r} is {type_of(value)}, which cannot hold the given values")
    if array.dtype.kind in "OSU" or (array.dtype.kind == "c" and not value.dtype.name.startswith("COMPLEX")):
        raise unfit
    converted = array.astype(numpy_dtype(value))
    integral = np.issubdtype(array.dtype, np.integer) or array.dtype == bool or not value.dtype.is_floating_point()
    if integral and not np.array_equal(converted.astype(array.dtype), array):
        raise unfit
    return converted


def symbol_sizes(values: Sequence[ir.Value], shapes: Mapping[str, Sequence[int]]) -> dict[str, dict[str, int]]:
    """Return for each symbol of open dimensions its size in each input of a known shape."""
    sizes: dict[str, dict[str, int]] = {}
    for value in values:
        shape = shapes.get(str(value.name))
        if shape is None or value.shape is None or len(value.shape) != len(shape):
            continue
        for dim, size in zip(value.shape, shape, strict=True):
            if not isinstance(dim, int) and dim.value is not None:
                sizes.setdefault(dim.value, {}).setdefault(str(value.name), size)
    return sizes


def disagreement(values: Sequence[ir.Value], shapes: Mapping[str, Sequence[int]]) -> str:
    """Return how inputs disagree in the size of a symbol, as in ``n is 2 for a, 3 for b``, ``""`` if they do not."""
    for symbol, sizes in symbol_sizes(values, shapes).items():
        if len(set(sizes.values())) > 1:
            return f"{symbol} is {', '.join(f'{size} for {name}' for name, size in sizes.items())}"
    return ""
