"""Read the proto of a model from a path or bytes, and refuse files of other formats."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from onnx_tf.errors import FileError, ModelError
from onnx_tf.model.file_kinds import HEAD_BYTES, foreign_folder, foreign_kind
from onnx_tf.model.stored import Stored, skimmed

__all__ = ["Read", "read_proto"]


@dataclass(frozen=True)
class Read:
    """A model as it is stated.

    Attributes:
        proto: the model; initializers that are left in its file say that they lie there.
        folder: where its external data lies, ``None`` where it has none.
        stored: the initializers that are left in the file, by name.
    """

    proto: onnx.ModelProto
    folder: Path | None = None
    stored: dict[str, Stored] = field(default_factory=dict)


def read_proto(source: object, *, leaves_weights: bool = False) -> Read:
    """Return a model as it is stated.

    Args:
        source: a path to an ``.onnx`` file, the bytes of one, or an ``onnx.ModelProto``.
        leaves_weights: whether large initializers of a large file may be left there.

    Raises:
        FileError: there is no such file, or it is no ONNX model.
        ModelError: the source is none of these.
    """
    if isinstance(source, onnx.ModelProto):
        return Read(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
        _refuse_foreign(data[:HEAD_BYTES], "the given bytes")
        return Read(_parse(data, "the given bytes"))
    if not isinstance(source, (str, os.PathLike)):
        raise ModelError(
            f"cannot load a model from {type(source).__name__}: pass a path, bytes, "
            "an onnx.ModelProto or an onnx_ir.Model"
        )
    path = Path(source)
    if "\0" in str(path):
        raise FileError(f"{str(path)!r} is no path: it holds a null character")
    try:
        if path.is_dir():
            raise FileError(f"{path} is a directory{foreign_folder(path)}")
        with path.open("rb", buffering=0) as file:
            _refuse_foreign(file.read(HEAD_BYTES), str(path))
            file.seek(0)
            data, stored = skimmed(path) if leaves_weights else (file.read(), {})
    except FileNotFoundError as error:
        raise FileError(f"{path} does not exist: check the path (from {Path.cwd()})") from error
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return Read(_parse(data, str(path)), path.parent, stored)
    except FileError:
        if stored:  # what is wrong is said of the whole
            return read_proto(path)
        raise


def _refuse_foreign(head: bytes, what: str) -> None:
    kind = foreign_kind(head)
    if kind is not None:
        raise FileError(f"{what}: {kind}")


def _parse(data: bytes, what: str) -> onnx.ModelProto:
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise FileError(
            f"{what}: not an ONNX model, or cut short ({len(data)} bytes); export or download it again"
        ) from error
    return model
