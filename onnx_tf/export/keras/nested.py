"""Deep models as models of models: Keras loads a model by going down one call for each operation of its depth."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

from onnx_tf.export.keras._place import Names
from onnx_tf.export.keras.steps import Step, inputs_of, scope_of

__all__ = ["MAX_DEPTH", "nested_model"]

MAX_DEPTH = 800
"""How deep a model may be that Keras loads: Python's recursion limit is 1,000."""

MAX_STEPS = 300
"""Parts of up to this many steps are not cut further."""

MIN_STEPS = 16
"""Scopes of fewer steps are no models of their own."""


@dataclass
class _Part:
    """Consecutive steps that become one model."""

    name: str
    items: list[Step | _Part] = field(default_factory=list)

    def steps(self) -> Iterator[Step]:
        for item in self.items:
            yield from item.steps() if isinstance(item, _Part) else [item]


def nested_model(steps: Sequence[Step], inputs: Sequence[Any], outputs: Sequence[Any], name: str) -> Any:
    """Return a model in which the scopes of the ONNX model are models.

    The layers are those of the steps. They are called anew, and forget that they were called before.

    Args:
        steps: the steps from inputs to outputs; those without a place stay in the outermost model.
        inputs: the tensors that the model takes.
        outputs: those that it gives.
        name: the model's name.
    """
    names = Names()
    for step in steps:
        names.take(step.operation.name)
    own = {id(tensor) for tensor in inputs}
    rest = [step for step in steps if own.isdisjoint(map(id, step.outputs))]
    root = _Part(name, list(_around_shared(rest, names)))
    for step in rest:
        step.operation._inbound_nodes.clear()
    for step in steps:
        step.operation._outbound_nodes.clear()
    return _Rebuilt(rest, outputs).model(root, inputs, outputs)


def _around_shared(steps: Sequence[Step], names: Names) -> Iterator[Step | _Part]:
    """Yield steps and parts of them; layers that are called several times stay: Keras loads none that models share."""
    counts = collections.Counter(id(step.operation) for step in steps)
    if len(counts) == len(steps):
        yield from _items(steps, 0, names)
        return
    for stays, group in itertools.groupby(steps, lambda step: counts[id(step.operation)] > 1 or not step.place):
        own = list(group)
        if stays or len(own) < MIN_STEPS:
            yield from own
        else:
            yield _Part(names.take("part"), list(_items(own, 0, names)))


def _items(steps: Sequence[Step], level: int, names: Names) -> Iterator[Step | _Part]:
    """Yield steps and parts of them: scopes, and where these are too long or not there, equal pieces."""
    if len(steps) <= MAX_STEPS:
        yield from steps
        return
    items: list[Step | _Part] = []
    scopes = [scope_of(step.place) for step in steps]
    while len({scope[: level + 1] for scope in scopes if len(scope) > level}) == 1:
        level += 1
    for scope, group in itertools.groupby(steps, lambda step: scope_of(step.place)[: level + 1]):
        own = list(group)
        if len(own) < MIN_STEPS or len(scope) <= level:
            items.extend(own)
        else:
            items.append(_Part(names.take("/".join(scope)), list(_items(own, level + 1, names))))
    yield from _pieces(items, names)


def _pieces(items: list[Step | _Part], names: Names) -> Iterator[Step | _Part]:
    """Yield items that are few, and otherwise pieces of them; outputs, which have no place, stay."""
    inner = [item for item in items if isinstance(item, _Part) or item.place]
    if len(inner) <= MAX_STEPS:
        yield from items
        return
    for first in range(0, len(inner), MAX_STEPS):
        yield _Part(names.take("part"), inner[first : first + MAX_STEPS])
    yield from (item for item in items if isinstance(item, Step) and not item.place)


class _Rebuilt:
    """Calls the layers and operations of steps anew, in models."""

    def __init__(self, steps: Sequence[Step], outputs: Sequence[Any]) -> None:
        self._last_use = {id(tensor): len(steps) for tensor in outputs}
        self._position = {step: index for index, step in enumerate(steps)}
        for index, step in enumerate(steps):
            for tensor in step.inputs:
                self._last_use[id(tensor)] = max(self._last_use.get(id(tensor), 0), index)

    def model(self, part: _Part, inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
        """Return the model of a part whose inputs are its own."""
        known = {id(tensor): tensor for tensor in inputs}
        self._call(part, known)
        return keras.Model(_alone(inputs), _alone([known[id(tensor)] for tensor in outputs]), name=part.name)

    def _call(self, part: _Part, known: dict[int, Any]) -> None:
        for item in part.items:
            if isinstance(item, Step):
                args, kwargs = item.call.arguments.fill_in(known)
                results, given = item.operation(*args, **kwargs), item.outputs
            else:
                taken, given = self._border(item)
                results = self._inner(item, taken, given)(_alone([known[id(tensor)] for tensor in taken]))
            known.update(zip(map(id, given), results if isinstance(results, (list, tuple)) else [results], strict=True))

    def _inner(self, part: _Part, taken: Sequence[Any], given: Sequence[Any]) -> Any:
        names = Names()
        inputs = [
            keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=names.take(_source(tensor)))
            for tensor in taken
        ]
        known = {id(tensor): own for tensor, own in zip(taken, inputs, strict=True)}
        self._call(part, known)
        return keras.Model(_alone(inputs), _alone([known[id(tensor)] for tensor in given]), name=part.name)

    def _border(self, part: _Part) -> tuple[list[Any], list[Any]]:
        """Return the tensors that a part takes, and those of its own that others take."""
        steps = list(part.steps())
        last = self._position[steps[-1]]
        given = [t for step in steps for t in step.outputs if self._last_use.get(id(t), -1) > last]
        return inputs_of(steps), given


def _source(tensor: Any) -> str:
    return str(tensor._keras_history.operation.name)


def _alone(tensors: Sequence[Any]) -> Any:
    return tensors[0] if len(tensors) == 1 else list(tensors)
