"""Read the proto of a model from a path or bytes, and refuse files of other formats."""

from __future__ import annotations

import os
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from onnx_tf.errors import FileError, ModelError
from onnx_tf.model.file_kinds import HEAD_BYTES, foreign_folder, foreign_kind

__all__ = ["read_proto"]


def read_proto(source: object) -> tuple[onnx.ModelProto, Path | None]:
    """Return a model as it is stated, and the folder of its external data, ``None`` where it has none.

    Args:
        source: a path to an ``.onnx`` file, the bytes of one, or an ``onnx.ModelProto``.

    Raises:
        FileError: there is no such file, or it is no ONNX model.
        ModelError: the source is none of these.
    """
    if isinstance(source, onnx.ModelProto):
        return source, None
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
        _refuse_foreign(data[:HEAD_BYTES], "the given bytes")
        return _parse(data, "the given bytes"), None
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
            data = file.read()
    except FileNotFoundError as error:
        raise FileError(f"{path} does not exist: check the path (from {Path.cwd()})") from error
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}") from error
    return _parse(data, str(path)), path.parent


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
