"""Sound models whose names and texts are paths, code and control characters, written in every format."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

import onnx
from onnx import GraphProto, ModelProto

from onnx_tf.export.paths import FORMATS
from test.fuzz.case import Case
from test.fuzz.seeds import Seed

__all__ = ["make"]

MARK = "../../outside"
"""A path that leads out of the folder of the target: what code in a name would write to."""

TEXTS = (
    MARK,
    "/outside",
    "a/b/c",
    "a\\b",
    ".",
    "..",
    "",
    " ",
    "\n",
    "\r\nimport os",
    "\0",
    "\x1b[2J",
    "class",
    "None",
    "self",
    "__init__",
    "keras",
    "ops",
    "build_model",
    "np",
    "é",
    "入力",
    "\u202e",
    "'",
    '"',
    '"""',
    "\\",
    "#",
    "{0}",
    "%s",
    "n" * 300,
    "n" * 5000,
    "a:0",
    "a b",
    "a;b",
    "^a",
    f"'+str(open({MARK!r},'w'))+'",
    f'"+str(open("{MARK}","w"))+"',
    f'"""\nopen("{MARK}", "w")\n"""',
    f"\nopen({MARK!r}, 'w')\n",
    f"\\\nopen({MARK!r}, 'w')\n",
)


def make(rng: random.Random, seeds: Sequence[Seed], number: int) -> Case:
    """Return a model in which some names or all are others, each the same wherever it stands."""
    seed = rng.choice(seeds)
    model = onnx.load_from_string(seed.content)
    share = rng.choice((0.2, 1.0))
    names: dict[str, str] = {"": ""}

    def renamed(name: str) -> str:
        if name not in names:
            other = rng.choice(TEXTS) + rng.choice(("", str(len(names))))
            names[name] = other if rng.random() < share and other not in names.values() else name
        return names[name]

    for graph in _graphs(model.graph):
        _rename(graph, renamed, rng)
    _describe(model, rng)
    form = FORMATS[number % len(FORMATS)]
    return Case(f"{form}: {seed.name}", model.SerializeToString(), form=form)


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)


def _rename(graph: GraphProto, renamed: Callable[[str], str], rng: random.Random) -> None:
    for node in graph.node:
        node.input[:] = [renamed(name) for name in node.input]
        node.output[:] = [renamed(name) for name in node.output]
        node.name = rng.choice(TEXTS)
    for value in (*graph.input, *graph.output, *graph.value_info):
        value.name = renamed(value.name)
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = rng.choice(TEXTS)
    for tensor in graph.initializer:
        tensor.name = renamed(tensor.name)


def _describe(model: ModelProto, rng: random.Random) -> None:
    model.producer_name, model.doc_string, model.graph.doc_string = (rng.choice(TEXTS) for _ in range(3))
    model.graph.name = rng.choice(TEXTS)
    model.metadata_props.add(key=rng.choice(TEXTS), value=rng.choice(TEXTS))
    for node in model.graph.node:
        node.doc_string = rng.choice(TEXTS)
