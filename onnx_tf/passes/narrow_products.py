"""Compute convolutions and products of matrices of float32 in floats of 16 bits, as far as that is asked for.

What lies between two of them and adds up nothing is computed likewise: a Cast on the way would cost what is gained,
and keep TensorFlow from merging convolutions with the biases, sums and activations behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

import onnx_ir as ir

from onnx_tf.origins import Narrowed, change, stand_for
from onnx_tf.registry import BARRIER_DOMAIN, CHANNELS_LAST_DOMAIN, PACKED_DOMAIN

__all__ = ["NARROW_DTYPES", "PRODUCTS", "narrow_products"]

NARROW_DTYPES = {"bfloat16": ir.DataType.BFLOAT16, "float16": ir.DataType.FLOAT16}
"""What products can be computed in, by the names that users know."""

_FLOAT = ir.DataType.FLOAT
_DOMAINS = frozenset({"", BARRIER_DOMAIN, CHANNELS_LAST_DOMAIN, PACKED_DOMAIN})

PRODUCTS = frozenset({"Conv", "ConvTranspose", "Einsum", "Gemm", "MatMul"})
"""Operators that add up products."""

_MOVES = (
    *("Barrier", "Concat", "DepthToSpace", "Expand", "Flatten", "Identity", "MaxPool", "Relu", "Reshape", "Slice"),
    *("SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"),
)
"""Operators that round nothing."""

_ROUNDS = ("Add", "Clip", "HardSigmoid", "HardSwish", "LeakyRelu", "Mul", "PRelu", "Sigmoid", "Sub", "Sum", "Swish")
"""Operators that round each element, as the products around them do."""


def narrow_products(model: ir.Model, dtype: ir.DataType) -> bool:
    """Compute products of float32 in another dtype; return whether there were any.

    Runs last: memory orders are chosen, weights are packed, and nothing is merged with what must stay apart. Inputs,
    outputs and initializers stay float32, with Casts behind them. Means, normalisations and Softmax stay as well, and
    so does what takes a value of theirs, such as the sum that goes around a block of a transformer.

    Args:
        model: a model whose dtypes are inferred.
        dtype: one of :data:`NARROW_DTYPES`.
    """
    narrow = {node for graph in model.graphs() for node in _narrow(graph)}
    values = [value for graph in model.graphs() for node in graph if node in narrow for value in _floats(node.outputs)]
    casts = _Casts()
    for node in (node for graph in model.graphs() for node in list(graph) if node in narrow):
        for index, value in enumerate(node.inputs):
            if value is not None and value.dtype is _FLOAT and value.producer() not in narrow:
                node.replace_input_with(index, casts.of(value, dtype))
    for value in values:
        value.type = ir.TensorType(dtype)
        for user, index in tuple(value.uses()):
            if user not in narrow:
                user.replace_input_with(index, casts.of(value, _FLOAT))
        if value.is_graph_output():
            _give_wide(value, casts)
        change(value, Narrowed())
    return bool(narrow)


def _narrow(graph: ir.Graph) -> set[ir.Node]:
    """Return the products of a graph, and what is to be computed as they are."""
    products = {node for node in graph if node.op_type in PRODUCTS and _is_ours(node)}
    fed = _fed(graph, products, (*_MOVES, *_ROUNDS), lambda _: True)
    between = set(products)
    for node in reversed(list(graph)):
        if node in fed and any(user in between for output in node.outputs for user, _ in output.uses()):
            between.add(node)
    return _fed(graph, products, (*_MOVES, *_ROUNDS), lambda node: node.op_type in _MOVES or node in between)


def _fed(
    graph: ir.Graph, products: set[ir.Node], op_types: Collection[str], is_wanted: Callable[[ir.Node], bool]
) -> set[ir.Node]:
    """Return products and the nodes that take what they, or such nodes, compute, and else initializers alone."""
    found: set[ir.Node] = set()
    for node in graph:
        given = _floats(node.inputs)
        computed = [value for value in given if not value.is_initializer() or value.is_graph_input()]
        is_fed = bool(computed) and all(value.producer() in found for value in computed)
        if node in products or (node.op_type in op_types and _is_ours(node) and is_fed and is_wanted(node)):
            found.add(node)
    return found


def _floats(values: Collection[ir.Value | None]) -> list[ir.Value]:
    return [value for value in values if value is not None and value.dtype is _FLOAT]


def _is_ours(node: ir.Node) -> bool:
    return node.domain in _DOMAINS and bool(_floats(node.inputs[:1])) and bool(_floats(node.outputs[:1]))


@dataclass
class _Casts:
    """One Cast for each value and dtype."""

    made: dict[tuple[ir.Value, ir.DataType], ir.Value] = field(default_factory=dict)

    def of(self, value: ir.Value, dtype: ir.DataType) -> ir.Value:
        """Return a value in another dtype."""
        if (value, dtype) not in self.made:
            self.made[value, dtype] = _cast(value, dtype)
        return self.made[value, dtype]


def _cast(value: ir.Value, dtype: ir.DataType) -> ir.Value:
    producer, graph = value.producer(), value.graph
    assert graph is not None
    version = max(graph.opset_imports.get("", 1), _CAST_VERSION)
    node = ir.node("Cast", [value], {"to": dtype.value}, version=version, name=f"{value.name}_cast")
    result = node.outputs[0]
    result.name, result.type, result.shape = f"{value.name}_{dtype.name.lower()}", ir.TensorType(dtype), value.shape
    if producer is None:
        first = next(_nodes(graph), None)
        graph.append(node) if first is None else first.prepend(node)
    else:
        producer.append(node)
        stand_for(producer, node)
    return result


_CAST_VERSION = 13
"""The first opset with a Cast to bfloat16."""


def _nodes(graph: ir.Graph | ir.Function) -> Iterator[ir.Node]:
    return iter(graph)


def _give_wide(value: ir.Value, casts: _Casts) -> None:
    wide, graph = casts.of(value, _FLOAT), value.graph
    assert isinstance(graph, ir.Graph)
    for index, output in enumerate(graph.outputs):
        if output is value:
            graph.outputs[index] = wide
    wide.name, value.name = value.name, wide.name
