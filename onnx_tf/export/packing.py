"""Files of LiteRT's schema written small: what is equal in them is stored once.

A flatbuffer refers to its parts by offsets, so tables may have parts in common, and no reader sees a difference.
Without that, the zero points of a filter alone take as much as eight of its weights for each channel.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Mapping
from types import MappingProxyType
from typing import Any

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

__all__ = ["fewest_buffers", "packed"]

IDENTIFIER = b"TFL3"
ALIGNMENT = 16
"""Bytes at which a runtime that maps the file into memory finds its weights."""

_NOTHING: Mapping[int, np.ndarray] = MappingProxyType({})


def packed(model: Any, size: int, later: Mapping[int, np.ndarray] = _NOTHING) -> memoryview:
    """Return the file of a model in the object form of LiteRT's schema, of about ``size`` bytes.

    Args:
        model: the model.
        size: about how many bytes it takes.
        later: what buffers hold whose data stands for it, by the ``id`` of that data: an array in any order in memory.
    """
    builder = _Builder(size + (1 << 16), later)  # at once large enough: it grows by copies
    builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
    return memoryview(builder.Bytes)[builder.Head() :]  # the builder's own output is a copy


def fewest_buffers(model: Any, later: Mapping[int, np.ndarray] = _NOTHING) -> None:
    """Let tensors that hold the same numbers have one buffer, those that hold none the first one, and drop the rest.

    Args:
        model: the file, in the object form of LiteRT's schema; it is changed.
        later: see :func:`packed`.
    """
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    own = {tensor.buffer for tensor in tensors if tensor.isVariable}
    entries = model.metadata or []
    sizes = Counter(0 if buffer.data is None else len(buffer.data) for buffer in model.buffers)
    buffers, first, places = [schema.BufferT()], dict[Hashable, int](), dict[int, int]()
    for index in sorted({holder.buffer for holder in (*tensors, *entries)}):
        buffer = model.buffers[index]
        is_outside = buffer.offset > 1  # it lies behind the flatbuffer; 0 and 1 stand for no place
        key: Hashable = index
        if buffer.data is None and index not in own and not is_outside:
            key = None
        elif index not in own and not is_outside and sizes[len(buffer.data)] > 1:
            key = hashlib.sha256(np.ascontiguousarray(later.get(id(buffer.data), buffer.data)).data).digest()
        if key is None:
            places[index] = 0
            continue
        if key not in first:
            first[key] = len(buffers)
            buffers.append(buffer)
        places[index] = first[key]
    for holder in (*tensors, *entries):
        holder.buffer = places[holder.buffer]
    model.buffers = buffers


class _Builder(flatbuffers.Builder):
    """A builder that writes a vector, a string or a table only where it has not written an equal one.

    What is equal to something before is taken back as soon as it is whole, and the place of the other one returned.
    Vectors of tables are left as they are, and so are those of bytes, which buffers hold: they are shared by number.
    """

    def __init__(self, size: int, later: Mapping[int, np.ndarray]) -> None:
        super().__init__(size)
        self._later = later
        self._known: dict[Hashable, int] = {}
        self._began = 0
        self._vector: tuple[int, int] | None = None
        self._referred: dict[int, int] = {}

    def CreateNumpyVector(self, x: np.ndarray) -> Any:  # noqa: N802
        # The builder's own makes a copy first.
        source = self._later.get(id(x), x)
        self.StartVector(x.itemsize, x.size, x.dtype.alignment)
        self.head -= x.nbytes
        place = memoryview(self.Bytes)[self.head : self.head + x.nbytes]
        np.frombuffer(place, source.dtype.newbyteorder("<")).reshape(source.shape)[...] = source
        del place  # the builder may have to grow
        self.vectorNumElems = x.size
        return self.EndVector()

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> Any:  # noqa: N802, N803
        # The schema's alignment of buffers is not in the Python that is made from it.
        aligned = ALIGNMENT if elemSize == 1 else alignment
        self._began, self._vector = self.Offset(), None if elemSize == 1 else (aligned, 4 + elemSize * numElems)
        return super().StartVector(elemSize, numElems, aligned)

    def PrependUOffsetTRelative(self, off: int) -> None:  # noqa: N802
        self._vector = None
        super().PrependUOffsetTRelative(off)

    def EndVector(self, numElems: int | None = None) -> int:  # noqa: N802, N803
        offset = super().EndVector(numElems)
        if self._vector is None:
            return offset
        (alignment, size), self._vector = self._vector, None
        return self._once((alignment, bytes(self.Bytes[self.head : self.head + size])), offset)

    def CreateString(self, s: Any, encoding: str = "utf-8", errors: str = "strict") -> int:  # noqa: N802
        text = s.encode(encoding, errors) if isinstance(s, str) else bytes(s)
        if text not in self._known:
            self._known[text] = super().CreateString(text)
        return self._known[text]

    def StartObject(self, numfields: int) -> None:  # noqa: N802
        self._began, self._referred = self.Offset(), {}
        super().StartObject(numfields)

    def PrependUOffsetTRelativeSlot(self, o: int, x: int, d: int) -> None:  # noqa: N802
        super().PrependUOffsetTRelativeSlot(o, x, d)
        if x != d:
            self._referred[o] = x

    def EndObject(self) -> int:  # noqa: N802
        start, fields = self.Offset(), self.current_vtable
        body = np.frombuffer(self.Bytes, np.uint8)[self.head : self.head + start - self._began].copy()
        for slot in self._referred:  # offsets count from where they lie: what they mean is compared
            body[start - fields[slot] :][:4] = 0
        places = tuple(start - field if field else None for field in fields)
        key = places, start % 4, body.tobytes(), tuple(self._referred.items())  # with all that its vtable depends on
        return self._once(key, super().EndObject())

    def _once(self, key: Hashable, offset: int) -> int:
        """Return the place of what is equal to what was just written, which is taken back if it is not the first."""
        known = self._known.setdefault(key, offset)
        if known != offset:
            self.head = len(self.Bytes) - self._began
        return known
