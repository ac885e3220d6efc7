"""Cut out the part of a model that lies between named values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedFunctionsPass

from onnx_tf.edits.kinds import infer_types
from onnx_tf.errors import EditError, option
from onnx_tf.model.loading import bodies, used_by
from onnx_tf.origins import forget, hand_on, unique_names
from onnx_tf.telling import did_you_mean, listed

__all__ = ["cut"]


def cut(
    model: ir.Model, input_names: Sequence[str] | None = None, output_names: Sequence[str] | None = None
) -> ir.Model:
    """Return the part of a model that computes the outputs from the inputs; the given model stays as it is.

    Any value of the main graph can be named. What computes the inputs is left out, and so are
    graph inputs that are neither named nor needed. Initializers that are needed stay, as graph
    inputs if they are; one that is named becomes an input.

    Args:
        model: a model from :func:`onnx_tf.model.loading.load_model`.
        input_names: the new inputs in their order; the graph's own if none are given.
        output_names: the new outputs in their order; the graph's own if none are given.

    Raises:
        EditError: a name is unknown, the type of an input is not known, no output needs an input,
            or an output needs what is not among the inputs.
    """
    model = model.clone()
    part = _Part(model)
    graph = model.graph
    inputs = _found(model, part.values, "input_names", input_names)
    outputs = _found(model, part.values, "output_names", output_names) or list(graph.outputs)
    needed = part.needed(outputs, inputs or [value for value in graph.inputs if value.const_value is None])
    for value in inputs:
        if value not in needed and not value.is_graph_input():
            raise EditError(
                f"{option('input_names')}: no output needs {value.name!r}: leave it out, or choose outputs that "
                f"are computed from it; the outputs are {_names(outputs)}"
            )
    _learn_types(model, [value for value in inputs if value.producer() is not None])
    own = [v for v in graph.inputs if v in needed and v not in inputs]
    _keep(model, needed, [*inputs, *own], outputs)
    return model


class _Part:
    """The values of a main graph and what the computation of each reads, values captured by bodies included."""

    def __init__(self, model: ir.Model) -> None:
        graph = model.graph
        self.graph_inputs = list(graph.inputs)
        produced = [output for node in graph for output in node.outputs if output.name]
        self.values = {str(value.name): value for value in (*graph.initializers.values(), *graph.inputs, *produced)}
        known = set(self.values.values())
        self._reads: dict[ir.Node, list[ir.Value]] = {}
        for node in graph:
            self._reads[node] = [value for value in dict.fromkeys(used_by(node)) if value in known]

    def needed(self, outputs: Sequence[ir.Value], ends: Sequence[ir.Value]) -> set[ir.Value]:
        """Return all values that the outputs need, back to the ends.

        Raises:
            EditError: the outputs need graph inputs that are not among the ends.
        """
        needed: set[ir.Value] = set()
        given = set(ends)
        stack = list(outputs)
        while stack:
            value = stack.pop()
            if value not in needed:
                needed.add(value)
                node = value.producer()
                stack += self._reads[node] if node is not None and value not in given else ()
        unfed = [v for v in self.graph_inputs if v in needed and v not in given and v.const_value is None]
        if unfed:
            raise EditError(self._incomplete(outputs, ends, needed, unfed))
        return needed

    def _incomplete(
        self, outputs: Sequence[ir.Value], ends: Sequence[ir.Value], needed: set[ir.Value], unfed: Sequence[ir.Value]
    ) -> str:
        """Say what the outputs need besides the ends: the values nearest to them, and the graph inputs behind."""
        reached, undecided = self._following(ends), self._following(unfed)
        apart = [value for value in outputs if value in undecided and value not in reached]
        if apart:
            return (
                f"the outputs {_names(apart)} are not reached from the inputs {_names(ends)}, but from the graph "
                f"inputs {_names(unfed)}: add these to the inputs, or leave the outputs out"
            )
        computed = needed.intersection(reached).difference(ends)
        inner = [reads for node, reads in self._reads.items() if not computed.isdisjoint(node.outputs)]
        missing = [value for reads in inner for value in reads if value in undecided and value not in reached]
        return (
            f"the outputs {_names(outputs)} need {_names(missing)} besides the inputs {_names(ends)} (computed from "
            f"the graph inputs {_names(unfed)}): add what is missing to the inputs, or choose other outputs"
        )

    def _following(self, values: Sequence[ir.Value]) -> set[ir.Value]:
        """Return the values and all that are computed from them."""
        found = set(values)
        for node, reads in self._reads.items():
            if not found.isdisjoint(reads):
                found.update(node.outputs)
        return found


def _names(values: Sequence[ir.Value]) -> str:
    return listed(str(value.name) for value in values)


def _found(model: ir.Model, values: Mapping[str, ir.Value], side: str, names: Sequence[str] | None) -> list[ir.Value]:
    found = []
    for name in dict.fromkeys(names or ()):
        if name not in values:
            inside = any(
                value.name == name for node in model.graph.all_nodes() for value in node.outputs if value is not None
            )
            what = "is a value of a body of If, Loop or Scan, not of the main graph" if inside else "is unknown"
            raise EditError(
                f"{option(side)}: {name!r} {what}{did_you_mean(name, values)}; "
                f"values of the model are {listed(values, name)}"
            )
        found.append(values[name])
    return found


def _learn_types(model: ir.Model, ends: Sequence[ir.Value]) -> None:
    """Infer types and shapes of values that become inputs; what the model states counts where nothing is inferred."""
    stated = {value: value.shape for value in ends}
    infer_types(model)
    for value in ends:
        value.shape = stated[value] if value.shape is None else value.shape
        if value.type is None:
            node = value.producer()
            assert node is not None
            near = [str(v.name) for v in (*node.inputs, *(o for c in value.consumers() for o in c.outputs)) if v]
            raise EditError(
                f"{option('input_names')}: the type of {value.name!r} is not known, nothing is inferred for "
                f"{node.domain or 'ai.onnx'}.{node.op_type}: state it in the model's value_info, or cut before or "
                f"after it, at {listed(near)}"
            )


def _keep(model: ir.Model, needed: set[ir.Value], inputs: Sequence[ir.Value], outputs: Sequence[ir.Value]) -> None:
    graph = model.graph
    kept = {value.producer() for value in needed.difference(inputs)}
    graph.outputs[:] = outputs
    ends = [_as_input(graph, value) for value in inputs]
    for node in reversed(list(graph)):
        if node not in kept:
            _release(node)
            graph.remove(node)
    graph.inputs[:] = ends
    for name, value in list(graph.initializers.items()):
        if value not in needed:
            graph.initializers.pop(name)
    RemoveUnusedFunctionsPass()(model)
    unique_names(model)


def _as_input(graph: ir.Graph, value: ir.Value) -> ir.Value:
    if value.is_graph_input():
        return value
    if value.producer() is None:
        graph.initializers.pop(str(value.name))
        value.const_value = None
        return value
    end = ir.Value(name=value.name, type=value.type, shape=value.shape)
    hand_on(value, end)
    forget(value)
    value.replace_all_uses_with(end, replace_graph_outputs=True)
    value.name = f"{value.name}_before_cut"
    return end


def _release(node: ir.Node) -> None:
    """Let go of all values that a node reads, also in its bodies."""
    for index in range(len(node.inputs)):
        node.replace_input_with(index, None)
    for body in bodies(node):
        for inner in body:
            _release(inner)
