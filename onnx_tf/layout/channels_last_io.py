"""Change the signature of a graph: inputs and outputs that are N, spatial..., C when asked for."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Literal

import onnx_ir as ir

from onnx_tf.errors import EditError, option
from onnx_tf.origins import Transposed, change, hand_on
from onnx_tf.telling import did_you_mean

__all__ = ["chosen_values", "move_inputs", "move_outputs"]


def move_inputs(
    graph: ir.Graph, names: Sequence[str] | Literal["all"], are_last: Container[ir.Value] = ()
) -> tuple[str, ...]:
    """Make inputs channels-last, those left out that are, and return their names.

    Each gets a Transpose behind it. The pass then finds that it is the same memory under another name.
    """
    chosen = chosen_values([v for v in graph.inputs if v.name not in graph.initializers], names, "input")
    chosen = [v for v in chosen if v not in are_last]
    for value in chosen:
        rank = len(value.shape or ())
        inner = ir.Value(name=f"{value.name}_channels_first", type=value.type, shape=value.shape)
        hand_on(value, inner)
        change(value, Transposed(tuple(_to_last(rank))))
        value.replace_all_uses_with(inner, replace_graph_outputs=True)
        value.shape = ir.Shape([value.shape[a] for a in _to_last(rank)])  # type: ignore[index]
        node = _transpose(value, inner, [0, rank - 1, *range(1, rank - 1)], graph)
        first = next(iter(graph), None)
        if first is None:
            graph.append(node)
        else:
            first.prepend(node)
    return tuple(str(value.name) for value in chosen)


def move_outputs(
    graph: ir.Graph, names: Sequence[str] | Literal["all"], are_last: Container[ir.Value] = ()
) -> tuple[str, ...]:
    """Make outputs channels-last, those left out that are, with a Transpose before each; return their names."""
    chosen = [v for v in chosen_values(graph.outputs, names, "output") if v not in are_last]
    moved = []
    for value in chosen:
        rank = len(value.shape or ())
        moved.append(str(value.name))
        name = str(value.name)
        value.name = f"{name}_channels_first"
        shape = ir.Shape([value.shape[a] for a in _to_last(rank)])  # type: ignore[index]
        outer = ir.Value(name=name, type=value.type, shape=shape)
        graph.append(_transpose(value, outer, _to_last(rank), graph))
        hand_on(value, outer, Transposed(tuple(_to_last(rank))))
        for index, output in enumerate(graph.outputs):
            if output is value:
                graph.outputs[index] = outer
    return tuple(moved)


def _to_last(rank: int) -> list[int]:
    return [0, *range(2, rank), 1]


def _transpose(source: ir.Value, result: ir.Value, perm: Sequence[int], graph: ir.Graph) -> ir.Node:
    attributes = [ir.AttrInt64s("perm", list(perm))]
    version = graph.opset_imports.get("", 1)
    return ir.Node(
        "", "Transpose", [source], attributes, outputs=[result], name=f"{result.name}/Transpose", version=version
    )


def chosen_values(values: Iterable[ir.Value], names: Sequence[str] | Literal["all"], what: str) -> list[ir.Value]:
    """Return the inputs or outputs that are to be N, spatial..., C.

    Args:
        values: the inputs or outputs of the model.
        names: the names of some, or ``"all"`` for all images.
        what: ``"input"`` or ``"output"``.

    Raises:
        EditError: a name is unknown, or that of something that has no channels.
    """
    distinct = list(dict.fromkeys(values))
    if names == "all":
        return [v for v in distinct if _has_channels(v)]
    by_name = {str(v.name): v for v in distinct}
    said = option(f"channels_last_{what}s")
    if unknown := [n for n in names if n not in by_name]:
        known, near = ", ".join(by_name) or "none", did_you_mean(unknown[0], by_name)
        raise EditError(f"{said}: no {what} is called {', '.join(unknown)}{near}; the model has: {known}")
    flat = [n for n in names if not _has_channels(by_name[n])]
    if flat:
        raise EditError(f"{said}: {', '.join(flat)} is no tensor of a known rank of 3 or more")
    return [by_name[n] for n in dict.fromkeys(names)]


def _has_channels(value: ir.Value) -> bool:
    is_other = isinstance(value.type, (ir.SequenceType, ir.OptionalType))
    return not is_other and value.shape is not None and value.shape.rank() >= 3
