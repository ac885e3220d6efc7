"""How values that are not tensors appear in a signature, which holds named tensors only.

=============================  ========================================================================
value                          tensors
=============================  ========================================================================
sequence of known length       ``NAME_0``, ``NAME_1``, ...: one per element
other sequence (as all input   ``NAME_values``: the elements of all its tensors one after another, 1-D;
sequences)                     ``NAME_shapes``: int64, a row per tensor, filled with -1 where ranks differ
optional that may be absent    ``NAME_present``: a bool, besides the tensors of the element, which mean
(as all input optionals)       nothing where it is false
optional known to be absent    none
map, sequence of maps that     ``NAME_keys``; ``NAME_values``, one row per map
share their keys
=============================  ========================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf

from onnx_tf import tensor_list
from onnx_tf.errors import ExportError
from onnx_tf.values import Map, MapSequence, OptionalValue, TensorSequence, conformed

__all__ = ["flat_names", "flat_tensors", "grouped_specs", "regrouped"]

_MAPS = (Map, MapSequence)
_MAP_SPECS = (Map.Spec, MapSequence.Spec)


def flat_tensors(values: Mapping[str, Any], specs: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return tensors (or specs, if the values are specs) by their names in a signature.

    Args:
        values: inputs or outputs by ONNX name.
        specs: the specs that the signature was written for, of values that may have other forms.

    Raises:
        ExportError: two of them would have the same name, or a value has no such form.
    """
    if specs is not None:
        values = {name: conformed(value, specs[name]) for name, value in values.items()}
    flat: dict[str, Any] = {}
    for name, value in values.items():
        for part, tensor in _parts(name, value):
            if part in flat:
                raise ExportError(f"two tensors of the signature would be called {part!r}: rename {name!r}")
            flat[part] = tensor
    return flat


def flat_names(values: Mapping[str, Any]) -> list[str]:
    """Return the names of the tensors of :func:`flat_tensors`, without making them.

    Raises:
        ExportError: as there.
    """
    specs = tf.nest.map_structure(lambda value: getattr(value, "_type_spec", value), dict(values))
    return list(flat_tensors({name: specs[name] for name in values}))


def regrouped(like: Mapping[str, Any], flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by ONNX name, put together from the tensors of a signature.

    Args:
        like: values or specs of the same form, by ONNX name.
        flat: the tensors by their names in the signature.
    """
    return {name: _whole(name, value, flat) for name, value in like.items()}


def grouped_specs(flat: Mapping[str, tf.TensorSpec]) -> dict[str, Any]:
    """Return the specs of the values that the tensors of a signature stand for, as far as their names tell.

    Sequences of known length stay the tensors that they are.

    Args:
        flat: the specs of the tensors by their names in the signature.
    """
    grouped: dict[str, Any] = {}
    for name in flat:
        base, _, part = name.rpartition("_")
        if part not in _PARTS or _spec_of(base, flat) is None:
            base = name
        grouped.setdefault(base, _spec_of(base, flat))
    return grouped


_PARTS = ("values", "shapes", "keys", "present")


def _spec_of(name: str, flat: Mapping[str, tf.TensorSpec]) -> Any:
    values, shapes, keys, present = (flat.get(f"{name}_{part}") for part in _PARTS)
    element: Any = flat.get(name)
    if values is not None and shapes is not None and shapes.shape.rank == 2:
        items, order = tf.TensorSpec([], tf.variant), tf.TensorSpec([None], tf.int32)
        shape = tf.TensorShape(None if shapes.shape[1] is None else [None] * shapes.shape[1])
        element = TensorSequence.Spec(items=items, order=order, dtype=values.dtype, shape=shape)
    elif values is not None and keys is not None:
        element = (Map if values.shape.rank == 1 else MapSequence).Spec(keys=keys, values=values)
    if element is None or present is None:
        return element
    return OptionalValue.Spec(flag=present, element=element)


def _parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _parts(f"{name}_{index}", item)
    elif isinstance(value, _MAPS + _MAP_SPECS):
        yield f"{name}_keys", value.keys
        yield f"{name}_values", value.values
    elif isinstance(value, (TensorSequence, TensorSequence.Spec)):
        values, shapes = _packed_spec(value) if isinstance(value, TensorSequence.Spec) else _packed(value)
        yield f"{name}_values", values
        yield f"{name}_shapes", shapes
    elif isinstance(value, (OptionalValue, OptionalValue.Spec)):
        yield f"{name}_present", value.flag
        yield from _parts(name, value.element)
    elif tf.is_tensor(value) or isinstance(value, tf.TensorSpec):
        yield name, value
    elif value is not None:
        raise ExportError(f"{name!r} has no fixed form ({type(value).__name__}): a signature cannot hold it")


def _whole(name: str, like: Any, flat: Mapping[str, Any]) -> Any:
    if isinstance(like, (list, tuple)):
        return [_whole(f"{name}_{index}", item, flat) for index, item in enumerate(like)]
    if isinstance(like, _MAPS + _MAP_SPECS):
        kind = MapSequence if isinstance(like, (MapSequence, MapSequence.Spec)) else Map
        return kind(flat[f"{name}_keys"], flat[f"{name}_values"])
    if isinstance(like, (TensorSequence, TensorSequence.Spec)):
        return _unpacked(flat[f"{name}_values"], flat[f"{name}_shapes"], like)
    if isinstance(like, (OptionalValue, OptionalValue.Spec)):
        return OptionalValue(flat[f"{name}_present"], _whole(name, like.element, flat))
    return None if like is None else flat[name]


def _packed_spec(spec: Any) -> tuple[tf.TensorSpec, tf.TensorSpec]:
    return tf.TensorSpec([None], spec.dtype), tf.TensorSpec([None, spec.shape.rank], tf.int64)


def _packed(sequence: TensorSequence) -> tuple[tf.Tensor, tf.Tensor]:
    """Return all elements of a sequence's tensors, and the tensors' shapes."""

    def step(index: tf.Tensor, flat: tf.Tensor, shapes: tf.Tensor, ranks: tf.Tensor) -> list[tf.Tensor]:
        tensor = sequence.at(index)
        shape = tf.shape(tensor, out_type=tf.int64)
        return [
            index + 1,
            tensor_list.push(flat, tf.reshape(tensor, [-1])),
            tensor_list.push(shapes, shape),
            tensor_list.push(ranks, tf.size(shape)),
        ]

    lists = [tensor_list.empty(dtype) for dtype in (sequence.dtype, tf.int64, tf.int32)]
    count = tf.size(sequence.order)
    _, flat, shapes, ranks = tf.while_loop(lambda index, *_: index < count, step, [0, *lists])
    scalar = tf.TensorShape([])
    rows = tf.RaggedTensor.from_row_lengths(
        tensor_list.concat(shapes, tf.int64, scalar), tensor_list.stack(ranks, tf.int32, scalar)
    )
    padded = rows.to_tensor(-1, shape=[None, sequence.shape.rank])
    return tensor_list.concat(flat, sequence.dtype, scalar), padded


def _unpacked(values: tf.Tensor, shapes: tf.Tensor, like: Any) -> TensorSequence:
    """Return the sequence that :func:`_packed` took apart."""
    sizes = tf.reduce_prod(tf.where(shapes < 0, tf.ones_like(shapes), shapes), axis=1)
    starts = tf.cumsum(sizes, exclusive=True)

    def step(index: tf.Tensor, items: tf.Tensor) -> list[tf.Tensor]:
        shape = shapes[index] if like.shape.rank is not None else tf.boolean_mask(shapes[index], shapes[index] >= 0)
        tensor = tf.reshape(values[starts[index] : starts[index] + sizes[index]], shape)
        return [index + 1, tensor_list.push(items, tensor)]

    count = tf.shape(shapes)[0]
    _, items = tf.while_loop(lambda index, _: index < count, step, [0, tensor_list.empty(like.dtype)])
    return TensorSequence.of_list(items, like.dtype, like.shape)
