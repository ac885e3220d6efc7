"""Weights that stay in a model's own file until they are read, as those in external files do."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import onnx
import onnx_ir as ir
from google.protobuf.message import DecodeError

from onnx_tf.errors import FileError
from onnx_tf.model.validation import tensor_bytes

__all__ = ["Stored", "leave_stored", "skimmed"]

MIN_FILE_BYTES = 16 << 20
"""Smaller files are read at once."""

MIN_BYTES = 1 << 16
"""Smaller tensors are read with the graph."""

_GRAPH, _INITIALIZER, _RAW_DATA = 7, 5, 9
"""Numbers of fields in ModelProto, GraphProto and TensorProto: onnx/onnx.proto."""

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_LONGEST_HEAD = 20
"""Bytes of a field's number and of its length, each a number of up to 64 bits."""


@dataclass(frozen=True)
class Stored:
    """Where the elements of a tensor lie, as they are in memory.

    Attributes:
        path: the file.
        offset: their place in it.
        length: how many bytes they take.
        state: size and time of the file when it was looked at.
    """

    path: Path
    offset: int
    length: int
    state: tuple[int, int]

    def read(self) -> np.ndarray:
        """Return the bytes, as ``uint8``.

        Raises:
            FileError: the file is another one by now.
        """
        try:
            with self.path.open("rb") as file:
                content = np.fromfile(file, np.uint8, self.length, offset=self.offset)
                if _state(file) == self.state and len(content) == self.length:
                    return content
        except OSError as error:
            raise FileError(f"{self.path} cannot be read any more: {error.strerror}") from error
        raise FileError(f"{self.path} was changed while it was converted: convert it again")


class _UnusualError(Exception):
    """A file is not written as all libraries write protocol buffers: whoever parses it says what is wrong."""


def skimmed(path: Path) -> tuple[bytes, dict[str, Stored]]:
    """Return the content of a model's file without its large initializers, and where these lie, by name.

    In the content they say that they lie in that file, as external data does. What would be refused stays in the
    content, and all of a file that is small, damaged or oddly written.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        state = _state(file)
        if state[0] < MIN_FILE_BYTES or sys.byteorder != "little":
            return file.read(), {}
        stored: dict[str, Stored] = {}
        try:
            return _without_weights(file, path.absolute(), state, stored), stored
        except _UnusualError:
            file.seek(0)
            return file.read(), {}


def leave_stored(model: ir.Model, stored: Mapping[str, Stored]) -> None:
    """Give the initializers that :func:`skimmed` left out tensors that are read from the file whenever asked for."""
    for name, place in stored.items():
        value = model.graph.initializers[name]
        tensor = value.const_value
        assert tensor is not None
        read = functools.partial(_tensor, place, tensor.dtype, tuple(tensor.shape.numpy()), name)
        shape = ir.Shape(tensor.shape.numpy())
        value.const_value = ir.LazyTensor(read, dtype=tensor.dtype, shape=shape, name=name)


def _tensor(place: Stored, dtype: ir.DataType, shape: tuple[int, ...], name: str) -> ir.Tensor:
    return ir.Tensor(place.read().view(dtype.numpy()).reshape(shape), dtype=dtype, name=name)


def _state(file: BinaryIO) -> tuple[int, int]:
    found = os.fstat(file.fileno())
    return found.st_size, found.st_mtime_ns


def _without_weights(file: BinaryIO, path: Path, state: tuple[int, int], stored: dict[str, Stored]) -> bytes:
    pieces = []
    for number, start, content, end in _fields(file, 0, state[0]):
        if number == _GRAPH and content is not None:
            pieces.append(_field(_GRAPH, _small_graph(file, content, end, path, state, stored)))
        else:
            pieces.append(_read(file, start, end))
    return b"".join(pieces)


def _small_graph(
    file: BinaryIO, start: int, end: int, path: Path, state: tuple[int, int], stored: dict[str, Stored]
) -> bytes:
    pieces, kept = [], start
    for number, head, content, after in _fields(file, start, end):
        if number != _INITIALIZER or content is None or after - content < MIN_BYTES:
            continue
        found = _small_tensor(file, content, after, path, state)
        if found is None or found[0].name in stored:
            continue
        tensor, place = found
        pieces += [_read(file, kept, head), _field(_INITIALIZER, tensor.SerializeToString())]
        stored[tensor.name], kept = place, after
    return b"".join([*pieces, _read(file, kept, end)])


def _small_tensor(
    file: BinaryIO, start: int, end: int, path: Path, state: tuple[int, int]
) -> tuple[onnx.TensorProto, Stored] | None:
    """Return a tensor without its elements and where they lie, if they are all that is large and are as stated."""
    fields = list(_fields(file, start, end))
    raw = [(content, after) for number, _, content, after in fields if number == _RAW_DATA and content is not None]
    rest = [(head, after) for number, head, _, after in fields if number != _RAW_DATA]
    if len(raw) != 1 or raw[0][1] - raw[0][0] < MIN_BYTES or sum(b - a for a, b in rest) > MIN_BYTES:
        return None
    offset, length = raw[0][0], raw[0][1] - raw[0][0]
    try:
        tensor = onnx.TensorProto.FromString(b"".join(_read(file, *place) for place in rest))
    except DecodeError:
        return None
    if not _is_plain(tensor) or tensor_bytes(tensor) != length:
        return None
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", path.name), ("offset", str(offset)), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)
    return tensor, Stored(path, offset, length, state)


def _is_plain(tensor: onnx.TensorProto) -> bool:
    """Tell whether raw data is all that a tensor can have, of elements that take whole bytes."""
    known = tensor.data_type in onnx.TensorProto.DataType.values() and tensor.data_type in {
        kind.value for kind in ir.DataType
    }
    if not known or not isinstance(tensor.name, str) or not tensor.name or min(tensor.dims, default=0) < 0:
        return False
    if tensor.data_location != onnx.TensorProto.DEFAULT or tensor.external_data or tensor.HasField("segment"):
        return False
    dtype = ir.DataType(tensor.data_type)
    return dtype not in (ir.DataType.UNDEFINED, ir.DataType.STRING) and dtype.bitwidth % 8 == 0


def _fields(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, int, int | None, int]]:
    """Yield the fields of a message: number, where each begins, where its bytes do if it is of bytes, where it ends.

    Raises:
        _UnusualError: one goes beyond the end, or is a group.
    """
    place = start
    while place < end:
        file.seek(place)
        head = file.read(_LONGEST_HEAD)
        key, width = _varint(head, 0)
        content = None
        if key & 7 == _BYTES:
            length, width = _varint(head, width)
            content = place + width
            after = content + length
        elif key & 7 == _VARINT:
            after = place + _varint(head, width)[1]
        elif key & 7 in (_EIGHT_BYTES, _FOUR_BYTES):
            after = place + width + (8 if key & 7 == _EIGHT_BYTES else 4)
        else:
            raise _UnusualError
        if after > end or not key >> 3:
            raise _UnusualError
        yield key >> 3, place, content, after
        place = after


def _varint(content: bytes, start: int) -> tuple[int, int]:
    """Return a number of 7 bits a byte, the lowest first, and where it ends."""
    number = 0
    for index in range(start, min(start + 10, len(content))):
        number |= (content[index] & 0x7F) << (7 * (index - start))
        if content[index] < 0x80:
            return number, index + 1
    raise _UnusualError


def _field(number: int, content: bytes) -> bytes:
    head, length = bytearray([number << 3 | _BYTES]), len(content)
    while length >= 0x80:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([*head, length]) + content


def _read(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    content = file.read(end - start)
    if len(content) != end - start:
        raise _UnusualError
    return content
