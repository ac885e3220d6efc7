"""What stands for the values of an ONNX graph while it is computed in TensorFlow.

==================  =============================================================================
ONNX                here
==================  =============================================================================
tensor              ``tf.Tensor``
sequence            a Python list, as long as its length is known while tracing, and otherwise a
                    :class:`TensorSequence`: a TensorFlow tensor list with elements of any shapes,
                    which can be the state of a loop and be indexed, extended and cut at run time
optional            the element itself or ``None``, as long as tracing tells which, and otherwise
                    an :class:`OptionalValue`: a flag and the element (or a stand-in)
map                 a :class:`Map`: a tensor of keys and one of values
sequence of maps    a :class:`MapSequence`: the keys that all maps share, and a row of values each
==================  =============================================================================

What control flow carries must have one structure on every path. A :class:`Kind` is such a
structure: :func:`kind_of` finds the one of a value, :func:`merged` the narrowest one that two
values share; :func:`flatten` and :func:`build` take values apart into plain tensors and back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, Union

import onnx_ir as ir
import tensorflow as tf

from onnx_tf import tensor_list

__all__ = [
    "AbsentKind",
    "Body",
    "Kind",
    "ListKind",
    "Map",
    "MapSequence",
    "OptionalKind",
    "OptionalValue",
    "SequenceKind",
    "TensorKind",
    "TensorSequence",
    "Tensors",
    "as_sequence",
    "build",
    "conformed",
    "flatten",
    "has_element",
    "kind_of",
    "merged",
    "possible_shapes",
    "specs",
    "with_possible_shapes",
]


class TensorSequence(tf.experimental.ExtensionType):
    """A sequence whose length is known at run time only.

    Attributes:
        items: a tensor list (a variant tensor) that holds the elements, and maybe others.
        order: int32, the index in ``items`` of each element. Insertion and removal anywhere
            thereby move indices, never tensors.
        dtype: the dtype of every element.
        shape: what is known of every element's shape.
    """

    items: tf.Tensor
    order: tf.Tensor
    dtype: tf.DType
    shape: tf.TensorShape

    @classmethod
    def of(cls, elements: Sequence[tf.Tensor], dtype: tf.DType, shape: tf.TensorShape) -> TensorSequence:
        """Return the sequence of some tensors."""
        items = tensor_list.empty(dtype)
        for element in elements:
            items = tensor_list.push(items, element)
        return cls(items, tf.range(len(elements)), dtype, shape)

    @classmethod
    def of_list(cls, items: tf.Tensor, dtype: tf.DType, shape: tf.TensorShape) -> TensorSequence:
        """Return all of a tensor list, in its order."""
        return cls(items, tf.range(tensor_list.length(items)), dtype, shape)

    def length(self) -> tf.Tensor:
        """Return the number of elements, int64."""
        return tf.size(self.order, out_type=tf.int64)

    def elements(self) -> list[tf.Tensor]:
        """Return the elements; outside of graphs only."""
        return [self.at(position) for position in range(int(self.length()))]

    def at(self, position: tf.Tensor) -> tf.Tensor:
        """Return the element at a position from 0 on."""
        return tensor_list.get(self.items, self.order[tf.cast(position, tf.int32)], self.dtype, self.shape)

    def inserted(self, tensor: tf.Tensor, position: tf.Tensor | None) -> TensorSequence:
        """Return the sequence with a tensor before a position from 0 on, or at its end."""
        if tensor.dtype != self.dtype:
            raise ValueError(f"a {tensor.dtype.name} tensor cannot join a sequence of {self.dtype.name} tensors")
        index = tensor_list.length(self.items)[tf.newaxis]
        items = tensor_list.push(self.items, tensor)
        position = tf.size(self.order) if position is None else position
        order = tf.concat([self.order[:position], index, self.order[position:]], 0)
        shape = tensor.shape.most_specific_compatible_shape(self.shape)
        return TensorSequence(items, order, self.dtype, shape)

    def erased(self, position: tf.Tensor) -> TensorSequence:
        """Return the sequence without the element at a position from 0 on."""
        order = tf.concat([self.order[:position], self.order[position + 1 :]], 0)
        return TensorSequence(self.items, order, self.dtype, self.shape)

    def stacked(self) -> tf.Tensor:
        """Return the elements, which must be of one shape, as one tensor with a new first axis."""
        count = tf.size(self.order)
        stacked = tf.raw_ops.TensorListGather(
            input_handle=self.items,
            indices=self.order,
            element_shape=tensor_list.stackable_shape(count, self.shape),
            element_dtype=self.dtype,
        )
        return tf.ensure_shape(stacked, tf.TensorShape([self.order.shape[0]]).concatenate(self.shape))


class OptionalValue(tf.experimental.ExtensionType):
    """An optional of which only the run tells whether it has an element.

    Attributes:
        flag: whether there is an element, a bool scalar.
        element: the element; meaningless where there is none.
    """

    flag: tf.Tensor
    element: Union[tf.Tensor, TensorSequence]  # noqa: UP007  (TensorFlow takes no other form)


class Map(tf.experimental.ExtensionType):
    """A map from int64 or string keys to numbers or strings, in any order.

    Attributes:
        keys: the keys, 1-D.
        values: their values, 1-D.
    """

    keys: tf.Tensor
    values: tf.Tensor


class MapSequence(tf.experimental.ExtensionType):
    """A sequence of maps with the same keys, which is what ZipMap makes.

    Attributes:
        keys: the keys, 1-D.
        values: the values of each map, [maps, keys].
    """

    keys: tf.Tensor
    values: tf.Tensor


Tensors: TypeAlias = "list[tf.Tensor] | TensorSequence"
"""A sequence in either of its forms."""


class Body(Protocol):
    """What a handler may know of a graph attribute: the body of a loop, the branch of a choice."""

    @property
    def outputs(self) -> Sequence[ir.Value]:
        """The graph's output values."""

    @property
    def output_specs(self) -> list[tf.TensorSpec]:
        """What the model states of the outputs, float32 where it states no dtype."""

    @property
    def size(self) -> int:
        """The number of nodes, those of nested graphs included."""

    def __call__(self, *inputs: Any) -> list[Any]:
        """Return the outputs that the graph computes from its inputs."""


def as_sequence(value: Tensors) -> TensorSequence:
    """Return a sequence in the form that takes run-time positions.

    Raises:
        ValueError: it is an empty list, whose dtype nothing tells.
    """
    if isinstance(value, TensorSequence):
        return value
    if not value:
        raise ValueError("the sequence is empty")
    kind = _joined(ListKind(tuple(kind_of(v) for v in value)))
    return TensorSequence.of(value, kind.dtype, kind.shape)


def has_element(value: Any) -> tf.Tensor | bool:
    """Return whether an optional has an element."""
    return value.flag if isinstance(value, OptionalValue) else value is not None


@dataclass(frozen=True)
class TensorKind:
    """A tensor of a dtype and a perhaps partly known shape."""

    dtype: tf.DType
    shape: tf.TensorShape


@dataclass(frozen=True)
class ListKind:
    """A sequence of known length."""

    elements: tuple[Kind, ...]


@dataclass(frozen=True)
class SequenceKind:
    """A sequence whose length is known at run time only."""

    dtype: tf.DType
    shape: tf.TensorShape


@dataclass(frozen=True)
class AbsentKind:
    """An optional without element."""


@dataclass(frozen=True)
class OptionalKind:
    """An optional that may or may not have an element."""

    element: Kind


Kind = TensorKind | ListKind | SequenceKind | AbsentKind | OptionalKind


def specs(kind: Kind) -> list[tf.TensorSpec]:
    """Return the specs of the tensors that a value of a kind is made of."""
    match kind:
        case TensorKind(dtype, shape):
            return [tf.TensorSpec(shape, dtype)]
        case ListKind(elements):
            return [spec for element in elements for spec in specs(element)]
        case SequenceKind():
            return [tf.TensorSpec([], tf.variant), tf.TensorSpec([None], tf.int32)]
        case OptionalKind(element):
            return [tf.TensorSpec([], tf.bool), *specs(element)]
    return []


def flatten(kind: Kind, value: Any) -> list[tf.Tensor]:
    """Return the tensors of a value, converted to a kind that holds it."""
    match kind:
        case TensorKind():
            return [value]
        case ListKind(elements):
            return [t for element, item in zip(elements, value, strict=True) for t in flatten(element, item)]
        case SequenceKind(dtype, shape):
            sequence = TensorSequence.of(value, dtype, shape) if isinstance(value, list) else value
            return [sequence.items, sequence.order]
        case OptionalKind(element):
            inner = value.element if isinstance(value, OptionalValue) else value
            inner = _blank(element) if inner is None else inner
            return [tf.convert_to_tensor(has_element(value)), *flatten(element, inner)]
    return []


def build(kind: Kind, tensors: Iterator[tf.Tensor]) -> Any:
    """Return the value of a kind that is made of the next tensors."""
    match kind:
        case TensorKind():
            return next(tensors)
        case ListKind(elements):
            return [build(element, tensors) for element in elements]
        case SequenceKind(dtype, shape):
            items, order = next(tensors), next(tensors)
            return TensorSequence(items, order, dtype, shape)
        case OptionalKind(element):
            flag = next(tensors)
            return OptionalValue(flag, build(element, tensors))
    return None


def _blank(kind: Kind) -> Any:
    match kind:
        case TensorKind(dtype, shape):
            return tf.zeros([d or 0 for d in shape] if shape.rank is not None else [0], dtype)
        case SequenceKind(dtype, shape):
            return TensorSequence.of([], dtype, shape)
    raise ValueError("an optional may hold a tensor or a sequence of tensors, nothing else")


def kind_of(value: Any) -> Kind:
    """Return the kind of a value."""
    if value is None:
        return AbsentKind()
    if isinstance(value, (list, tuple)):
        return ListKind(tuple(kind_of(item) for item in value))
    if isinstance(value, TensorSequence):
        return SequenceKind(value.dtype, value.shape)
    if isinstance(value, OptionalValue):
        return OptionalKind(kind_of(value.element))
    return TensorKind(value.dtype, value.shape)


def possible_shapes(tensor: tf.Tensor) -> list[tf.TensorShape] | None:
    """Return the shapes of which a tensor has one, each of another rank; ``None`` if nothing tells."""
    if tensor.shape.rank is not None:
        return [tensor.shape]
    return getattr(tensor, _POSSIBLE_SHAPES, None)


def with_possible_shapes(tensor: tf.Tensor, shapes: Sequence[tf.TensorShape]) -> tf.Tensor:
    """Return a tensor of unknown rank that knows the shapes of which it has one."""
    if tensor.shape.rank is None:
        by_rank: dict[int, tf.TensorShape] = {}
        for shape in shapes:
            by_rank[shape.rank] = shape.most_specific_compatible_shape(by_rank.get(shape.rank, shape))
        setattr(tensor, _POSSIBLE_SHAPES, list(by_rank.values()))
    return tensor


_POSSIBLE_SHAPES = "_onnx_tf_possible_shapes"


def conformed(value: Any, spec: Any) -> Any:
    """Return a sequence or optional in the form that a spec states; other values as they are."""
    if not isinstance(spec, (TensorSequence.Spec, OptionalValue.Spec)):
        return value
    kind = _kind_of_spec(spec)
    return build(kind, iter(flatten(kind, value)))


def _kind_of_spec(spec: Any) -> Kind:
    if isinstance(spec, OptionalValue.Spec):
        return OptionalKind(_kind_of_spec(spec.element))
    return (SequenceKind if isinstance(spec, TensorSequence.Spec) else TensorKind)(spec.dtype, spec.shape)


def merged(a: Kind, b: Kind) -> Kind:
    """Return the narrowest kind that holds all values of two kinds.

    Raises:
        ValueError: there is none.
    """
    if a == b:
        return a
    if isinstance(a, TensorKind) and isinstance(b, TensorKind):
        return TensorKind(_same_dtype(a.dtype, b.dtype), a.shape.most_specific_compatible_shape(b.shape))
    if isinstance(a, ListKind) and isinstance(b, ListKind) and len(a.elements) == len(b.elements):
        return ListKind(tuple(merged(x, y) for x, y in zip(a.elements, b.elements, strict=True)))
    sequences = (ListKind, SequenceKind)
    if isinstance(a, sequences) and isinstance(b, sequences):
        joined = [_joined(kind) for kind in (a, b) if kind != ListKind(())]
        return joined[0] if len(joined) == 1 else _joined(ListKind(tuple(joined)))
    optionals = (AbsentKind, OptionalKind)
    if isinstance(a, optionals) or isinstance(b, optionals):
        elements = [k.element if isinstance(k, OptionalKind) else k for k in (a, b) if not isinstance(k, AbsentKind)]
        element = elements[0] if len(elements) == 1 else merged(*elements)
        if isinstance(element, ListKind) and element.elements:
            element = _joined(element)
        return OptionalKind(element)
    raise ValueError(f"a {_named(a)} and a {_named(b)} are no value of one type")


def _joined(kind: Kind) -> SequenceKind:
    if isinstance(kind, SequenceKind):
        return kind
    elements = kind.elements if isinstance(kind, ListKind) else ()
    tensors = [e for e in elements if isinstance(e, (TensorKind, SequenceKind))]
    if not tensors or len(tensors) < len(elements):
        raise ValueError("a sequence whose length is known at run time only holds tensors alone")
    dtype, shape = tensors[0].dtype, tensors[0].shape
    for other in tensors[1:]:
        dtype, shape = _same_dtype(dtype, other.dtype), shape.most_specific_compatible_shape(other.shape)
    return SequenceKind(dtype, shape)


def _same_dtype(a: tf.DType, b: tf.DType) -> tf.DType:
    if a != b:
        raise ValueError(f"dtypes {a.name} and {b.name} meet where the paths of a model come together")
    return a


def _named(kind: Kind) -> str:
    return {TensorKind: "tensor", ListKind: "sequence", SequenceKind: "sequence"}.get(type(kind), "optional")
