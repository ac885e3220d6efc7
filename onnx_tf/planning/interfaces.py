"""How the signature of an artefact differs from that of the ONNX model."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir
import tensorflow as tf

from onnx_tf.runtime.signature import flat_tensors
from onnx_tf.value_types import ValueType, shape_text

__all__ = ["Side", "differences", "specs_of"]


@dataclass(frozen=True)
class Side:
    """The inputs or the outputs of an artefact.

    Attributes:
        what: ``"input"`` or ``"output"``.
        onnx: those of the ONNX model.
        specs: a spec for each by ONNX name, in the artefact's order.
        channels_last: the names of those that are N, spatial..., C.
        names: what the artefact calls them, where that is not so as in a signature.
        dtypes: the dtype of those that are floats in the ONNX model, where files have another.
    """

    what: str
    onnx: tuple[ir.Value, ...]
    specs: Mapping[str, Any]
    channels_last: Collection[str] = ()
    names: Mapping[str, str] | None = None
    floats: str = "float32"

    def tensors(self) -> tuple[dict[str, Any], ...]:
        """Return name, dtype and shape of each tensor, as JSON has them."""
        found = []
        for name, spec in flat_tensors(self.specs).items():
            shape = None if spec.shape.rank is None else spec.shape.as_list()
            found.append({"name": self._called(name), "dtype": self._dtype(spec), "shape": shape})
        return tuple(found)

    def changes(self) -> Iterator[str]:
        """Yield how they differ from the ONNX model's."""
        known = {str(value.name): value for value in self.onnx}
        for name, spec in self.specs.items():
            if name not in known:
                yield f"{self.what} {name!r} is added: {self._text(spec)}"
                continue
            parts = flat_tensors({name: spec})
            if list(parts) != [name]:
                tensors = ", ".join(f"{self._called(part)} ({self._text(each)})" for part, each in parts.items())
                yield f"{self.what} {name!r} ({ValueType.of(known[name])}) is {tensors or 'left out'}"
                continue
            yield from self._tensor_changes(name, known[name], spec)
        if len(known) < len(self.onnx):
            yield f"{self.what}s that the model lists several times are there once"

    def _tensor_changes(self, name: str, value: ir.Value, spec: tf.TensorSpec) -> Iterator[str]:
        wanted = ValueType.of(value)
        if self._called(name) != name:
            yield f"{self.what} {name!r} is called {self._called(name)!r}"
        if wanted.dtype is not None and self._dtype(spec) != wanted.dtype:
            yield f"{self.what} {name!r} is {self._dtype(spec)}, not {wanted.dtype}"
        if name in self.channels_last:
            yield f"{self.what} {name!r} is N, spatial..., C: {self._text(spec)}"
        elif wanted.shape is not None and spec.shape.rank == len(wanted.shape):
            pairs = zip(wanted.shape, spec.shape.as_list(), strict=True)
            if any(isinstance(one, int) and isinstance(other, int) and one != other for one, other in pairs):
                yield f"{self.what} {name!r} is {self._text(spec)}, where the model states {shape_text(wanted.shape)}"

    def _called(self, name: str) -> str:
        return (self.names or {}).get(name, name)

    def _dtype(self, spec: tf.TensorSpec) -> str:
        return self.floats if spec.dtype == tf.float32 else str(spec.dtype.name)

    def _text(self, spec: tf.TensorSpec) -> str:
        return f"{self._dtype(spec)}{shape_text(None if spec.shape.rank is None else spec.shape.as_list())}"


def differences(sides: Iterable[Side]) -> dict[str, Any]:
    """Return the fields of a planned artefact that tell of its signature."""
    taken, given = sides
    return {"inputs": taken.tensors(), "outputs": given.tensors(), "changes": (*taken.changes(), *given.changes())}


def specs_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the specs of outputs that a trace gave."""
    found: dict[str, Any] = tf.nest.map_structure(lambda value: getattr(value, "_type_spec", value), dict(values))
    return found
