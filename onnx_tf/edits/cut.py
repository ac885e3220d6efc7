"""Cut out the part of a model that lies between named values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedFunctionsPass

from onnx_tf.edits.kinds import inferred_type
from onnx_tf.errors import EditError
from onnx_tf.loading import bodies
from onnx_tf.passes._names import Names
from onnx_tf.passes.infer_shapes import infer_shapes
from onnx_tf.telling import listed

__all__ = ["cut"]


def cut(
    model: ir.Model, input_names: Sequence[str] | None = None, output_names: Sequence[str] | None = None
) -> ir.Model:
    """Return the part of a model that computes the outputs from the inputs; the given model stays as it is.

    Any value of the main graph can be named. What computes the inputs is left out, and so are
    graph inputs that are neither named nor needed. Initializers that are needed stay, as graph
    inputs if they are; one that is named becomes an input.

    Args:
        model: a model from :func:`onnx_tf.loading.load_model`.
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
                f"input_names: no output needs {value.name!r}: leave it out, or choose outputs that are computed "
                f"from it; the outputs are {listed(str(output.name) for output in outputs)}"
            )
    _learn_types(model, [value for value in inputs if value.producer() is not None])
    own = [v for v in graph.inputs if v in needed and v not in inputs]
    _keep(model, needed, [*inputs, *own], outputs)
    return model


class _Part:
    """The values of a main graph and what the computation of each reads, values captured by bodies included."""

    def __init__(self, model: ir.Model) -> None:
        graph = model.graph
        produced = [output for node in graph for output in node.outputs if output.name]
        self.values = {str(value.name): value for value in (*graph.initializers.values(), *graph.inputs, *produced)}
        known = set(self.values.values())
        self._reads: dict[ir.Node, list[ir.Value]] = {}
        for node in graph:
            self._reads[node] = [value for value in dict.fromkeys(_used(node)) if value in known]

    def needed(self, outputs: Sequence[ir.Value], ends: Sequence[ir.Value]) -> set[ir.Value]:
        """Return all values that the outputs need, back to the ends.

        Raises:
            EditError: an output needs a graph input that is not among the ends.
        """
        seen: set[ir.Value] = set()
        known = set(ends)
        for output in outputs:
            stack, consumers = [output], {output: output}
            while stack:
                value = stack.pop()
                if value in seen:
                    continue
                seen.add(value)
                node = value.producer()
                if value in known or (node is None and value.const_value is not None):
                    continue
                if node is None:
                    raise EditError(self._incomplete(value, consumers, output, ends))
                for read in self._reads[node]:
                    consumers.setdefault(read, value)
                    stack.append(read)
        return seen

    def _incomplete(
        self, missing: ir.Value, consumers: Mapping[ir.Value, ir.Value], output: ir.Value, ends: Sequence[ir.Value]
    ) -> str:
        """Say of what an output needs besides the inputs: the value nearest to it, and the graph input behind that."""
        reached = set(ends)
        for node, reads in self._reads.items():
            if not reached.isdisjoint(reads):
                reached.update(node.outputs)
        names = listed(str(value.name) for value in ends)
        advice = f"add it to the inputs, or leave {output.name!r} out of the outputs"
        if output not in reached:
            return (
                f"the output {output.name!r} is not reached from the inputs {names}: it needs the graph input "
                f"{missing.name!r}; {advice}"
            )
        nearest = missing
        while consumers[nearest] not in reached:
            nearest = consumers[nearest]
        behind = "a graph input" if nearest is missing else f"computed from the graph input {missing.name!r}"
        return f"the output {output.name!r} needs {nearest.name!r}, {behind}, besides the inputs {names}: {advice}"


def _used(node: ir.Node) -> Iterator[ir.Value]:
    yield from (value for value in node.inputs if value is not None)
    for body in bodies(node):
        for inner in body:
            yield from _used(inner)


def _found(model: ir.Model, values: Mapping[str, ir.Value], option: str, names: Sequence[str] | None) -> list[ir.Value]:
    found = []
    for name in dict.fromkeys(names or ()):
        if name not in values:
            inside = any(
                value.name == name for node in model.graph.all_nodes() for value in node.outputs if value is not None
            )
            what = "is a value of a body of If, Loop or Scan, not of the main graph" if inside else "is unknown"
            raise EditError(f"{option}: {name!r} {what}; values of the model are {listed(values, name)}")
        found.append(values[name])
    return found


def _learn_types(model: ir.Model, ends: Sequence[ir.Value]) -> None:
    """Infer types and shapes of values that become inputs; what the model states counts where nothing is inferred."""
    stated = {value: value.shape for value in ends}
    infer_shapes(model)
    for value in ends:
        value.shape = stated[value] if value.shape is None else value.shape
        value.type = inferred_type(value)
        if value.type is None:
            node = value.producer()
            assert node is not None
            near = [str(v.name) for v in (*node.inputs, *(o for c in value.consumers() for o in c.outputs)) if v]
            raise EditError(
                f"input_names: the type of {value.name!r} is not known, nothing is inferred for "
                f"{node.domain or 'ai.onnx'}.{node.op_type}: state it in the model's value_info, or cut before or "
                f"after it, at {listed(near)}"
            )


def _keep(model: ir.Model, needed: set[ir.Value], inputs: Sequence[ir.Value], outputs: Sequence[ir.Value]) -> None:
    graph = model.graph
    names = Names(model)
    kept = {value.producer() for value in needed.difference(inputs)}
    graph.outputs[:] = outputs
    ends = [_as_input(graph, value, names) for value in inputs]
    for node in reversed(list(graph)):
        if node not in kept:
            _release(node)
            graph.remove(node)
    graph.inputs[:] = ends
    for name, value in list(graph.initializers.items()):
        if value not in needed:
            graph.initializers.pop(name)
    RemoveUnusedFunctionsPass()(model)


def _as_input(graph: ir.Graph, value: ir.Value, names: Names) -> ir.Value:
    if value.is_graph_input():
        return value
    if value.producer() is None:
        graph.initializers.pop(str(value.name))
        value.const_value = None
        return value
    end = ir.Value(name=value.name, type=value.type, shape=value.shape)
    value.replace_all_uses_with(end, replace_graph_outputs=True)
    value.name = names.fresh(f"{value.name}_before_cut")
    return end


def _release(node: ir.Node) -> None:
    """Let go of all values that a node reads, also in its bodies."""
    for index in range(len(node.inputs)):
        node.replace_input_with(index, None)
    for body in bodies(node):
        for inner in body:
            _release(inner)
