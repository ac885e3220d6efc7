"""Calibration data that lie in files: .npy, .npz, and folders of .npy files or of images."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from onnx_tf.errors import InputError
from onnx_tf.images import SUFFIXES, load
from onnx_tf.telling import described, listed

__all__ = ["DataFile", "arrays_in", "samples_of"]


@dataclass(frozen=True)
class DataFile:
    """Where the data of an input lie.

    Attributes:
        path: a .npy file, a .npz file of one array or of one that is called as the input, or a folder of either
            .npy files or images, each a sample, in the order of their names.
        mean: what is subtracted from every number, one or one per channel; of images, whose pixels are between 0
            and 1 then.
        std: what the differences are divided by, one or one per channel.
    """

    path: str | os.PathLike[str]
    mean: Sequence[float] | float | None = None
    std: Sequence[float] | float | None = None

    def __post_init__(self) -> None:
        if self.std is not None and not np.all(np.asarray(self.std, np.float64)):
            raise InputError(f"{self.path}: std={self.std} divides by zero")

    @property
    def scales(self) -> bool:
        """Whether numbers are scaled."""
        return self.mean is not None or self.std is not None


def samples_of(data: DataFile, value: ir.Value) -> Iterator[tuple[str, Any]]:
    """Yield where each array of a file or folder comes from, and the array: one or several samples of an input.

    Raises:
        InputError: there is no such file, it holds no data, or none for this input.
    """
    path = Path(data.path)
    if not path.is_dir():
        yield str(path), _scaled(data, _array(path, str(value.name)), value)
        return
    try:
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in (".npy", *SUFFIXES))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    if not files:
        raise InputError(f"{path} holds no data of input {value.name!r}: neither .npy files nor {', '.join(SUFFIXES)}")
    if len({file.suffix.lower() == ".npy" for file in files}) > 1:
        raise InputError(f"{path} holds images and .npy files: name a folder of one kind")
    for file in files:
        array = _array(file, "") if file.suffix.lower() == ".npy" else _image(file, value)
        yield str(file), _scaled(data, array, value)


def _image(path: Path, value: ir.Value) -> np.ndarray:
    """Return an image as one sample of an input, without the batch."""
    dims = [] if value.shape is None else [dim if isinstance(dim, int) else None for dim in value.shape]
    if len(dims) != 4:
        raise InputError(f"input {described(value)} takes no images: these are N, C, H, W or N, H, W, C")
    if dims[1:].count(None):
        sizes = ",".join("?" if dim is None else str(dim) for dim in dims)
        raise InputError(
            f"input {described(value)} leaves the size of images open: fix it, as with "
            f"--input-shape {value.name}:{sizes} where ? is a number"
        )
    return load(path, value)[0]


def arrays_in(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a .npz file by name, the one of a .npy file by an empty one.

    Raises:
        InputError: the file cannot be read, or holds something else.
    """
    try:
        loaded = np.load(path, allow_pickle=False, mmap_mode="r" if path.suffix == ".npy" else None)
        return {"": loaded} if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} is no .npy or .npz file of plain arrays ({error}), and no folder") from error


def _array(path: Path, name: str) -> np.ndarray:
    arrays = arrays_in(path)
    if name in arrays:
        return arrays[name]
    if len(arrays) != 1:
        raise InputError(f"{path} holds {listed(arrays)}: name one array {name!r}")
    return next(iter(arrays.values()))


def _is_integer(value: ir.Value) -> bool:
    return value.dtype is not None and value.dtype.is_integer()


def _scaled(data: DataFile, array: np.ndarray, value: ir.Value) -> np.ndarray:
    """Return an array with mean and standard deviation taken off, along the channels where there are several."""
    if not data.scales:
        return array
    if _is_integer(value):
        raise InputError(f"{described(value)}: mean and std make floats, and the input takes integers")
    mean, std = (np.atleast_1d(np.asarray(x, np.float32)) for x in (data.mean or 0.0, data.std or 1.0))
    count = max(mean.size, std.size)
    if count > 1:
        axis = _channels(array, value, count)
        dims = [-1 if place == axis else 1 for place in range(array.ndim)]
        mean, std = (x.reshape(dims) if x.size > 1 else x for x in (mean, std))
    try:
        return ((array.astype(np.float32) - mean) / std).astype(np.float32)
    except ValueError as error:
        raise InputError(f"{data.path}: mean has {mean.size} numbers and std {std.size}") from error


def _channels(array: np.ndarray, value: ir.Value, count: int) -> int:
    """Return the axis of an array of one or several samples that has so many channels, the second of a sample first."""
    rank = array.ndim if value.shape is None else len(value.shape)
    for axis in (array.ndim - rank + 1, array.ndim - 1):
        if 0 <= axis < array.ndim and array.shape[axis] == count:
            return axis
    raise InputError(
        f"mean and std have {count} numbers, and the data of input {described(value)} have the shape "
        f"{list(array.shape)}: no axis of channels is as long"
    )
