"""The files that the commands read and write besides models."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from onnx_tf.cli.usage import UsageError
from onnx_tf.errors import InputError, WriteError


def load_arrays(path: Path) -> Any:
    """Return the array of a .npy file, or the arrays of a .npz file by name.

    Raises:
        InputError: the file cannot be read.
        UsageError: the file is none of these, is damaged, or holds Python objects.
    """
    import numpy as np

    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            return loaded if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}
    except OSError as error:
        raise InputError(f"--input {path} cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise UsageError(f"--input {path}: not a .npy or .npz file of plain arrays ({error})") from error


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
        with path.open("wb") as file:
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
        path.write_bytes(content)
    except OSError as error:
        raise _refused(path, error) from error


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
