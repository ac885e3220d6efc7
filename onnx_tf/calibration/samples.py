"""Samples of a model's inputs, from all that users give, each checked against what the model states."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx_ir as ir

from onnx_tf.calibration.checking import checked, divided
from onnx_tf.calibration.data_file import DataFile, arrays_in, samples_of
from onnx_tf.errors import InputError
from onnx_tf.telling import described, listed

__all__ = ["Data", "Samples", "collected"]

Sample = Mapping[str, Any]
Data = (
    Mapping[str, Any]
    | Callable[[], Iterable[Sample]]
    | Iterable[Sample]
    | str
    | os.PathLike[str]
    | DataFile
    | Literal["random"]
)
"""Arrays or files by the names of inputs; samples by these names, one after another, or what gives them; a .npz file of
arrays by these names; what lies in one file or folder, for a model of one input; or random numbers."""


class Samples:
    """Samples that lie in a folder, one after another: only one is in memory at a time.

    Attributes:
        names: the inputs, in ONNX order.
        origin: what is told of where they come from.
    """

    def __init__(self, folder: Path, names: Sequence[str], origin: str) -> None:
        self.folder, self.names, self.origin = folder, list(names), origin
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        with np.load(self.folder / f"{index}.npz") as arrays:
            return {name: arrays[f"arr_{place}"] for place, name in enumerate(self.names)}

    def add(self, sample: Mapping[str, np.ndarray]) -> None:
        """Add a sample."""
        np.savez(self.folder / f"{self._count}.npz", *(sample[name] for name in self.names))
        self._count += 1


def collected(
    data: Data, inputs: Sequence[ir.Value], folder: Path, progress: Callable[[str], None] = lambda _: None
) -> Samples:
    """Read data, check every sample, and put it into a folder.

    Args:
        data: what the user gave; random numbers are drawn elsewhere.
        inputs: the inputs of the ONNX model, whose shapes, dtypes and order samples have.
        folder: an empty folder.
        progress: called as samples are read.

    Raises:
        InputError: there are no data, an input has none, or some do not fit it.
    """
    samples = Samples(folder, [str(value.name) for value in inputs], "data")
    for index, sample in enumerate(_given(data, inputs)):
        progress(f"Reading sample {index + 1}")
        samples.add(checked(sample, inputs, f"sample {index}"))
    if not len(samples):
        raise InputError("the calibration data hold no sample: give at least one")
    return samples


def _given(data: Data, inputs: Sequence[ir.Value]) -> Iterator[Sample]:
    if isinstance(data, (str, os.PathLike)):
        data = DataFile(data)
    if isinstance(data, DataFile):
        data = _by_name(data, inputs)
    if isinstance(data, Mapping):
        return _together(data, inputs)
    given = data() if callable(data) else data
    if isinstance(given, np.ndarray):
        return _together({_only(inputs, "an array"): given}, inputs)
    if not isinstance(given, Iterable):
        raise InputError(f"calibration data are a dict, an iterable of dicts or what gives one, not {type(given)}")
    return _dicts(given)


def _dicts(given: Iterable[Any]) -> Iterator[Sample]:
    for index, sample in enumerate(given):
        if not isinstance(sample, Mapping):
            raise InputError(f"sample {index} of the calibration data is no dict of arrays by input name: {sample!r}")
        yield sample


def _only(inputs: Sequence[ir.Value], what: str) -> str:
    if len(inputs) != 1:
        names = ", ".join(map(described, inputs))
        raise InputError(f"{what} stands for the data of one input, and the model has {len(inputs)} ({names}): name it")
    return str(inputs[0].name)


def _by_name(data: DataFile, inputs: Sequence[ir.Value]) -> Mapping[str, Any]:
    """Return the data of one file by input name: its arrays have the names where they are several."""
    path = Path(data.path)
    if path.suffix == ".npz":
        arrays = arrays_in(path)
        if len(arrays) > 1 or {str(value.name) for value in inputs} & arrays.keys():
            return arrays
    return {_only(inputs, str(path)): data}


def _together(data: Mapping[str, Any], inputs: Sequence[ir.Value]) -> Iterator[Sample]:
    """Yield samples from the data of each input, of which there must be as many."""
    names = [str(value.name) for value in inputs]
    unknown = [name for name in data if name not in names]
    if unknown:
        raise InputError(f"the model has no input {unknown[0]!r}; its inputs are {listed(names, unknown[0])}")
    missing = [value for value in inputs if value.name not in data]
    if missing:
        raise InputError(
            f"calibration data of input {described(missing[0])} are missing: --data {missing[0].name}=FILE"
        )
    counts = dict.fromkeys(names, 0)
    for rows in itertools.zip_longest(*(_samples(data[str(value.name)], value) for value in inputs)):
        for name, row in zip(names, rows, strict=True):
            counts[name] += row is not None
        if any(row is None for row in rows):
            continue
        yield dict(zip(names, rows, strict=True))
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise InputError(f"inputs have different numbers of samples ({told}): give as many of each")


def _samples(given: Any, value: ir.Value) -> Iterator[Any]:
    if isinstance(given, (str, os.PathLike)):
        given = DataFile(given)
    if isinstance(given, DataFile):
        for place, array in samples_of(given, value):
            yield from divided(array, value, place)
        return
    yield from divided(np.asarray(given), value, f"data of input {value.name!r}")
