"""Models whose parts do not fit each other: attributes, edges, shapes, dtypes, names, versions."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence

import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, helper

from test.fuzz.case import Case
from test.fuzz.seeds import Seed

__all__ = ["NUMBERS", "make", "number", "text"]

NUMBERS = (0, 1, -1, 2, 3, 7, 100, -100, 2**31 - 1, -(2**31), 2**31, 2**40, 2**63 - 1, -(2**63))
FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e38, -1e38, 1e-45, float("inf"), float("-inf"), float("nan"))
TEXTS = (
    "",
    " ",
    "x",
    "../../x",
    "/x",
    "a/b",
    "a\0b",
    "\n",
    "é",
    "入力",
    "NOTSET",
    "constant",
    "n" * 5000,
    "%s%n{}",
    "'\"",
)


def make(rng: random.Random, seeds: Sequence[Seed], _number: int) -> Case:
    """Return a model with one to three faults in its structure."""
    seed = rng.choice(seeds)
    model = onnx.load_from_string(seed.content)
    done = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        fault = rng.choice(FAULTS)
        fault(rng, model)
        done.append(fault.__name__.strip("_"))
    return Case(f"{', '.join(done)}: {seed.name}", model.SerializeToString(), seed.inputs)


def number(rng: random.Random) -> int:
    """Return a whole number of 64 bits, most often one at an edge."""
    return rng.choice((*NUMBERS, rng.randrange(-10, 10), rng.randrange(-(2**63), 2**63)))


def text(rng: random.Random) -> str:
    """Return a text, most often one that is no name."""
    return rng.choice(TEXTS)


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs:
                yield from _graphs(inner)


def _node(rng: random.Random, model: ModelProto) -> NodeProto:
    nodes = [node for graph in _graphs(model.graph) for node in graph.node]
    return rng.choice(nodes) if nodes else model.graph.node.add(op_type="Relu", input=["x"], output=["y"])


def _names(model: ModelProto) -> list[str]:
    found = [name for graph in _graphs(model.graph) for node in graph.node for name in (*node.input, *node.output)]
    return [*found, *(value.name for value in model.graph.input), "none"]


def _attribute_value(rng: random.Random, model: ModelProto) -> None:
    attributes = _node(rng, model).attribute
    if not attributes:
        return
    attribute = rng.choice(attributes)
    if attribute.type == AttributeProto.INT:
        attribute.i = number(rng)
    elif attribute.type == AttributeProto.FLOAT:
        attribute.f = rng.choice(FLOATS)
    elif attribute.type == AttributeProto.STRING:
        attribute.s = text(rng).encode()
    elif attribute.type == AttributeProto.INTS:
        change = rng.randrange(3)
        if change == 0 and attribute.ints:
            attribute.ints[rng.randrange(len(attribute.ints))] = number(rng)
        elif change == 1 and attribute.ints:
            attribute.ints.pop()
        else:
            attribute.ints.append(number(rng))
    elif attribute.type == AttributeProto.FLOATS:
        attribute.floats.append(rng.choice(FLOATS))


def _attribute_type(rng: random.Random, model: ModelProto) -> None:
    attributes = _node(rng, model).attribute
    if attributes:
        attribute = rng.choice(attributes)
        other = rng.choice((number(rng), rng.choice(FLOATS), text(rng), [number(rng)], [1.5], [text(rng)]))
        attribute.CopyFrom(helper.make_attribute(attribute.name, other))


def _attribute_gone(rng: random.Random, model: ModelProto) -> None:
    attributes = _node(rng, model).attribute
    if attributes:
        del attributes[rng.randrange(len(attributes))]


def _attribute_more(rng: random.Random, model: ModelProto) -> None:
    node = _node(rng, model)
    if node.attribute and rng.random() < 0.5:
        node.attribute.add().CopyFrom(rng.choice(node.attribute))
    else:
        names = ("axis", "axes", "strides", "pads", "to", "body", "perm", "epsilon", text(rng) or "x")
        node.attribute.append(helper.make_attribute(rng.choice(names), rng.choice((number(rng), 1.5, [number(rng)]))))


def _input(rng: random.Random, model: ModelProto) -> None:
    node = _node(rng, model)
    change = rng.randrange(4)
    if change == 0 and node.input:
        node.input[rng.randrange(len(node.input))] = rng.choice((*_names(model), ""))
    elif change == 1 and node.input:
        del node.input[rng.randrange(len(node.input))]
    elif change == 2 and len(node.input) > 1:
        names = list(node.input)
        rng.shuffle(names)
        node.input[:] = names
    else:
        node.input.append(rng.choice(_names(model)))


def _output(rng: random.Random, model: ModelProto) -> None:
    node = _node(rng, model)
    change = rng.randrange(3)
    if change == 0 and node.output:
        node.output[rng.randrange(len(node.output))] = rng.choice((*_names(model), "", text(rng)))
    elif change == 1 and node.output:
        del node.output[rng.randrange(len(node.output))]
    else:
        node.output.append(rng.choice((*_names(model), text(rng))))


def _nodes(rng: random.Random, model: ModelProto) -> None:
    nodes = list(model.graph.node)
    if not nodes:
        return
    change = rng.randrange(3)
    if change == 0:
        nodes.pop(rng.randrange(len(nodes)))
    elif change == 1:
        nodes.insert(rng.randrange(len(nodes) + 1), rng.choice(nodes))
    else:
        rng.shuffle(nodes)
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


def _operator(rng: random.Random, model: ModelProto) -> None:
    node = _node(rng, model)
    if rng.random() < 0.8:
        node.op_type = rng.choice([schema.name for schema in onnx.defs.get_all_schemas()])
    else:
        node.domain = rng.choice(("ai.onnx", "ai.onnx.ml", "com.microsoft", text(rng)))


def _initializer(rng: random.Random, model: ModelProto) -> None:
    found = list(model.graph.initializer)
    for graph in _graphs(model.graph):
        found += [attribute.t for node in graph.node for attribute in node.attribute if attribute.HasField("t")]
    if not found:
        model.graph.initializer.add(name=rng.choice(_names(model)), data_type=rng.randrange(0, 26), dims=[2])
        return
    tensor, change = rng.choice(found), rng.randrange(5)
    if change == 0:
        tensor.data_type = rng.choice((*range(27), number(rng) % 2**31))
    elif change == 1:
        tensor.dims.append(number(rng))
    elif change == 2 and tensor.dims:
        tensor.dims[rng.randrange(len(tensor.dims))] = number(rng)
    elif change == 3:
        tensor.raw_data = tensor.raw_data[: rng.randrange(8)]
    else:
        tensor.name = text(rng)


def _value(rng: random.Random, model: ModelProto) -> None:
    values = [*model.graph.input, *model.graph.output, *model.graph.value_info]
    if not values:
        return
    value, change = rng.choice(values), rng.randrange(6)
    kind = value.type.tensor_type
    if change == 0:
        kind.elem_type = rng.choice((*range(27), 99))
    elif change == 1:
        kind.shape.dim.add().dim_value = number(rng)
    elif change == 2 and kind.shape.dim:
        rng.choice(kind.shape.dim).dim_value = number(rng)
    elif change == 3 and kind.shape.dim:
        kind.shape.dim.pop()
    elif change == 4:
        value.ClearField("type")
    else:
        value.name = rng.choice((*_names(model), text(rng)))


def _versions(rng: random.Random, model: ModelProto) -> None:
    change = rng.randrange(4)
    if change == 0 and model.opset_import:
        model.opset_import[0].version = rng.choice((*range(30), number(rng)))
    elif change == 1:
        model.ir_version = rng.choice((*range(15), number(rng)))
    elif change == 2:
        model.opset_import.add(domain=rng.choice(("", "ai.onnx", "ai.onnx.ml", text(rng))), version=number(rng))
    else:
        del model.opset_import[:]


def _graph(rng: random.Random, model: ModelProto) -> None:
    change = rng.randrange(4)
    if change == 0:
        model.graph.input.extend([rng.choice(model.graph.input)] if model.graph.input else [])
    elif change == 1:
        model.graph.output.extend([rng.choice(model.graph.output)] if model.graph.output else [])
    elif change == 2:
        del model.graph.output[:]
    else:
        del model.graph.input[:]


def _depth(rng: random.Random, model: ModelProto) -> None:
    """Put the graph into a branch, a number of times."""
    other = GraphProto()
    other.CopyFrom(model.graph)
    del other.input[:]
    with contextlib.suppress(DecodeError):  # deeper than a message may be
        for _ in range(rng.choice((1, 3, 30))):
            inner = GraphProto()
            inner.CopyFrom(model.graph)
            del inner.input[:]
            names = [value.name for value in inner.output]
            node = helper.make_node("If", ["condition"], names, then_branch=inner, else_branch=other)
            del model.graph.node[:]
            model.graph.node.append(node)
    model.graph.input.append(helper.make_tensor_value_info("condition", onnx.TensorProto.BOOL, []))


def _function(rng: random.Random, model: ModelProto) -> None:
    """Make an operator a function of the model, which may call itself."""
    node = _node(rng, model)
    body = [helper.make_node(rng.choice((node.op_type, "Identity")), ["a"], ["b"], domain=node.domain)]
    opsets = list(model.opset_import)
    model.functions.append(helper.make_function(node.domain, node.op_type, ["a"], ["b"], body, opsets))


FAULTS: tuple[Callable[[random.Random, ModelProto], None], ...] = (
    *[_attribute_value] * 4,
    _attribute_type,
    _attribute_gone,
    _attribute_more,
    *[_input] * 2,
    _output,
    _nodes,
    _operator,
    *[_initializer] * 2,
    *[_value] * 2,
    _versions,
    _graph,
    _depth,
    _function,
)
