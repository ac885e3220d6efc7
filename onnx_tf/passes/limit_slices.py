"""Write Slices of many axes as some of few, between Reshapes: axes that are not cut move as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from onnx_tf.errors import ConversionError
from onnx_tf.passes._regrouping import Dim, Regrouping, joined, known_dims
from onnx_tf.schema import ints_attribute
from onnx_tf.telling import place_of

__all__ = ["limit_slices"]


def limit_slices(model: ir.Model, *, rank: int) -> bool:
    """Give Slices ``rank`` axes at most, 3 or more, by a Slice for each axis that is cut; return whether any had more.

    Raises:
        ConversionError: what is cut off such a one is computed, or several of its dimensions are open.
    """
    changed = [_limit(node, rank) for graph in model.graphs() for node in list(graph)]
    return any(changed)


def _limit(node: ir.Node, rank: int) -> bool:
    source, result = (node.inputs[0] if node.inputs else None), node.outputs[0]
    if node.domain != "" or node.op_type != "Slice" or source is None or source.shape is None:
        return False
    if source.shape.rank() <= rank:
        return False
    dims, after, cuts = known_dims(source), known_dims(result), _cuts(node, source.shape.rank())
    if dims is None or after is None or cuts is None:
        raise ConversionError(
            f"it has more than {rank} axes, and what it cuts off is computed or several of them are open: "
            "state them, as with --input-shape",
            **place_of(node),
        )
    steps = Regrouping(node)
    for axis, cut in cuts.items():
        _cut(steps, dims, axis, cut, after[axis])
        dims[axis] = after[axis]
    steps.reshape(dims)
    steps.finish()
    return True


def _cut(steps: Regrouping, dims: Sequence[Dim], axis: int, cut: tuple[int, int, int], size: Dim) -> None:
    outer, inner = joined(dims[:axis]), joined(dims[axis + 1 :])
    steps.reshape([outer, dims[axis], inner])
    whole = dims[axis]
    if abs(cut[2]) != 1 and whole is not None:  # a Slice with steps takes an axis more in TensorFlow
        places = np.arange(whole)[slice(*_clamped(cut, whole))]
        steps.apply("Gather", [steps.constant("places", places)], {"axis": 1}, [outer, size, inner])
        return
    numbers = zip(("start", "end"), cut, strict=False)
    begin, end = (steps.constant(name, np.array([number], np.int64)) for name, number in numbers)
    axes, step = (steps.constant(n, np.array([v], np.int64)) for n, v in (("axis", 1), ("step", cut[2])))
    steps.apply("Slice", [begin, end, axes, step], {}, [outer, size, inner])


def _clamped(cut: tuple[int, int, int], size: int) -> tuple[int, int | None, int]:
    """Return a cut as Python understands it: an end before the first element is none."""
    begin, end, step = cut
    return (begin, None if step < 0 and end < -size else end, step)


def _cuts(node: ir.Node, rank: int) -> dict[int, tuple[int, int, int]] | None:
    """Return begin, end and step by axis; ``None`` where they are computed."""
    begins, ends, axes, steps = _stated(node) if (node.version or 1) < 10 else _given(node)
    if begins is None or ends is None:
        return None
    axes = axes or range(len(begins))
    steps = steps or [1] * len(begins)
    return {axis % rank: cut for axis, *cut in zip(axes, begins, ends, steps, strict=True)}  # type: ignore[misc]


def _stated(node: ir.Node) -> tuple[Sequence[int] | None, ...]:
    return *(ints_attribute(node, name) for name in ("starts", "ends", "axes")), None


def _given(node: ir.Node) -> tuple[Sequence[int] | None, ...]:
    given = [*node.inputs, None, None][1:5]
    if any(value is not None and value.const_value is None for value in given):
        return None, None, None, None
    return tuple(_numbers(value) for value in given)


def _numbers(value: ir.Value | None) -> list[int] | None:
    tensor = None if value is None else value.const_value
    return None if tensor is None else [int(number) for number in tensor.numpy().reshape(-1)]
