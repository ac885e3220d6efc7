"""Bind a graph to handlers: the only place that sees both, and where every refusal happens."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import onnx
import onnx_ir as ir
import tensorflow as tf

from onnx_tf.dtypes import carried, to_tf
from onnx_tf.errors import ConversionError, OnnxTfError, UnsupportedError, UnsupportedNode
from onnx_tf.options import Options
from onnx_tf.registry import INTERNAL_DOMAINS, LEGACY_ATTRIBUTES, Handler, NodeContext, Registry

__all__ = ["BoundGraph", "BoundNode", "bind", "refuse_unsupported", "unsupported_nodes"]

MAX_REPEATED_ELEMENTS = 1024
"""Constants of up to this size are repeated in the subgraphs that use them: TensorFlow's shape
inference does not look into what a subgraph captures."""

Environment = dict[str, Any]
"""The values computed so far, by ONNX name: tensors, or what stands for a sequence or optional."""


@dataclass(frozen=True)
class BoundNode:
    """One node with its handler and its attributes, ready to be called with tensors."""

    handler: Handler
    context: NodeContext
    inputs: tuple[str | None, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    subgraphs: Mapping[str, BoundGraph]

    def __call__(self, environment: Environment) -> None:
        """Compute the node's outputs into the environment.

        Raises:
            ConversionError: the handler failed; the message names the node.
        """
        inputs = [None if name is None else environment[name] for name in self.inputs]
        keywords = dict(self.attributes)
        for name, subgraph in self.subgraphs.items():
            keywords[name] = Subgraph(subgraph, environment)
        if self.handler.wants_context:
            keywords["context"] = self.context
        try:
            with tf.name_scope(scope_name(self.context.name)):
                results = self.handler.function(*inputs, **keywords)
        except ConversionError:
            raise
        except Exception as error:
            raise ConversionError(self._explain(error, inputs)) from error
        if isinstance(results, tf.Tensor) or (len(self.outputs) == 1 and not isinstance(results, tuple)):
            results = (results,)
        for name, result in zip(self.outputs, results, strict=False):
            environment[name] = result

    def _explain(self, error: Exception, inputs: Sequence[Any]) -> str:
        described = ", ".join(
            f"{name}: {describe(value)}" for name, value in zip(self.inputs, inputs, strict=True) if name is not None
        )
        domain = self.context.domain or "ai.onnx"
        message = str(error).strip() or type(error).__name__
        return (
            f"node {self.context.name!r} ({domain}.{self.context.op_type}, opset {self.context.version}) "
            f"with inputs [{described}]: {message}"
        )


@dataclass(frozen=True)
class BoundGraph:
    """A graph whose nodes are bound, in an order in which they can be called.

    Attributes:
        inputs: its input values.
        outputs: its output values.
        constants: its initializers by name.
        nodes: its nodes in topological order.
    """

    inputs: tuple[ir.Value, ...]
    outputs: tuple[ir.Value, ...]
    constants: Mapping[str, ir.TensorProtocol]
    nodes: tuple[BoundNode, ...]

    def all_nodes(self) -> Iterator[BoundNode]:
        """Return the nodes, those of subgraphs included."""
        for node in self.nodes:
            yield node
            for subgraph in node.subgraphs.values():
                yield from subgraph.all_nodes()

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

    @functools.cached_property
    def captures(self) -> tuple[str, ...]:
        """The names of values of outer scopes that the graph uses."""
        defined = {str(value.name) for value in self.inputs} | set(self.constants)
        used: dict[str, None] = {}
        for node in self.nodes:
            used.update(dict.fromkeys(name for name in node.inputs if name is not None))
            for subgraph in node.subgraphs.values():
                used.update(dict.fromkeys(subgraph.captures))
            defined.update(node.outputs)
        used.update(dict.fromkeys(str(value.name) for value in self.outputs))
        return tuple(name for name in used if name not in defined)

    def __call__(self, environment: Environment) -> list[Any]:
        """Compute the graph in an environment that holds its inputs and main-graph constants."""
        for node in self.nodes:
            node(environment)
        return [environment[str(value.name)] for value in self.outputs]


@dataclass(frozen=True)
class Subgraph:
    """A graph attribute (the body of If, Loop, Scan, ...) as a callable over its outer scope.

    Call it with the subgraph's inputs in order; it returns the list of its outputs. Values of the
    outer scope that it captures are found by name.
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
    def output_dtypes(self) -> list[tf.DType | None]:
        """The dtypes of the outputs; ``None`` where the model states none."""
        return [None if value.dtype is None else to_tf(value.dtype) for value in self.graph.outputs]

    @property
    def size(self) -> int:
        """The number of nodes, those of nested subgraphs included."""
        return sum(1 for _ in self.graph.all_nodes())

    def __call__(self, *inputs: Any) -> list[Any]:
        environment = {name: _in_this_graph(self.outer[name]) for name in self.graph.captures}
        for name, tensor in self.graph.constants.items():
            environment[name] = tf.constant(carried(tensor.numpy()))
        environment.update(zip((str(value.name) for value in self.graph.inputs), inputs, strict=True))
        return self.graph(environment)


def bind(graph: ir.Graph, registry: Registry, options: Options) -> BoundGraph:
    """Bind every node of a graph and of its subgraphs to its handler.

    Raises:
        UnsupportedError: see :func:`refuse_unsupported`.
    """
    refuse_unsupported(graph, registry)
    return _bind_graph(graph, registry, options)


def refuse_unsupported(graph: ir.Graph, registry: Registry) -> None:
    """Refuse a graph that has nodes which :func:`bind` cannot bind.

    Raises:
        UnsupportedError: some nodes have no handler, or attributes that their operator does not
            know; it lists all of them.
    """
    problems = unsupported_nodes(graph, registry)
    if problems:
        raise UnsupportedError(problems)


def unsupported_nodes(graph: ir.Graph, registry: Registry) -> list[UnsupportedNode]:
    """Return every node of the graph and its subgraphs that :func:`bind` would refuse."""
    return [
        UnsupportedNode(str(node.name), node.op_type, node.domain, node.version, reason)
        for node in graph.all_nodes()
        for reason in _refusals(node, registry)
    ]


def _in_this_graph(value: Any) -> Any:
    """Return a value of an outer graph; a small constant of one stays visible while tracing."""
    if isinstance(value, list):
        return [_in_this_graph(item) for item in value]
    if not isinstance(value, tf.Tensor) or value.graph is tf.compat.v1.get_default_graph():
        return value
    known = tf.get_static_value(value) if value.shape.num_elements() in range(MAX_REPEATED_ELEMENTS) else None
    return value if known is None else tf.constant(known, value.dtype)


def describe(value: Any) -> str:
    """Return dtype and shape of a tensor as in ``float32[?, 3, 224, 224]``, for error messages."""
    if not isinstance(value, tf.Tensor | tf.Variable):
        return type(value).__name__
    if value.shape.rank is None:
        return f"{value.dtype.name}[...]"
    return f"{value.dtype.name}[{', '.join('?' if d is None else str(d) for d in value.shape)}]"


def scope_name(name: str) -> str:
    """Return a node or value name with the characters that TensorFlow scopes forbid replaced."""
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "_./-") else "_" for c in name).strip("/")
    return safe if safe and (safe[0].isalnum() or safe[0] == ".") else f"n{safe}"


def _schema(node: ir.Node) -> onnx.defs.OpSchema | None:
    domain = "" if node.domain in INTERNAL_DOMAINS else node.domain
    try:
        return onnx.defs.get_schema(node.op_type, node.version or 1, domain)
    except onnx.defs.SchemaError:
        return None


def _refusals(node: ir.Node, registry: Registry) -> Iterable[str]:
    if node.version is None:
        yield f"the model imports no opset for domain {node.domain!r}; add it to the model's opset_import"
        return
    handler = registry.find(node.domain, node.op_type, node.version)
    schema = _schema(node)
    if handler is None:
        yield _missing(node, registry, schema)
        return
    if handler.takes_any_attribute:
        return
    for name in node.attributes:
        if name not in handler.attributes and name not in LEGACY_ATTRIBUTES:
            known = ", ".join(sorted(handler.attributes)) or "none"
            yield f"it has no attribute {name!r} (known: {known}); check the model's opset version"
    if schema is not None:
        for name, attribute in schema.attributes.items():
            if attribute.required and name not in node.attributes:
                yield f"its required attribute {name!r} is missing; export the model again"


def _missing(node: ir.Node, registry: Registry, schema: onnx.defs.OpSchema | None) -> str:
    hook = f"add a handler with @onnx_op({node.op_type!r}, domain={node.domain!r})"
    versions = registry.versions(node.domain, node.op_type)
    if versions:
        return f"supported from opset {versions[0]} on; convert the model with onnx.version_converter, or {hook}"
    if schema is not None:
        return f"the operator is not supported yet; {hook}"
    if node.domain in ("", "ai.onnx.ml"):
        return f"no operator of this name exists at this opset; check the model with onnx.checker, or {hook}"
    return f"a custom operator; {hook} (see doc/adding_an_op.md)"


def _bind_graph(graph: ir.Graph, registry: Registry, options: Options) -> BoundGraph:
    initializers = graph.initializers
    return BoundGraph(
        inputs=_apart(graph.inputs),
        outputs=_apart(graph.outputs),
        constants={name: v.const_value for name, v in initializers.items() if v.const_value is not None},
        nodes=tuple(_bind_node(node, registry, options) for node in graph),
    )


def _apart(values: Sequence[ir.Value]) -> tuple[ir.Value, ...]:
    """Return copies of values that do not keep their graph, and with it all weights, in memory."""
    copies = [ir.Value(name=value.name, type=value.type, shape=value.shape) for value in values]
    for copy, value in zip(copies, values, strict=True):
        copy.meta.update(value.meta)
    return tuple(copies)


def _bind_node(node: ir.Node, registry: Registry, options: Options) -> BoundNode:
    version = node.version or 1
    handler = registry.find(node.domain, node.op_type, version)
    assert handler is not None
    attributes: dict[str, Any] = {}
    if not handler.takes_any_attribute:
        attributes = dict.fromkeys(handler.attributes) | _defaults(node, handler)
    subgraphs: dict[str, BoundGraph] = {}
    for name, attribute in node.attributes.items():
        if name in LEGACY_ATTRIBUTES:
            continue
        if attribute.type is ir.AttributeType.GRAPH:
            subgraphs[name] = _bind_graph(attribute.as_graph(), registry, options)
            attributes.pop(name, None)
        else:
            attributes[name] = attribute_value(attribute)
    context = NodeContext(
        name=str(node.name),
        op_type=node.op_type,
        domain=node.domain,
        version=version,
        outputs=tuple(bool(o.name) and (bool(o.uses()) or o.is_graph_output()) for o in node.outputs),
        input_dtypes=tuple(None if value is None else value.dtype for value in node.inputs),
        training=options.training,
    )
    inputs = tuple(None if value is None else str(value.name) for value in node.inputs)
    outputs = tuple(str(value.name) for value in node.outputs)
    return BoundNode(handler, context, inputs, outputs, attributes, subgraphs)


def _defaults(node: ir.Node, handler: Handler) -> dict[str, Any]:
    schema = _schema(node)
    if schema is None:
        parameters = handler.keyword_defaults
        return {name: parameters[name] for name in handler.attributes if name in parameters}
    defaults = {}
    for name, attribute in schema.attributes.items():
        if name in handler.attributes and attribute.default_value.name:
            defaults[name] = attribute_value(ir.serde.deserialize_attribute(attribute.default_value))
    return defaults


def attribute_value(attribute: ir.Attr) -> Any:
    """Return an attribute as Python: str, int, float, tuples of them, a constant tensor or a type."""
    kind = ir.AttributeType
    convert: dict[ir.AttributeType, Callable[[ir.Attr], Any]] = {
        kind.INT: lambda a: a.as_int(),
        kind.FLOAT: lambda a: a.as_float(),
        kind.STRING: _text,
        kind.INTS: lambda a: tuple(a.as_ints()),
        kind.FLOATS: lambda a: tuple(a.as_floats()),
        kind.STRINGS: lambda a: tuple(a.as_strings()),
        kind.TENSOR: lambda a: carried(a.as_tensor().numpy()),
        kind.TENSORS: lambda a: tuple(carried(t.numpy()) for t in a.as_tensors()),
        kind.TYPE_PROTO: lambda a: a.value,
    }
    if attribute.type not in convert:
        raise OnnxTfError(f"attribute {attribute.name!r} has type {attribute.type.name}, which no operator uses")
    return convert[attribute.type](attribute)


def _text(attribute: ir.Attr) -> str:
    value = attribute.value
    return value.decode("utf-8", errors="surrogateescape") if isinstance(value, bytes) else str(value)
