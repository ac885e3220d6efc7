"""Random inputs for a model, in shapes that it accepts and of values that it is likely to get."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnx_tf.check.uses import index_limit
from onnx_tf.errors import CheckError, InputError, OnnxTfError, either

if TYPE_CHECKING:
    from onnx_tf.check.reference import Reference

__all__ = [
    "DrawnInput",
    "accepted_inputs",
    "described",
    "drawn_array",
    "drawn_inputs",
    "likely_sizes",
    "more_accepted_inputs",
]

SIZES = (8, 2, 1, 32, 64, 224)
"""What is tried for an open dimension of which neither name nor place says what it is."""

_BATCH, _SPATIAL, _SAMPLES = (2, 1), (32, 64, 224, 8), (*SIZES, 4096)
_HINTS: tuple[tuple[str, tuple[int, ...]], ...] = (
    (r"batch|\b(n|b|bs)\b", _BATCH),
    (r"height|width|rows?\b|cols?\b|\b(h|w)\b", _SPATIAL),
    (r"channel|\bc\b", (3, 1, 2, 4)),
    (r"\b(samples|audio|signal|waveform)\b", _SAMPLES),
    (r"seq|len|time|tokens?|frames?|steps?|samples?|\b(s|t|l)\b", (8, 32, 64, 224)),
)
"""What the name of a dimension tells of its sizes."""

_ANONYMOUS = "?"
_SUM = re.compile(r"[\w.]+(?: *\+ *[\w.]+)+")

SEQUENCE_LENGTH = 2

OWN_INPUTS = f"inputs of your own ({either('check={...}', '--input FILE')})"


@dataclass(frozen=True)
class DrawnInput:
    """What is to be drawn for an input.

    Attributes:
        name: the input's ONNX name.
        dtype: the dtype of its elements.
        dims: a size, or the name of an open dimension, for each axis in ONNX order. Dimensions of one
            name have one size; ``a + b`` is a sum of such.
        is_sequence: whether it is a list of such tensors.
        limit: of integers that are looked up in a table, how many rows that has.
    """

    name: str
    dtype: ir.DataType
    dims: tuple[int | str, ...]
    is_sequence: bool = False
    limit: int | None = None


def drawn_inputs(values: Sequence[ir.Value], channels_last: Collection[str] = ()) -> list[DrawnInput]:
    """Return what is to be drawn for graph inputs.

    Args:
        values: the graph inputs.
        channels_last: the names of those that state their shape as N, spatial..., C.

    Raises:
        InputError: no random numbers can stand for an input: its rank or dtype is unknown, or it is a
            map or a string.
    """
    inputs = []
    for value in values:
        if value.shape is None or value.dtype is None or value.dtype is ir.DataType.STRING:
            raise InputError(f"no random numbers can stand for input {value.name!r}: give {OWN_INPUTS}")
        dims = [_dim(dim, f"{_ANONYMOUS}{value.name}.{axis}") for axis, dim in enumerate(value.shape)]
        if value.name in channels_last:
            dims.insert(1, dims.pop())
        kind = value.type.elem_type if isinstance(value.type, ir.OptionalType) else value.type
        limit = index_limit(value) if value.dtype.is_integer() else None
        inputs.append(DrawnInput(str(value.name), value.dtype, tuple(dims), isinstance(kind, ir.SequenceType), limit))
    return inputs


def accepted_inputs(
    inputs: Sequence[DrawnInput], reference: Reference, seed: int = 0
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return random inputs on which a reference runs, and its outputs.

    Floats are between 0 and 1, integers rows of the table in which they are looked up, else 0 or 1. Sizes of open
    dimensions are tried until the reference takes them, if possible such that not all outputs are empty.

    Raises:
        OnnxTfError: it takes none of those that were tried; the message names them.
    """
    empty, tried, reason = None, [], ""
    for sizes in _tries(inputs):
        feed = _feed(inputs, sizes, seed, _likely_values)
        tried.append(", ".join(f"{name}: {described(value)}" for name, value in feed.items()))
        try:
            outputs = reference.run(feed)
        except OnnxTfError as error:
            reason = reason or str(error)
            continue
        if any(map(_has_elements, outputs.values())):
            return feed, outputs
        empty = empty or (feed, outputs)
    if empty is not None:
        return empty
    raise CheckError(
        f"no drawn input runs; tried {'; '.join(tried)}. With the first: {reason}. Give {OWN_INPUTS}, "
        f"or fix the open dimensions ({either('input_shapes', '--input-shape NAME:SIZES')})"
    )


def more_accepted_inputs(
    inputs: Sequence[DrawnInput], given: Mapping[str, Any], reference: Reference, count: int = 2, seed: int = 1
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return further pairs as :func:`accepted_inputs` does, or those of them on which the reference runs.

    The first has other sizes where dimensions are open, and floats of both signs. The second has values at the ends:
    floats are 0, 1 or -1, integers the first or the last row of a table, else 1, masks keep all. The rest have floats
    of both signs.

    Args:
        inputs: what is to be drawn.
        given: inputs that the reference runs on.
        reference: as of :func:`accepted_inputs`.
        count: how many there are to be.
        seed: of the random numbers.
    """
    sizes = _sizes_of(inputs, given)
    others = [(*other, _spread_values) for other in ((grown, seed) for grown in _other_sizes(inputs, sizes))]
    rounds = [others or [(sizes, seed, _spread_values)], [(sizes, seed, _end_values)]]
    rounds += [[(sizes, seed + number, _spread_values)] for number in range(1, count - 1)]
    found = []
    for tries in rounds[:count]:
        for own_sizes, own_seed, values in tries:
            feed = _feed(inputs, own_sizes, own_seed, values)
            try:
                found.append((feed, reference.run(feed)))
                break
            except OnnxTfError:
                continue
    return found


def described(value: Any) -> str:
    """Return dtype and shape of an input, as in ``float32[2, 8]``."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(described, value))}]"
    if value is None or isinstance(value, Mapping):
        return "nothing" if value is None else f"map of {len(value)}"
    array = np.asarray(value)
    return f"{'string' if array.dtype.kind in 'OSU' else array.dtype.name}{list(array.shape)}"


def _has_elements(value: Any) -> bool:
    return any(map(_has_elements, value)) if isinstance(value, (list, tuple)) else bool(np.size(value))


def _dim(dim: Any, anonymous: str) -> int | str:
    if isinstance(dim, int):
        return dim if dim >= 0 else anonymous
    return str(dim.value or anonymous)


def _tries(inputs: Sequence[DrawnInput]) -> Iterator[dict[str, int]]:
    """Yield sizes of the open dimensions: those that are likely, then one size for all."""
    likely: dict[str, tuple[int, ...]] = {}
    for given in inputs:
        for axis, dim in enumerate(given.dims):
            for symbol in _terms(dim):
                if isinstance(symbol, str):
                    likely.setdefault(symbol, _likely(symbol, axis, given))
    rounds = max(map(len, likely.values()), default=1)
    tries = [{s: sizes[i] if i < len(sizes) else sizes[0] for s, sizes in likely.items()} for i in range(rounds)]
    tries += [{s: min(size, max(sizes)) for s, sizes in likely.items()} for size in sorted(SIZES)]
    tries += [{s: 1 if sizes == _BATCH else size for s, sizes in likely.items()} for size in sorted(SIZES)]
    tries += [dict.fromkeys(likely, size) for size in sorted(SIZES)]
    yield from {tuple(sizes.items()): sizes for sizes in tries}.values()


def _terms(dim: int | str) -> list[int | str]:
    if isinstance(dim, int) or not _SUM.fullmatch(dim):
        return [dim]
    return [int(part) if part.strip().isdigit() else part.strip() for part in dim.split("+")]


def _size(dim: int | str, sizes: Mapping[str, int]) -> int:
    return sum(term if isinstance(term, int) else sizes[term] for term in _terms(dim))


def _likely(symbol: str, axis: int, given: DrawnInput) -> tuple[int, ...]:
    rank, words = len(given.dims), re.sub(r"[^a-z0-9]+", " ", symbol.lower())
    for pattern, sizes in _HINTS:
        if not symbol.startswith(_ANONYMOUS) and re.search(pattern, words):
            return sizes
    if axis == 0 and rank > 1:
        return _BATCH
    if axis > 1 and rank > 3:
        return _SPATIAL
    return _SAMPLES if given.dtype.is_floating_point() else SIZES  # of a waveform, few are not enough


def _sizes_of(inputs: Sequence[DrawnInput], given: Mapping[str, Any]) -> dict[str, int]:
    """Return the sizes of the open dimensions with which inputs were drawn."""
    sizes: dict[str, int] = {}
    pairs = [
        (dim, size)
        for drawn in inputs
        for dim, size in zip(
            drawn.dims, np.shape(given[drawn.name][0] if drawn.is_sequence else given[drawn.name]), strict=True
        )
    ]
    for dim, size in sorted(pairs, key=lambda pair: len(_terms(pair[0]))):  # of sums the terms that are none alone
        unknown = [term for term in _terms(dim) if isinstance(term, str) and term not in sizes]
        known = sum(_size(term, sizes) for term in _terms(dim) if term not in unknown)
        sizes |= {term: (size - known) // len(unknown) for term in unknown}
    return sizes


def _other_sizes(inputs: Sequence[DrawnInput], sizes: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Yield other sizes: of all open dimensions, of the batch alone, of the others alone."""
    batch = {dim for given in inputs for dim in given.dims[:1] if dim in sizes and len(given.dims) > 1}
    grown = {dim: size + 1 if dim in batch else 2 * size for dim, size in sizes.items()}
    for changed in (set(sizes), batch, set(sizes) - batch):
        if changed:
            yield {dim: grown[dim] if dim in changed else size for dim, size in sizes.items()}


Values = Callable[[np.random.Generator, Sequence[int], DrawnInput], np.ndarray]
"""Draws the elements of an input."""


def _feed(inputs: Sequence[DrawnInput], sizes: Mapping[str, int], seed: int, values: Values) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {given.name: drawn_array(given, sizes, rng, values) for given in inputs}


def likely_sizes(inputs: Sequence[DrawnInput]) -> dict[str, int]:
    """Return a size for each open dimension, by its symbol: the one that is likely."""
    return next(_tries(inputs))


def _likely_values(rng: np.random.Generator, shape: Sequence[int], given: DrawnInput) -> np.ndarray:
    return rng.integers(0, given.limit or 2, shape) if _is_whole(given) else rng.uniform(0.0, 1.0, shape)


def _spread_values(rng: np.random.Generator, shape: Sequence[int], given: DrawnInput) -> np.ndarray:
    return rng.integers(0, given.limit or 2, shape) if _is_whole(given) else rng.normal(size=shape)


def _end_values(rng: np.random.Generator, shape: Sequence[int], given: DrawnInput) -> np.ndarray:
    if not _is_whole(given):
        return rng.integers(-1, 2, shape)
    return np.ones(shape) if given.limit is None else rng.integers(0, 2, shape) * (given.limit - 1)


def _is_whole(given: DrawnInput) -> bool:
    return given.dtype.is_integer() or given.dtype is ir.DataType.BOOL


def drawn_array(
    given: DrawnInput, sizes: Mapping[str, int], rng: np.random.Generator, values: Values = _likely_values
) -> Any:
    """Return random numbers for an input, a list of two arrays for a sequence.

    Args:
        given: what is to be drawn.
        sizes: the size of each open dimension, by its symbol.
        rng: where the numbers come from.
        values: draws them.
    """
    shape = [_size(dim, sizes) for dim in given.dims]
    count = SEQUENCE_LENGTH if given.is_sequence else 1
    arrays = [np.asarray(values(rng, shape, given)).astype(given.dtype.numpy()) for _ in range(count)]
    return arrays if given.is_sequence else arrays[0]
