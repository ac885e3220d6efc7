"""How values that are not tensors appear in a signature, which holds named tensors only.

A map, and a sequence of maps that share their keys, take two names: ``NAME_keys``, and
``NAME_values`` with one row per map. A sequence whose length is known takes one name per element:
``NAME_0``, ``NAME_1``, ... Whatever is absent takes none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf

from onnx_tf.errors import ExportError
from onnx_tf.values import Map, MapSequence

__all__ = ["flat_tensors", "regrouped"]

_MAPS = (Map, MapSequence)
_MAP_SPECS = (Map.Spec, MapSequence.Spec)


def flat_tensors(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return tensors (or specs, if the values are specs) by their names in a signature.

    Args:
        values: inputs or outputs by ONNX name.

    Raises:
        ExportError: two of them would have the same name, or a value has no such form.
    """
    flat: dict[str, Any] = {}
    for name, value in values.items():
        for part, tensor in _parts(name, value):
            if part in flat:
                raise ExportError(f"two tensors of the signature would be called {part!r}: rename {name!r}")
            flat[part] = tensor
    return flat


def regrouped(like: Mapping[str, Any], flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by ONNX name, put together from the tensors of a signature.

    Args:
        like: values or specs of the same form, by ONNX name.
        flat: the tensors by their names in the signature.
    """
    return {name: _whole(name, value, flat) for name, value in like.items()}


def _parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _parts(f"{name}_{index}", item)
    elif isinstance(value, _MAPS + _MAP_SPECS):
        yield f"{name}_keys", value.keys
        yield f"{name}_values", value.values
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
    return None if like is None else flat[name]
