"""Dtypes and shapes of inputs and outputs, in the words that messages, reports and JSON share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir

__all__ = ["MAP_TYPE", "Dim", "NamedTypes", "ValueType", "dtype_word", "shape_text"]

Dim = int | str | None
"""A size, the symbol of an open dimension, or ``None`` for one without."""

MAP_TYPE = "onnx_tf.map_type"
"""Key in ``value.meta`` of the ``onnx.TypeProto`` of graph inputs and outputs that hold maps."""

_WORDS = {
    "FLOAT": "float32",
    "DOUBLE": "float64",
    "FLOAT8E4M3FN": "float8_e4m3fn",
    "FLOAT8E4M3FNUZ": "float8_e4m3fnuz",
    "FLOAT8E5M2": "float8_e5m2",
    "FLOAT8E5M2FNUZ": "float8_e5m2fnuz",
    "FLOAT8E8M0": "float8_e8m0fnu",
    "FLOAT4E2M1": "float4_e2m1fn",
}


def dtype_word(name: str) -> str:
    """Return numpy's or ``ml_dtypes``' word for a dtype that ONNX calls so: ``float32`` for ``FLOAT``."""
    return _WORDS.get(name, name.lower())


@dataclass(frozen=True)
class ValueType:
    """The type of an input or output.

    Attributes:
        dtype: the dtype of the elements, of a map that of its values; ``None`` if it is not known.
        shape: the dimensions of the tensor, or of those in a sequence or optional; ``None`` if the rank is open.
        kinds: what the tensor is in, from the outside: ``"optional"``, ``"sequence"``, ``"map"``.
    """

    dtype: str | None
    shape: tuple[Dim, ...] | None
    kinds: tuple[str, ...] = ()

    @classmethod
    def of(cls, value: ir.Value) -> ValueType:
        """Return the type of a value."""
        import onnx_ir as ir

        if MAP_TYPE in value.meta:
            return cls.of_proto(value.meta[MAP_TYPE])
        kinds, kind = [], value.type
        while isinstance(kind, (ir.SequenceType, ir.OptionalType)):
            kinds.append("sequence" if isinstance(kind, ir.SequenceType) else "optional")
            kind = kind.elem_type
        dtype = None if kind is None else dtype_word(kind.dtype.name)
        dims = None if value.shape is None else [d if isinstance(d, int) else d.value for d in value.shape]
        return cls(dtype, None if dims is None else tuple(dims), tuple(kinds))

    @classmethod
    def of_proto(cls, proto: onnx.TypeProto) -> ValueType:
        """Return the type that a proto states; negative dimensions are open."""
        import onnx

        kinds: list[str] = []
        kind: Any = proto
        while (name := kind.WhichOneof("value")) in ("sequence_type", "optional_type", "map_type"):
            kinds.append(name.removesuffix("_type"))
            kind = kind.map_type.value_type if name == "map_type" else getattr(kind, name).elem_type
        tensor = None if name is None else getattr(kind, name)
        if tensor is None or not tensor.elem_type:
            return cls(None, None, tuple(kinds))
        dtype = dtype_word(onnx.TensorProto.DataType.Name(tensor.elem_type))
        is_open = "map" in kinds or not tensor.HasField("shape")
        return cls(dtype, None if is_open else tuple(map(_dim, tensor.shape.dim)), tuple(kinds))

    def __str__(self) -> str:
        text = f"{self.dtype or 'any'}{shape_text(self.shape)}"
        for kind in reversed(self.kinds):
            text = f"{'optional' if kind == 'optional' else f'{kind} of'} {text}"
        return text

    def as_json(self) -> dict[str, Any]:
        """Return the type in the form that the JSON of the command line has."""
        kinds = {"kind": " ".join(self.kinds)} if self.kinds else {}
        return {"dtype": self.dtype, "shape": None if self.shape is None else list(self.shape), **kinds}


class NamedTypes(tuple[str, ...]):
    """The names of inputs or outputs, in order, which know their types and show them.

    Attributes:
        types: the type of each, by name.
        channels_last: the names of those that are N, spatial..., C although the ONNX model's are N, C, spatial....
    """

    types: Mapping[str, ValueType]
    channels_last: frozenset[str]

    def __new__(cls, types: Iterable[tuple[str, ValueType]], channels_last: Iterable[str] = ()) -> NamedTypes:
        """Take (name, type) pairs in order."""
        pairs = list(types)
        self = super().__new__(cls, [name for name, _ in pairs])
        self.types, self.channels_last = dict(pairs), frozenset(channels_last)
        return self

    def __repr__(self) -> str:
        last = dict.fromkeys(self.channels_last, " channels-last")
        return f"({', '.join(f'{name}: {self.types[name]}{last.get(name, str())}' for name in self)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return NamedTypes, ([(name, self.types[name]) for name in self], tuple(self.channels_last))

    def as_json(self) -> list[dict[str, Any]]:
        """Return name, dtype and shape of each, in the form that the JSON of the command line has."""
        return [
            {"name": name, **self.types[name].as_json()}
            | ({"order": "channels-last"} if name in self.channels_last else {})
            for name in self
        ]


def shape_text(shape: Sequence[Dim] | None) -> str:
    """Return a shape as in ``[N, 3, ?, 224]``, ``[...]`` where the rank is open."""
    if shape is None:
        return "[...]"
    return f"[{', '.join('?' if dim is None else str(dim) for dim in shape)}]"


def _dim(dim: Any) -> Dim:
    if dim.HasField("dim_value"):
        return int(dim.dim_value) if dim.dim_value >= 0 else None
    return dim.dim_param or None
