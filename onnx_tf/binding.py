"""Bind a graph to handlers: the only place that sees both."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import onnx_ir as ir

from onnx_tf.attributes import node_attributes
from onnx_tf.budget import Budget
from onnx_tf.options import Options
from onnx_tf.origins import node_origin, origins
from onnx_tf.passes.decided_by_data import batches_of_data
from onnx_tf.passes.known_bounds import lower_bounds
from onnx_tf.refusals import refuse_unsupported
from onnx_tf.registry import NodeContext, Registry
from onnx_tf.runtime.graph import BoundGraph, BoundNode, Constant, Held, Slot
from onnx_tf.runtime.scopes import scopes

__all__ = ["bind"]


def bind(
    model: ir.Model,
    handlers: Registry,
    options: Options,
    outputs: Sequence[str] = (),
    budget: Budget | None = None,
) -> BoundGraph:
    """Bind every node of a model to its handler.

    Values are numbered: each is one object, whatever it is called.

    Args:
        model: a model after all passes.
        handlers: the table of handlers.
        options: the options of the conversion.
        outputs: the names of the model's outputs, those of its values by default.
        budget: what is left for the trace; that of the options by default.

    Raises:
        UnsupportedError: see :func:`onnx_tf.refusals.refuse_unsupported`.
    """
    refuse_unsupported(model.graph, handlers)
    nodes = list(model.graph.all_nodes())
    names = scopes(str(node.name) for node in nodes)
    places = dict(zip(nodes, names, strict=True))
    budget = budget or options.budget()
    binder = _Binder(handlers, options, budget, places, lower_bounds(model.graph), batches_of_data(model.graph))
    graph = binder.graph(model.graph)
    named = zip(graph.outputs, outputs or [str(value.name) for value in graph.outputs], strict=True)
    return replace(graph, outputs=tuple(_named(value, name) for value, name in named), held=binder.held(model.graph))


@dataclass
class _Binder:
    handlers: Registry
    options: Options
    budget: Budget
    scopes: dict[ir.Node, str]
    bounds: dict[ir.Value, float]
    batches_of_data: set[ir.Value]
    slots: dict[ir.Value, Slot] = field(default_factory=dict)

    def graph(self, graph: ir.Graph) -> BoundGraph:
        initializers = [value for value in graph.initializers.values() if value.const_value is not None]
        return BoundGraph(
            inputs=tuple(_named(value, str(value.name)) for value in graph.inputs),
            outputs=tuple(_named(value, str(value.name)) for value in graph.outputs),
            input_slots=self._slots(graph.inputs),
            constants={self._slot(v): Constant(str(v.name), v.const_value) for v in initializers},  # type: ignore[arg-type]
            nodes=tuple(self._node(node) for node in graph),
            output_slots=self._slots(graph.outputs),
            budget=self.budget,
        )

    def held(self, graph: ir.Graph) -> dict[str, Held]:
        """Return where each ONNX value is; where several values hold it, the one that is most like it."""
        found: dict[str, Held] = {}
        # What nobody reads its node may leave out.
        produced = (o for node in graph for o in node.outputs if o.uses() or o.is_graph_output())
        for value in (*graph.initializers.values(), *graph.inputs, *produced):
            for origin in origins(value) if value in self.slots else ():
                known = found.get(origin.name)
                if known is None or len(origin.restoring) < len(known.origin.restoring):
                    found[origin.name] = Held(self.slots[value], origin, value.dtype)
        return found

    def _node(self, node: ir.Node) -> BoundNode:
        version = node.version or 1
        handler = self.handlers.find(node.domain, node.op_type, version)
        assert handler is not None
        graphs = ((name, a) for name, a in node.attributes.items() if a.type is ir.AttributeType.GRAPH)
        context = NodeContext(
            name=str(node.name),
            op_type=node.op_type,
            domain=node.domain,
            version=version,
            outputs=tuple(bool(o.name) and (bool(o.uses()) or o.is_graph_output()) for o in node.outputs),
            input_dtypes=tuple(None if value is None else value.dtype for value in node.inputs),
            lower_bounds=tuple(-math.inf if v is None else self.bounds.get(v, -math.inf) for v in node.inputs),
            is_batch_of_data=bool(node.inputs) and node.inputs[0] in self.batches_of_data,
            training=self.options.training,
            budget=self.budget,
        )
        return BoundNode(
            handler=handler,
            context=context,
            inputs=tuple(None if value is None else self._slot(value) for value in node.inputs),
            outputs=self._slots(node.outputs),
            attributes=node_attributes(node, handler),
            subgraphs={name: self.graph(attribute.as_graph()) for name, attribute in graphs},
            labels={self._slot(v): _label(v) for v in (*node.inputs, *node.outputs) if v is not None},
            shapes=tuple(_shape(value) for value in node.outputs),
            scope=self.scopes[node],
            onnx_node=_onnx_node(node),
        )

    def _slot(self, value: ir.Value) -> Slot:
        return self.slots.setdefault(value, len(self.slots))

    def _slots(self, values: Iterable[ir.Value]) -> tuple[Slot, ...]:
        return tuple(self._slot(value) for value in values)


def _shape(value: ir.Value) -> tuple[int | None, ...] | None:
    # That of a graph output may be what the file declares, not what is computed.
    if value.shape is None or value.is_graph_output():
        return None
    return tuple(dim if isinstance(dim, int) else None for dim in value.shape)


def _label(value: ir.Value) -> str:
    return next((origin.name for origin in origins(value)), str(value.name))


def _onnx_node(node: ir.Node) -> str:
    """Return the name of the ONNX node that a node is a part of.

    What moves data belongs to what computed it, and what moves a graph input to what reads it.
    """
    for step in (_producer, _reader):
        at: ir.Node | None = node
        while at is not None:
            if (name := node_origin(at)) is not None:
                return name
            at = step(at)
    return str(node.name)


def _producer(node: ir.Node) -> ir.Node | None:
    return node.inputs[0].producer() if node.inputs and node.inputs[0] is not None else None


def _reader(node: ir.Node) -> ir.Node | None:
    return next((use.node for output in node.outputs for use in output.uses()), None)


def _named(value: ir.Value, name: str) -> ir.Value:
    """Return a copy of a value that does not keep its graph, and with it all weights, in memory."""
    copy = ir.Value(name=name, type=value.type, shape=value.shape)
    copy.meta.update(value.meta)
    return copy
