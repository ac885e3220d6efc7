"""Change single nodes of a model as overrides say, and the names of its inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import onnx_ir as ir

from onnx_tf.edits.channels_last_terms import translated
from onnx_tf.edits.kinds import infer_types
from onnx_tf.edits.node_changes import Changes, Misfit
from onnx_tf.errors import EditError, option
from onnx_tf.model.loading import bodies, used_by
from onnx_tf.origins import mark_origins, node_origin, rename, unique_names
from onnx_tf.overrides import NodeOverride, Overrides
from onnx_tf.telling import did_you_mean, listed

__all__ = ["override"]


def override(model: ir.Model, overrides: Overrides) -> ir.Model:
    """Return a model with all overrides made; the given one stays as it is.

    What follows from a change has shapes that are inferred again; shapes that the file states of it are dropped.

    Args:
        model: a model from :func:`onnx_tf.model.loading.load_model`.
        overrides: what is to be changed. Entries are made in order, all names are those of the model as it is.

    Raises:
        EditError: entries do not fit the model; the error lists all of them.
    """
    model = model.clone()
    infer_types(model)  # whose ranks and dtypes constants and permutations have to fit
    nodes, changes, problems = _Nodes(model), Changes(model), list[str]()
    for entry in overrides.nodes:
        _change(nodes, changes, entry, problems)
    for replacement in overrides.replacements:
        try:
            entry = translated(nodes.find(replacement.node), replacement)
        except Misfit as misfit:
            problems.append(f"{replacement.place}: {misfit}")
        else:
            _change(nodes, changes, entry, problems)
    for side, values, names in (
        ("rename_inputs", model.graph.inputs, overrides.rename_inputs),
        ("rename_outputs", model.graph.outputs, overrides.rename_outputs),
    ):
        _rename(model, side, values, names, problems)
    if problems:
        raise EditError("\n  ".join([f"{option('overrides')} that do not fit the model:", *problems]))
    unique_names(model)
    _infer_again(model, changes)
    mark_origins(model)
    return model


class _Nodes:
    """The nodes of a model by name, those of bodies too, and by what they compute."""

    def __init__(self, model: ir.Model) -> None:
        self._by_name: dict[str, list[ir.Node]] = {}
        self._by_value: dict[str, ir.Node] = {}
        for node in model.graph.all_nodes():
            for name in {str(node.name), node_origin(node) or str(node.name)}:  # loading tells equal names apart
                self._by_name.setdefault(name, []).append(node)
            self._by_value.update({str(output.name): node for output in node.outputs if output.name})

    def find(self, name: str) -> ir.Node:
        """Return the node of a name, or the one that computes the value of it."""
        found = self._by_name.get(name, [])
        if len(found) == 1:
            return found[0]
        if found:
            values = listed(str(node.outputs[0].name) for node in found if node.outputs)
            raise Misfit(f"{len(found)} nodes are called so: name one by what it computes: {values}")
        if name in self._by_value:
            return self._by_value[name]
        raise Misfit(
            f"the model has no node {name!r}{did_you_mean(name, [*self._by_name, *self._by_value])}; its nodes are "
            f"{listed(self._by_name, name)}"
        )


def _change(nodes: _Nodes, changes: Changes, entry: NodeOverride, problems: list[str]) -> None:
    place = entry.place or entry.node
    try:
        node = nodes.find(entry.node)
    except Misfit as misfit:
        problems.append(f"{place}: {misfit}")
        return
    problems += [f"{place}: {problem}" for problem in changes.make(node, entry)]


def _rename(
    model: ir.Model, side: str, values: Iterable[ir.Value], names: Mapping[str, str], problems: list[str]
) -> None:
    known = {str(value.name): value for value in values}
    for old in names:
        if old not in known:
            problems.append(f"{side}: {old!r} is none of {listed(known, old)}{did_you_mean(old, known)}")
    renamed = {known[old]: new for old, new in names.items() if old in known}
    taken = {str(value.name) for value in _all_values(model) if value not in renamed}
    for value, new in renamed.items():
        if new in taken:
            problems.append(f"{side}: {value.name}: another value is called {new!r} already: choose another name")
        taken.add(new)
    if not problems:
        for value in renamed:
            rename(value, f"{value.name} (renamed)")  # two may take each other's names
        for value, new in renamed.items():
            rename(value, new)


def _all_values(model: ir.Model) -> Iterator[ir.Value]:
    for graph in model.graphs():
        yield from graph.inputs
        yield from graph.initializers.values()
        for node in graph:
            yield from node.outputs


def _infer_again(model: ir.Model, changes: Changes) -> None:
    """Drop the shapes, and where they may be others the dtypes, of all that follows from changes, and infer them."""
    stale, retyped = set(changes.changed), set(changes.retyped)
    _spread(model.graph, stale)
    _spread(model.graph, retyped)
    stated = {value: value.type for value in retyped}
    for value in stale | retyped:
        value.shape = None
    for value in retyped:
        value.type = None
    infer_types(model)
    for value, kind in stated.items():
        value.type = kind if value.type is None else value.type


def _spread(graph: ir.Graph, found: set[ir.Value]) -> bool:
    """Add to values all that are computed from them; return whether some of them are computed in the graph."""
    any_found = False
    for node in graph if found else ():
        inside = [_spread(body, found) for body in bodies(node)]
        if any(inside) or not found.isdisjoint(used_by(node)):
            found.update(node.outputs)
        any_found = any_found or not found.isdisjoint(node.outputs)
    return any_found
