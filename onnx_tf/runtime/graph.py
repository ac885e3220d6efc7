"""Graphs whose nodes are bound to handlers: what :mod:`onnx_tf.binding` makes and the module walks.

Values are numbered, never looked up by name: two values of one name never meet.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import onnx_ir as ir
import tensorflow as tf

from onnx_tf.budget import Budget
from onnx_tf.dtypes import carried, to_tf
from onnx_tf.errors import ConversionError
from onnx_tf.origins import Origin
from onnx_tf.registry import Handler, NodeContext
from onnx_tf.runtime.ranks import Environment, Slot, in_this_graph, run
from onnx_tf.supervision.journal import tell

__all__ = ["BoundGraph", "BoundNode", "Constant", "Held", "Largest", "Slot", "Subgraph"]


@dataclass(frozen=True)
class Constant:
    """An initializer.

    Attributes:
        name: its label, unique in the model.
        tensor: what it holds.
    """

    name: str
    tensor: ir.TensorProtocol


@dataclass(frozen=True)
class Held:
    """Where an ONNX value is while the graph is computed: which value holds it, and how."""

    slot: Slot
    origin: Origin
    dtype: ir.DataType | None


@dataclass(frozen=True)
class Largest:
    """What takes the most memory while a graph is computed, of what has a known shape."""

    label: str
    node: str
    shape: tuple[int, ...]
    size: int


@dataclass(frozen=True, eq=False)
class BoundNode:
    """One node with its handler and its attributes, ready to be called with tensors.

    Attributes:
        handler: what computes it.
        context: what the handler may know of it.
        inputs: the values that it takes; ``None`` for an absent one.
        outputs: the values that it computes.
        attributes: by ONNX name, schema defaults filled in.
        subgraphs: its graph attributes.
        labels: the names of its inputs and outputs, for messages.
        origins: what its inputs hold, where that lies in another order.
        shapes: what the model tells of the shape of each output (see :mod:`onnx_tf.runtime.ranks`).
        scope: the name scope of its TensorFlow operations, which no other node of the model has.
        onnx_node: the name of the ONNX node that it computes a part of.
    """

    handler: Handler
    context: NodeContext
    inputs: tuple[Slot | None, ...]
    outputs: tuple[Slot, ...]
    attributes: Mapping[str, Any]
    subgraphs: Mapping[str, BoundGraph]
    labels: Mapping[Slot, str]
    shapes: tuple[tuple[int | None, ...] | None, ...]
    scope: str
    onnx_node: str
    origins: Mapping[Slot, Origin] = field(default_factory=dict)

    @functools.cached_property
    def reads(self) -> tuple[Slot, ...]:
        """The inputs, and what the subgraphs capture."""
        captured = [slot for subgraph in self.subgraphs.values() for slot in subgraph.captures]
        return tuple(dict.fromkeys(slot for slot in (*self.inputs, *captured) if slot is not None))

    @functools.cached_property
    def size(self) -> int:
        """The number of nodes, those of subgraphs included."""
        return 1 + sum(node.size for subgraph in self.subgraphs.values() for node in subgraph.nodes)

    def __call__(self, environment: Environment) -> None:
        """Compute the node's outputs into the environment.

        Raises:
            ConversionError: the handler failed; the message names the node.
        """
        tell("node", f"node {self.onnx_node!r} ({self.context.op_type})")
        inputs = [None if slot is None else environment[slot] for slot in self.inputs]
        self._refuse_count(inputs)
        keywords = dict(self.attributes)
        for name, subgraph in self.subgraphs.items():
            keywords[name] = Subgraph(subgraph, environment)
        if self.handler.wants_context:
            keywords["context"] = self.context
        try:
            # The slash keeps the scope as it is, wherever the node is called.
            self.context.budget.trace_node()
            with tf.name_scope(f"{self.scope}/"):
                results = self.handler.function(*inputs, **keywords)
        except Exception as error:
            if isinstance(error, ConversionError) and error.node is not None:
                raise  # of a node of a subgraph
            raise self._explain(error, inputs) from error
        if results is None and not self.handler.is_of_this_package:
            raise self._explain(TypeError("it returned None: return a tensor, or a tuple of them"), inputs)
        if isinstance(results, tf.Tensor) or (len(self.outputs) == 1 and not isinstance(results, tuple)):
            results = (results,)
        if True in self.context.outputs[len(results) :]:
            raise self._explain(TypeError(f"it computes {len(results)} of {len(self.outputs)} outputs"), inputs)
        for slot, result in zip(self.outputs, results, strict=False):
            environment[slot] = result

    def _refuse_count(self, inputs: Sequence[Any]) -> None:
        least, most = self.handler.takes
        if not least <= len(inputs) <= most:
            few = str(least) if most == least else f"{least} or more" if most > len(inputs) else f"{least} to {most}"
            who = "the operator" if self.handler.is_of_this_package else "it"
            reason = f"{who} takes {few} inputs, the node has {len(inputs)}: export the model again"
            raise self._explain(TypeError(reason), inputs)

    def _explain(self, error: Exception, inputs: Sequence[Any]) -> ConversionError:
        given = zip(self.inputs, inputs, strict=True)
        reason = str(error).strip() or type(error).__name__
        if self.handler.is_of_this_package and _is_of_python(error):
            reason = f"its inputs are not of the ranks or kinds that the operator takes: correct the model ({reason})"
        return ConversionError(
            reason if self.handler.is_of_this_package else f"its handler, {self.handler.described}: {reason}",
            node=self.onnx_node,
            op=self.context.op_type,
            domain=self.context.onnx_domain,
            version=self.context.version,
            inputs={
                self.labels[slot]: describe(value, self.origins.get(slot)) for slot, value in given if slot is not None
            },
        )


def _is_of_python(error: Exception) -> bool:
    """Return whether an error tells how a handler failed, in words of Python, and not what is wrong with its inputs."""
    if isinstance(error, (AttributeError, IndexError, KeyError, ZeroDivisionError)):
        return True
    return isinstance(error, (TypeError, ValueError)) and re.search(r"NoneType|to unpack|'Map'", str(error)) is not None


@dataclass(frozen=True)
class BoundGraph:
    """A graph whose nodes are bound, in an order in which they can be called.

    Attributes:
        inputs: its input values: names, types, shapes.
        outputs: its output values, likewise.
        input_slots: the numbers of its inputs.
        output_slots: the numbers of its outputs.
        constants: its initializers by number.
        nodes: its nodes in topological order.
        held: of the main graph, the ONNX values that can be observed, by name.
        budget: what a trace may make.
        largest: the largest value that a node of the main graph computes, where shapes tell.
    """

    inputs: tuple[ir.Value, ...]
    outputs: tuple[ir.Value, ...]
    input_slots: tuple[Slot, ...]
    output_slots: tuple[Slot, ...]
    constants: Mapping[Slot, Constant]
    nodes: tuple[BoundNode, ...]
    held: Mapping[str, Held] = field(default_factory=dict)
    budget: Budget = field(default_factory=Budget, repr=False)
    largest: Largest | None = None

    def all_nodes(self) -> Iterator[BoundNode]:
        """Return the nodes, those of subgraphs included."""
        for node in self.nodes:
            yield node
            for subgraph in node.subgraphs.values():
                yield from subgraph.all_nodes()

    @functools.cached_property
    def size(self) -> int:
        """The number of nodes, those of subgraphs included."""
        return sum(node.size for node in self.nodes)

    def serving(self, *, frozen: bool = False) -> BoundGraph:
        """Return the graph as it is served: no node is in training.

        Args:
            frozen: whether all weights are constants.
        """
        nodes = (
            replace(
                node,
                context=replace(node.context, training=False, frozen=frozen),
                subgraphs={name: subgraph.serving(frozen=frozen) for name, subgraph in node.subgraphs.items()},
            )
            for node in self.nodes
        )
        return replace(self, nodes=tuple(nodes))

    def node_of(self, operation: str) -> BoundNode | None:
        """Return the node that made a TensorFlow operation, by the operation's name in its graph."""
        parts = operation.split("/")
        prefixes = ("/".join(parts[:length]) for length in range(len(parts), 0, -1))
        return next((self._by_scope[prefix] for prefix in prefixes if prefix in self._by_scope), None)

    @functools.cached_property
    def _by_scope(self) -> dict[str, BoundNode]:
        return {node.scope: node for node in self.all_nodes()}

    @functools.cached_property
    def captures(self) -> tuple[Slot, ...]:
        """The values of outer scopes that the graph uses."""
        defined = {*self.input_slots, *self.constants}
        used: dict[Slot, None] = {}
        for node in self.nodes:
            used.update(dict.fromkeys(node.reads))
            defined.update(node.outputs)
        used.update(dict.fromkeys(self.output_slots))
        return tuple(slot for slot in used if slot not in defined)

    def __call__(self, environment: Environment, also: Sequence[Slot] = ()) -> list[Any]:
        """Compute the graph in an environment that holds its inputs and main-graph constants.

        Args:
            environment: the values by number; the outputs are added.
            also: other values that are to be added.
        """
        run(self.nodes, environment, (*self.output_slots, *also))
        return [environment[slot] for slot in self.output_slots]


@dataclass(frozen=True)
class Subgraph:
    """A graph attribute (the body of If, Loop, Scan, ...) as a callable over its outer scope.

    Call it with the subgraph's inputs in order; it returns the list of its outputs.
    """

    graph: BoundGraph
    outer: Environment = field(repr=False)

    @property
    def inputs(self) -> tuple[ir.Value, ...]:
        """The subgraph's input values: names, and types and shapes where the model states them."""
        return self.graph.inputs

    @property
    def outputs(self) -> tuple[ir.Value, ...]:
        """The subgraph's output values."""
        return self.graph.outputs

    @property
    def output_specs(self) -> list[tf.TensorSpec]:
        """What the model states of the outputs, float32 where it states no dtype."""
        return [_spec(value) for value in self.graph.outputs]

    @property
    def size(self) -> int:
        """The number of nodes, those of nested subgraphs included."""
        return self.graph.size

    def __call__(self, *inputs: Any) -> list[Any]:
        """Compute the outputs from the subgraph's inputs, in order."""
        environment = {slot: in_this_graph(self.outer[slot]) for slot in self.graph.captures}
        for slot, constant in self.graph.constants.items():
            environment[slot] = tf.constant(carried(constant.tensor.numpy()))
        environment.update(zip(self.graph.input_slots, inputs, strict=True))
        return self.graph(environment)


def _spec(value: ir.Value) -> tf.TensorSpec:
    dims = None if value.shape is None else [d if isinstance(d, int) else None for d in value.shape]
    return tf.TensorSpec(dims, tf.float32 if value.dtype is None else to_tf(value.dtype))


def describe(value: Any, origin: Origin | None = None) -> str:
    """Return dtype and shape of a tensor as in ``float32[?, 3, 224, 224]``, in the order of its ONNX value."""
    if not isinstance(value, tf.Tensor | tf.Variable):
        return type(value).__name__
    if value.shape.rank is None:
        return f"{value.dtype.name}[...]"
    dims = list(value.shape) if origin is None else origin.dims(value.shape)
    return f"{value.dtype.name}[{', '.join('?' if d is None else str(d) for d in dims)}]"
