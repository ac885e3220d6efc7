"""Replace calls of a model's own functions by their bodies."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

import onnx_ir as ir
from onnx_ir.passes import PreconditionError
from onnx_ir.passes.common import InlinePass, RemoveUnusedFunctionsPass

from onnx_tf.budget import Budget
from onnx_tf.errors import ModelError
from onnx_tf.origins import through_inlining
from onnx_tf.telling import place_of


def inline_model_functions(
    model: ir.Model, has_handler: Callable[[str, str, int], bool], budget: Budget | None = None
) -> bool:
    """Inline every model-local function that has no handler of its own; return whether any was.

    Nodes keep the opset version of the function they come from (``node.version``), so a function
    may import another version than the model.

    Args:
        model: the model.
        has_handler: tells whether an operator of a domain and version has a handler.
        budget: what the nodes of the bodies are drawn from.

    Raises:
        ModelError: functions call each other in a cycle, their bodies multiply beyond the budget, or one cannot
            be instantiated.
    """
    if not model.functions:
        return False
    RemoveUnusedFunctionsPass()(model)
    for function in model.functions.values():
        for domain, version in function.opset_imports.items():
            model.opset_imports.setdefault(domain, version)
        function.opset_imports.update({d: model.opset_imports[d] for d in function.opset_imports})

    def needs_body(function: ir.Function) -> bool:
        return not has_handler(function.domain, function.name, model.opset_imports.get(function.domain, 1))

    bodies = {f.identifier(): _Body(f) for f in model.functions.values() if needs_body(f)}
    _draw(model, {identifier: body.function for identifier, body in bodies.items()}, budget or Budget())

    def is_inlined(function: ir.Function) -> bool:  # asked at every call
        body = bodies.get(function.identifier())
        if body is not None:
            body.number()
        return body is not None

    try:
        with through_inlining(model):
            return bool(InlinePass(criteria=is_inlined)(model).modified)
    except (PreconditionError, ValueError) as error:
        raise ModelError(f"the model's functions cannot be inlined: {error}") from error


class _Body:
    """The body of a function, whose names get a number at every call.

    The pass of onnx_ir tries one number after the other until a name is free, which takes the square of all calls.
    """

    def __init__(self, function: ir.Function) -> None:
        self.function = function
        self._calls = 0
        self._nodes = [(node, node.name) for node in function.all_nodes()]
        self._values = [(value, value.name) for node, _ in self._nodes for value in node.outputs]

    def number(self) -> None:
        """Name what the next call copies."""
        self._calls += 1
        if self._calls > 1:
            for node, name in self._nodes:
                node.name = name and f"{name}_{self._calls}"
            for value, name in self._values:
                value.name = name and f"{name}_{self._calls}"


def _draw(model: ir.Model, functions: Mapping[ir.OperatorIdentifier, ir.Function], budget: Budget) -> None:
    """Draw the nodes of all bodies, before any is made: calls of calls multiply."""
    sizes: dict[ir.OperatorIdentifier, int] = {}
    for identifier in _callees_first(functions):
        size = sum(sizes.get(node.op_identifier(), 1) for node in functions[identifier].all_nodes())
        sizes[identifier] = max(size, 1)  # calls of nothing take their time too
    kept = [function for identifier, function in model.functions.items() if identifier not in functions]
    callers: list[ir.Graph | ir.Function] = [model.graph, *kept]
    for node in itertools.chain(*(caller.all_nodes() for caller in callers)):
        size = sizes.get(node.op_identifier(), 0)
        if not budget.takes_nodes(size):
            raise ModelError(
                f"node {node.name!r} calls the function {node.domain}.{node.op_type}, whose body with those of all "
                f"calls in it has {size} nodes: more than are left of {budget.most_nodes()}; {budget.more_nodes()}",
                **place_of(node),
            )


def _callees_first(functions: Mapping[ir.OperatorIdentifier, ir.Function]) -> Iterable[ir.OperatorIdentifier]:
    calls = {
        identifier: {callee for node in function.all_nodes() if (callee := node.op_identifier()) in functions}
        for identifier, function in functions.items()
    }
    try:
        return list(TopologicalSorter(calls).static_order())
    except CycleError as error:
        cycle = " -> ".join(f"{domain}.{name}" for domain, name, _ in error.args[1])
        raise ModelError(
            f"the model's functions call each other in a cycle: {cycle}; export the model again"
        ) from error
