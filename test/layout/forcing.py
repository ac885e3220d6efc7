"""Run the pass with other choices than the best one: every choice must give the same numbers."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import onnx_ir as ir

from onnx_tf.layout import LayoutReport, optimize_layout
from onnx_tf.layout.network import FIRST, LAST, Problem, cost

Choice = Callable[[Problem], tuple[list[int], int]]


def all_last(problem: Problem) -> tuple[list[int], int]:
    """Compute everything channels-last that has a choice."""
    return _costed(problem, [LAST] * problem.variables)


def at_random(seed: int) -> Choice:
    """Compute each operation in an order of its own."""

    def choose(problem: Problem) -> tuple[list[int], int]:
        rng = random.Random(seed)
        return _costed(problem, rng.choices((FIRST, LAST), k=problem.variables))

    return choose


def _costed(problem: Problem, labels: list[int]) -> tuple[list[int], int]:
    labels[:2] = FIRST, LAST
    return labels, cost(problem, labels)


def forced_channels_last(model: ir.Model, **options: Any) -> LayoutReport:
    """Stand in for ``optimize_layout``: inputs have channels at axis 1, and all that may is channels-last."""
    name_channels(model)
    return optimize_layout(model, choose=all_last, **options)


def name_channels(model: ir.Model) -> None:
    """Make known that axis 1 of every input of rank 3 and more is its channel.

    A pool that nothing reads says so, and goes with what is not used after the layout is chosen.
    """
    for graph in list(model.graphs()):
        nodes = [node for value in graph.inputs for node in _pool(value, model.opset_imports.get("", 1))]
        first = next(iter(graph), None)
        if first is not None:
            first.prepend(nodes)


def _pool(value: ir.Value, version: int) -> list[ir.Node]:
    rank = value.shape.rank() if value.shape is not None else 0
    if rank < 3 or not isinstance(value.type, ir.TensorType):
        return []
    number = ir.Node("", "Cast", [value], [ir.AttrInt64("to", ir.DataType.FLOAT)], version=version)
    pool = ir.Node("", "GlobalMaxPool", number.outputs, version=version)
    for node in (number, pool):
        node.name = node.outputs[0].name = f"{value.name}__{node.op_type}"
        node.outputs[0].type = ir.TensorType(ir.DataType.FLOAT)
    number.outputs[0].shape = value.shape
    pool.outputs[0].shape = ir.Shape([*value.shape[:2], *[1] * (rank - 2)])
    return [number, pool]
