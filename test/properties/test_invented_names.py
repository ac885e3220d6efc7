"""A model may have any name that a pass invents: values are bound by identity.

The names that a conversion of a model gives to anything are given to other values of the same model; what
comes out is the same graph of handlers over the same numbers.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from onnx_tf import prepare
from onnx_tf.options import Options
from onnx_tf.pipeline import lower
from onnx_tf.runtime.graph import BoundGraph
from test.zoo.compare import MODELS, manifest
from test.zoo.materialize import make_inputs, materialize

OPTIONS = {
    "auto": {},
    "keep": {"layout": "keep"},
    "channels_last": {"channels_last_inputs": "all", "channels_last_outputs": "all"},
}
MAX_COMPARED_BYTES = 1 << 16


@contextmanager
def names_given() -> Iterator[set[str]]:
    """Yield a set to which every name that any value gets is added."""
    given: set[str] = set()
    setter, init = ir.Value.name.fset, ir.Value.__init__

    def set_name(self: ir.Value, name: str | None) -> None:
        given.add(str(name))
        setter(self, name)

    def initialize(self: ir.Value, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        given.add(str(self.name))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ir.Value, "name", ir.Value.name.setter(set_name))
        patch.setattr(ir.Value, "__init__", initialize)
        yield given


def with_names(model: onnx.ModelProto, given: set[str]) -> onnx.ModelProto:
    """Return a model of which inner values have invented names instead of their own, chosen at random."""
    names = sorted(given - set(_own_names(model.graph)) - {"", "None"})
    ends = {value.name for value in (*model.graph.input, *model.graph.output)}
    inner = [tensor.name for tensor in model.graph.initializer]
    inner += [name for node in model.graph.node for name in node.output]
    chosen = [name for name in dict.fromkeys(inner) if name and name not in ends]
    rng = random.Random(0)
    rng.shuffle(chosen)
    rng.shuffle(names)
    renamed = onnx.ModelProto()
    renamed.CopyFrom(model)
    _rename(renamed.graph, dict(zip(chosen, names, strict=False)))
    return renamed


def _own_names(graph: onnx.GraphProto) -> Iterator[str]:
    yield from (value.name for value in (*graph.input, *graph.output, *graph.initializer))
    for node in graph.node:
        yield from (*node.input, *node.output)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _own_names(attribute.g)


def _rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    for value in (*graph.initializer, *graph.value_info):
        value.name = names.get(value.name, value.name)
    for value in graph.output:  # of a body: the outputs of the model keep their names
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _rename(attribute.g, names)


def canonical(graph: BoundGraph, numbers: dict[int, int] | None = None) -> list[Any]:
    """Return what a bound graph computes, without names: values are numbered as they are met."""
    numbers = {} if numbers is None else numbers

    def number(slot: int | None) -> int | None:
        return None if slot is None else numbers.setdefault(slot, len(numbers))

    form: list[Any] = [[number(slot) for slot in graph.input_slots]]
    for node in graph.nodes:
        handler = node.handler
        form.append([handler.domain, handler.op_type, handler.since, [number(slot) for slot in node.inputs]])
        form.append([number(slot) for slot in node.outputs])
        form.append([(name, _plain(value)) for name, value in sorted(node.attributes.items())])
        form += [canonical(subgraph, numbers) for _, subgraph in sorted(node.subgraphs.items())]
    form.append([number(slot) for slot in graph.output_slots])
    used = [(numbers[slot], constant.tensor) for slot, constant in graph.constants.items() if slot in numbers]
    form += [(slot, _plain(tensor)) for slot, tensor in sorted(used, key=lambda pair: pair[0])]
    return form


def _plain(value: Any) -> Any:
    if isinstance(value, ir.TensorProtocol):
        described = (value.dtype, tuple(value.shape.numpy()))
        small = value.nbytes <= MAX_COMPARED_BYTES and value.dtype is not ir.DataType.STRING
        return (*described, np.asarray(value.numpy()).tobytes()) if small else described
    return value.tolist() if isinstance(value, np.ndarray) else str(value)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", manifest())
def test_names_that_passes_invent(name: str, options: str) -> None:
    model = materialize(MODELS / f"{name}.onnx")
    with names_given() as given:
        expected = lower(model, Options(**OPTIONS[options])).graph
    actual = lower(with_names(model, given), Options(**OPTIONS[options])).graph
    assert canonical(actual) == canonical(expected)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", ["espcn", "dcgan_generator", "scripted_if_loop", "seq2seq_attention"])
def test_numbers_with_names_that_passes_invent(name: str, options: str) -> None:
    entry, model = manifest()[name], materialize(MODELS / f"{name}.onnx")
    with names_given() as given:
        rep = prepare(model, **OPTIONS[options])
    renamed = prepare(with_names(model, given), **OPTIONS[options])
    feed = make_inputs(entry["inputs"])
    for input_name in rep.layout_report.channels_last_inputs:
        feed[input_name] = np.moveaxis(feed[input_name], 1, -1)
    for expected, actual in zip(rep.run(feed), renamed.run(feed), strict=True):
        np.testing.assert_array_equal(actual, expected)
