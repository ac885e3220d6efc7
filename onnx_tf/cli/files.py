"""The files that the commands read and write besides models."""

from __future__ import annotations

import contextlib
import errno
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnx_tf.cli.usage import UsageError
from onnx_tf.errors import FileError, InputError, WriteError
from onnx_tf.export.writing import check_target, written_file
from onnx_tf.telling import described

if TYPE_CHECKING:
    import onnx_ir as ir


def load_arrays(path: Path) -> Any:
    """Return the array of a .npy file, or the arrays of a .npz file by name.

    Raises:
        FileError: the file does not exist, cannot be read, is damaged or none of these, or holds Python objects.
    """
    import numpy as np

    with _read(path), path.open("rb") as file:
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        arrays = {name: loaded[name] for name in loaded.files}
        if not all(isinstance(array, np.ndarray) for array in arrays.values()):
            raise ValueError(f"it holds {', '.join(arrays)}")
        return arrays


def load_lines(path: Path, value: ir.Value) -> Any:
    """Return the lines of a text file as strings, in as many axes as the input has.

    The last axis of an input that fixes it is filled first, as in ``[N, 1]``.

    Raises:
        FileError: the file does not exist or is no text.
        UsageError: the input takes no strings.
    """
    import numpy as np

    if value.dtype is None or value.dtype.name != "STRING":
        raise UsageError(f"--input {path}: a text file is for inputs of strings, this one is {described(value)}")
    with _read(path):
        lines = path.read_text(encoding="utf-8").splitlines()
    dims = [-1] if value.shape is None else [dim if isinstance(dim, int) else -1 for dim in value.shape]
    open_axes = [axis for axis, dim in enumerate(dims) if dim == -1]
    shape = [1 if axis in open_axes[1:] else dim for axis, dim in enumerate(dims)]
    try:
        return np.array(lines, str).reshape(shape)
    except ValueError as error:
        raise UsageError(f"--input {path}: {len(lines)} lines do not fill {described(value)}") from error


@contextlib.contextmanager
def _read(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise FileError(f"the input file {path} does not exist (from {Path.cwd()})") from error
    except OSError as error:
        raise FileError(f"the input file {path} cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        if "allow_pickle" in str(error):
            step = "save numbers in a dtype of numbers, strings with numpy.array([...], dtype='U')"
            raise FileError(f"the input file {path} holds Python objects: {step}") from error
        raise FileError(f"the input file {path} is not a .npy or .npz file of plain arrays ({error})") from error


def check_writable(path: Path) -> None:
    """Refuse a path that no file can be written to, before anything is computed for it.

    Raises:
        PathError: it is a folder.
        WriteError: its folder does not exist, or the operating system refuses to write there.
    """
    check_target(path, overwrite=True, is_folder=False)
    if not path.parent.exists():
        error = FileNotFoundError(errno.ENOENT, f"the folder {path.parent} does not exist")
        raise _refused(path, error) from error


def save_arrays(path: Path, values: Mapping[str, Any]) -> None:
    """Write values as a .npz file, or the only one as a .npy file.

    A list ``s`` of arrays is written as ``s_0``, ``s_1``, ...; a dict ``m`` as ``m_keys`` and ``m_values``; strings
    as numpy's, which need no pickle.

    Raises:
        WriteError: the operating system refuses the file.
        InputError: the only value is no array, and the file a .npy file.
    """
    import numpy as np

    arrays = {part: array for name, value in values.items() for part, array in _parts(name, value)}
    if path.suffix == ".npy" and len(arrays) != 1:
        raise InputError(f"{path}: the output is {len(arrays)} arrays ({', '.join(arrays)}), save them as .npz")
    try:
        with _whole(path) as place, place.open("wb") as file:
            if path.suffix == ".npy":
                np.save(file, next(iter(arrays.values())), allow_pickle=False)
                return
            with zipfile.ZipFile(file, "w") as archive:  # np.savez takes no array called "file"
                for name, array in arrays.items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                        np.lib.format.write_array(entry, array, allow_pickle=False)
    except OSError as error:
        raise _refused(path, error) from error


def write(path: Path, content: bytes) -> None:
    """Write a file.

    Raises:
        WriteError: the operating system refuses it.
    """
    try:
        with _whole(path) as place:
            place.write_bytes(content)
    except OSError as error:
        raise _refused(path, error) from error


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Yield where to write a file, which is then whole or as it was; devices and pipes are written to as they are."""
    if path.exists() and not path.is_file():
        yield path
        return
    with written_file(path.resolve()) as place:
        yield place


def _refused(path: Path, error: OSError) -> WriteError:
    return WriteError(f"{path} cannot be written: {error.strerror or error}; choose another path")


def _parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    import numpy as np

    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _parts(f"{name}_{index}", item)
    elif isinstance(value, dict):
        yield f"{name}_keys", _plain(np.array(list(value.keys())))
        yield f"{name}_values", _plain(np.array(list(value.values())))
    elif value is not None:
        yield name, _plain(np.asarray(value))


def _plain(array: Any) -> Any:
    return array.astype(str) if array.dtype == object else array
