"""Which ONNX value or node each value and node of a model stands for, through every pass.

Loading marks what the file holds. A pass that replaces a value calls :func:`hand_on`, one that makes it hold
something else :func:`change`. Names are labels for people; what a value stands for lies in its
``meta``, and goes where the value goes.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

__all__ = [
    "Grouped",
    "Narrowed",
    "Origin",
    "Readers",
    "Rearranged",
    "Reordered",
    "Rescaled",
    "Transposed",
    "change",
    "forget",
    "hand_on",
    "mark_origins",
    "node_origin",
    "origins",
    "rename",
    "stand_for",
    "through_inlining",
    "through_merging",
    "unique_names",
]

_KEY = "onnx_tf.origin"


Restoring = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Origin:
    """An ONNX value that another value holds.

    Attributes:
        name: its name in the model's main graph.
        restoring: what makes the ONNX value of the one that holds it, step by step; nothing where it is that.
    """

    name: str
    restoring: tuple[Restoring, ...] = ()

    def restored(self, array: np.ndarray) -> np.ndarray:
        """Return the ONNX value as an array, from the one that holds it."""
        for step in self.restoring:
            array = step(array)
        return array

    def dims(self, held: Sequence[Any]) -> list[Any]:
        """Return the dimensions of the ONNX value as far as they lie in another order than those of the one held."""
        dims = list(held)
        for step in self.restoring:
            if isinstance(step, Transposed) and len(step.axes) == len(dims):
                dims = [dims[axis] for axis in np.argsort(step.axes)]
        return dims


@dataclass(frozen=True)
class Readers:
    """The values of a model's main graph in ONNX order, and for each which others are computed from it directly."""

    by_name: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, model: ir.Model) -> Readers:
        """Return those of a model: its inputs, then what its nodes compute."""
        found: dict[str, list[str]] = {str(v.name): [] for v in model.graph.inputs if not v.is_initializer()}
        for node in model.graph:
            results = [str(output.name) for output in node.outputs if output.name]
            for value in {*node.inputs, *_captured(node)}:
                if value is not None and value.name in found:
                    found[value.name].extend(results)
            found.update({name: [] for name in results})
        return cls({name: tuple(results) for name, results in found.items()})

    def heirs(self, name: str, present: Container[str]) -> list[str]:
        """Return the nearest of the values that are computed from a value, of those present."""
        level, seen = [name], {name}
        while level:
            level = list(dict.fromkeys(r for n in level for r in self.by_name[n] if r not in seen))
            seen.update(level)
            if found := [n for n in level if n in present]:
                return found
        return []


def _captured(node: ir.Node) -> Iterator[ir.Value | None]:
    for attribute in node.attributes.values():
        if attribute.type is ir.AttributeType.GRAPH:
            for inner in attribute.as_graph().all_nodes():
                yield from inner.inputs
            for graph in (attribute.as_graph(), *attribute.as_graph().subgraphs()):
                yield from graph.outputs


def mark_origins(model: ir.Model) -> None:
    """State that the values of a model's main graph stand for themselves, and all nodes too.

    Values that share a name, or have none, as in a model made in memory, get one first.
    """
    _name_values(model, list(model.graphs()))
    for value in _own_values(model.graph):
        value.meta[_KEY] = (Origin(str(value.name)),) if value.name else ()
    for node in model.graph.all_nodes():
        node.meta[_KEY] = str(node.name)


def origins(value: ir.Value) -> tuple[Origin, ...]:
    """Return the ONNX values that a value holds; several are equal."""
    found: tuple[Origin, ...] = value.meta.get(_KEY, ())
    return found


def node_origin(node: ir.Node) -> str | None:
    """Return the name of the ONNX node that a node computes a part of."""
    name: str | None = node.meta.get(_KEY)
    return name


def hand_on(old: ir.Value, new: ir.Value, *restoring: Restoring) -> None:
    """State that ``new`` holds what ``old`` held, once it is restored.

    A node that was made for ``new`` stands for the node of ``old``.
    """
    known = {origin.name for origin in origins(new)}
    new.meta[_KEY] = origins(new) + tuple(o for o in _restorable(old, restoring) if o.name not in known)
    producer, node = old.producer(), new.producer()
    if producer is not None and node is not None:
        stand_for(producer, node)


def change(value: ir.Value, *restoring: Restoring) -> None:
    """State that a value from now on holds what it stood for only once it is restored."""
    value.meta[_KEY] = _restorable(value, restoring)


def forget(value: ir.Value) -> None:
    """State that a value does not hold any longer what it stood for."""
    value.meta[_KEY] = ()


def stand_for(origin: ir.Node, *nodes: ir.Node) -> None:
    """State that new nodes compute a part of what another computed."""
    for node in nodes:
        if _KEY in origin.meta:
            node.meta.setdefault(_KEY, origin.meta[_KEY])


def _restorable(value: ir.Value, restoring: tuple[Restoring, ...]) -> tuple[Origin, ...]:
    return tuple(Origin(o.name, (*restoring, *o.restoring)) for o in origins(value))


@dataclass(frozen=True)
class Transposed:
    """Restores a value whose axes lie in the order ``axes``."""

    axes: tuple[int, ...]

    def __call__(self, array: np.ndarray) -> np.ndarray:
        """Return the array with its axes in their own order."""
        return array.transpose(np.argsort(self.axes))


@dataclass(frozen=True)
class Reordered:
    """Restores a value whose last axis merges axes of ``sizes`` in another order."""

    sizes: tuple[int, ...]
    order: tuple[int, ...]

    def __call__(self, array: np.ndarray) -> np.ndarray:
        """Return the array with the elements of its last axis in their own order."""
        before = array.ndim - 1
        pieces = array.reshape(*array.shape[:-1], *(self.sizes[i] for i in self.order))
        perm = [*range(before), *(before + i for i in np.argsort(self.order))]
        return pieces.transpose(perm).reshape(array.shape)


@dataclass(frozen=True)
class Narrowed:
    """Restores a value of float32 that is computed in floats of 16 bits."""

    def __call__(self, array: np.ndarray) -> np.ndarray:
        """Return the array in float32."""
        return array.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Rescaled:
    """Restores a value whose channels, along axis 1, were scaled and shifted."""

    factor: np.ndarray
    offset: np.ndarray

    def __call__(self, array: np.ndarray) -> np.ndarray:
        """Return each channel times its factor plus its offset."""
        per_channel = (-1, *[1] * (array.ndim - 2))
        restored: np.ndarray = array * self.factor.reshape(per_channel) + self.offset.reshape(per_channel)
        return restored.astype(array.dtype)


@dataclass(frozen=True)
class Rearranged:
    """Restores a value whose axis 1 holds the elements ``order`` of the ONNX value, one after the other."""

    order: tuple[int, ...]

    def __call__(self, array: np.ndarray) -> np.ndarray:
        """Return the array with the elements of axis 1 in their own order."""
        return array.take(np.argsort(self.order), axis=1)


@dataclass(frozen=True)
class Grouped:
    """Restores a value whose channels were split into groups of one axis each."""

    groups: int

    def __call__(self, array: np.ndarray) -> np.ndarray:
        """Return the array as N, groups, everything else."""
        return array.reshape(array.shape[0], self.groups, -1)


@contextmanager
def through_inlining(model: ir.Model) -> Iterator[None]:
    """Hand on while calls of functions are replaced by their bodies.

    The results of a body take the names of those of the call, which no other value of the main graph has.
    """
    before = {str(value.name): value for value in _own_values(model.graph) if origins(value)}
    for node in model.graph.all_nodes():
        if _KEY in node.meta:
            node.metadata_props[_KEY] = node.meta[_KEY]  # what is cloned for a call gets its properties
    yield
    for node in model.graph.all_nodes():
        name = node.metadata_props.pop(_KEY, None)
        if name is not None:
            node.meta[_KEY] = name
    for value in _own_values(model.graph):
        old = before.get(str(value.name))
        if old is not None and old is not value:
            hand_on(old, value)


@contextmanager
def through_merging(model: ir.Model) -> Iterator[None]:
    """Hand on while nodes that compute the same as others, or initializers that hold the same, are removed."""
    graph = model.graph
    nodes, constants = list(graph), list(graph.initializers.values())
    uses = {v: list(v.uses()) for v in (*constants, *(output for node in nodes for output in node.outputs))}
    given = list(graph.outputs)
    yield
    kept = dict(zip(given, graph.outputs, strict=True))
    removed: dict[ir.Node, ir.Node] = {}
    for node in reversed(nodes):
        if node.graph is graph:
            continue
        for output in node.outputs:
            value = kept.get(output) or _replacement(uses[output], removed)
            if value is not None and value is not output:
                hand_on(output, value)
                if (producer := value.producer()) is not None:
                    removed[node] = producer
    for constant in constants:
        value = None if constant.is_initializer() else _replacement(uses[constant], removed)
        if value is not None and value is not constant:
            hand_on(constant, value)


def _replacement(uses: Iterable[tuple[ir.Node, int]], removed: dict[ir.Node, ir.Node]) -> ir.Value | None:
    for user, index in uses:
        heir = removed.get(user, user)
        if index < len(heir.inputs) and heir.inputs[index] is not None:
            return heir.inputs[index]
    return None


def unique_names(model: ir.Model) -> None:
    """Give every value and node of a model a name of its own; what is in the file keeps its name.

    Passes name what they add as they like. Inference and other libraries find values by name, people too.
    """
    graphs = list(model.graphs())
    _name_values(model, graphs)
    nodes = [node for graph in graphs for node in graph]
    if not _are_unique([node.name for node in nodes]):
        _make_unique(nodes, [n for n in nodes if node_origin(n) == n.name], "node")


def _name_values(model: ir.Model, graphs: Sequence[ir.Graph]) -> None:
    values = [value for graph in graphs for value in _own_values(graph)]
    if not _are_unique([value.name for value in values]):
        ends = [value for value in (*model.graph.inputs, *model.graph.outputs) if value.name]
        _make_unique(values, [*ends, *(v for v in values if any(o.name == v.name for o in origins(v)))], "value")


def _are_unique(names: Sequence[str | None]) -> bool:
    return len({*filter(None, names)}) == len(names)


def _make_unique(things: Sequence[ir.Value] | Sequence[ir.Node], own: Iterable[ir.Value | ir.Node], what: str) -> None:
    taken: dict[str | None, ir.Value | ir.Node] = {}
    for thing in own:
        taken.setdefault(thing.name, thing)
    present, counts = {thing.name for thing in things}, dict[str, int]()
    for thing in things:
        if isinstance(thing, ir.Value) and not (thing.name or thing.uses() or thing.is_graph_output()):
            continue  # an output that the node leaves out
        name = wanted = thing.name or what
        if taken.setdefault(name, thing) is thing and thing.name:
            continue
        while name in taken or name in present:
            counts[wanted] = counts.get(wanted, 1) + 1
            name = f"{wanted}_{counts[wanted]}"
        taken[name] = thing
        rename(thing, name)


def rename(thing: ir.Value | ir.Node, name: str) -> None:
    """Give a value or node another name, but not the tensor of the caller's ``ModelProto``."""
    tensor = thing.const_value if isinstance(thing, ir.Value) else None
    if isinstance(thing, ir.Value) and tensor is not None:
        thing.const_value = ir.LazyTensor(lambda: tensor, dtype=tensor.dtype, shape=_shape(tensor), name=name)
    thing.name = name


def _shape(tensor: ir.TensorProtocol) -> ir.Shape:
    return ir.Shape(tensor.shape.numpy())


def _own_values(graph: ir.Graph) -> Iterator[ir.Value]:
    yield from dict.fromkeys((*graph.inputs, *graph.initializers.values()))
    for node in graph:
        yield from node.outputs
