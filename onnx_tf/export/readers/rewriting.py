"""Operators that a reader has not, by others that it has and that give the same numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from onnx_tf.export.file_graph import FileGraph

__all__ = ["rewrite"]

_Rewriting = Callable[[FileGraph, Any], None]


def rewrite(model: Any, names: Collection[str]) -> None:
    """Rewrite operators of a file whose shapes are all known.

    Args:
        model: the file, in the object form of LiteRT's schema.
        names: which rewritings, by their names below.
    """
    for graph in model.subgraphs:
        file = FileGraph(model, graph)
        for name in names:
            kinds, rewriting = _REWRITINGS[name]
            for operator in list(file.of_kind(*kinds)):
                rewriting(file, operator)
        file.sort()
        file.compact()


def _select(file: FileGraph, operator: Any) -> None:
    """Choose by SELECT_V2, which does the same where nothing is spread along the first axis."""
    condition, chosen = (file.shape(int(index)) for index in operator.inputs[:2])
    if condition == chosen or not condition:
        file.set_kind(operator, "SELECT_V2", 1, ("SelectV2Options", {}))


def _choose_integers(file: FileGraph, operator: Any) -> None:
    """Add the difference to the second number where the condition is 1: integers of 32 bits wrap, so it is exact."""
    condition, one, other = (int(index) for index in operator.inputs)
    result = int(operator.outputs[0])
    if any(file.dtype(index) != np.int32 for index in (one, other)):
        return
    if file.shape(result) not in (file.shape(one), file.shape(other)):
        return  # the difference would be smaller
    chosen, difference, part = file.add_tensor(condition, np.int32), file.add_tensor(result), file.add_tensor(result)
    file.remove(operator)
    _cast(file, condition, chosen)
    file.add("SUB", [one, other], [difference], 1, ("SubOptions", {}))
    file.add("MUL", [chosen, difference], [part], 1, ("MulOptions", {}))
    file.add("ADD", [part, other], [result], 1, ("AddOptions", {}))


def _any(file: FileGraph, operator: Any) -> None:
    """Say that not all are not."""
    source, result = int(operator.inputs[0]), int(operator.outputs[0])
    negated, none = file.add_tensor(source), file.add_tensor(result)
    keep = bool(operator.builtinOptions.keepDims)
    file.set_output(operator, 0, none)
    file.set_input(operator, 0, negated)
    file.set_kind(operator, "REDUCE_ALL", 1, ("ReducerOptions", {"keepDims": keep}))
    file.add("LOGICAL_NOT", [source], [negated], 1, ("LogicalNotOptions", {}))
    file.add("LOGICAL_NOT", [none], [result], 1, ("LogicalNotOptions", {}))


def _sign(file: FileGraph, operator: Any) -> None:
    """Subtract what says that a float is below zero from what says that it is above: 0 for NaN, as for 0."""
    source, result = int(operator.inputs[0]), int(operator.outputs[0])
    if not file.is_float(source):
        return
    zero = file.add_constant(np.zeros((), np.float32), b"zero")
    parts = []
    for kind in ("GREATER", "LESS"):
        said, number = file.add_tensor(source, np.bool_), file.add_tensor(source)
        file.add(kind, [source, zero], [said], 1, (f"{kind.capitalize()}Options", {}))
        _cast(file, said, number)
        parts.append(number)
    file.remove(operator)
    file.add("SUB", parts, [result], 1, ("SubOptions", {}))


def _cast(file: FileGraph, source: int, result: int) -> None:
    kinds = {"inDataType": file.tensor(source).type, "outDataType": file.tensor(result).type}
    file.add("CAST", [source], [result], 1, ("CastOptions", kinds))


def _reshape(file: FileGraph, operator: Any) -> None:
    """Let a RESHAPE give the result's shape."""
    source, result = int(operator.inputs[0]), int(operator.outputs[0])
    file.remove(operator)
    _add_reshape(file, source, result)


def _add_reshape(file: FileGraph, source: int, result: int) -> None:
    shape = np.array(file.shape(result), np.int32)
    fields = {"newShape": shape}
    file.add("RESHAPE", [source, file.add_constant(shape, b"shape")], [result], 1, ("ReshapeOptions", fields))


def _shaped(file: FileGraph, like: int, shape: Sequence[int]) -> int:
    """Add a tensor of another shape."""
    index = file.add_tensor(like)
    tensor = file.tensor(index)
    tensor.shape, tensor.shapeSignature, tensor.hasRank = np.array(shape, np.int32), None, True
    return index


def _keep_axes(file: FileGraph, operator: Any) -> None:
    """Slice without taking axes away, and reshape then."""
    options = operator.builtinOptions
    begin, end, strides = (file.constant(int(index)) for index in operator.inputs[1:4])
    if not options.shrinkAxisMask or options.newAxisMask or options.ellipsisMask or begin is None or end is None:
        return
    axes = [axis for axis in range(len(begin)) if options.shrinkAxisMask >> axis & 1]
    dims = file.shape(int(operator.inputs[0]))
    starts, ends = begin.astype(np.int32).copy(), end.astype(np.int32).copy()
    steps = np.ones_like(starts) if strides is None else strides.astype(np.int32).copy()
    for axis in axes:
        starts[axis] += dims[axis] if starts[axis] < 0 else 0
        ends[axis], steps[axis] = starts[axis] + 1, 1
    result = int(operator.outputs[0])
    kept = list(file.shape(result))
    for axis in axes:
        kept.insert(axis, 1)
    whole = _shaped(file, result, kept)
    named = ((1, starts, b"begin"), (2, ends, b"end"), (3, steps, b"strides"))
    for place, array, name in named:
        file.set_input(operator, place, file.add_constant(array, name))
    mask = ~options.shrinkAxisMask
    options.beginMask, options.endMask, options.shrinkAxisMask = options.beginMask & mask, options.endMask & mask, 0
    file.set_output(operator, 0, whole)
    _add_reshape(file, whole, result)


_SLICED_AXES = 3


def _raise_rank(file: FileGraph, operator: Any) -> None:
    """Slice tensors of one or two axes with axes of one element before these."""
    source, result = int(operator.inputs[0]), int(operator.outputs[0])
    dims = file.shape(source)
    missing = _SLICED_AXES - len(dims)
    bounds = [file.constant(int(index)) for index in operator.inputs[1:]]
    options = operator.builtinOptions
    is_strided = file.kind(operator) == "STRIDED_SLICE"
    if missing <= 0 or any(bound is None for bound in bounds):
        return
    if is_strided and (options.shrinkAxisMask or options.newAxisMask or options.ellipsisMask):
        return
    fills = (0, 1, 1) if is_strided else (0, 1)
    for place, (bound, fill) in enumerate(zip(bounds, fills, strict=True)):
        assert bound is not None
        array = np.concatenate([np.full(missing, fill, np.int32), bound.astype(np.int32)])
        file.set_input(operator, place + 1, file.add_constant(array, b"bound"))
    if is_strided:
        options.beginMask, options.endMask = options.beginMask << missing, options.endMask << missing
    higher = _shaped(file, source, [*[1] * missing, *dims])
    sliced = _shaped(file, result, [*[1] * missing, *file.shape(result)])
    _add_reshape(file, source, higher)
    file.set_input(operator, 0, higher)
    file.set_output(operator, 0, sliced)
    _add_reshape(file, sliced, result)


_AXES = 4


def _split_transpose(file: FileGraph, operator: Any) -> None:
    """Exchange neighbouring blocks of axes until each axis is in its place: each exchange is one of four axes."""
    source, result = int(operator.inputs[0]), int(operator.outputs[0])
    perm, dims = file.constant(int(operator.inputs[1])), file.shape(source)
    if perm is None or len(dims) <= _AXES:
        return
    file.remove(operator)
    order, current = list(range(len(dims))), source
    for place, axis in enumerate(perm):
        where = order.index(int(axis))
        if where == place or dims[int(axis)] == 1 or all(dims[other] == 1 for other in order[place:where]):
            order.insert(place, order.pop(where))
            continue
        sizes = [dims[other] for other in order]
        blocks = [math.prod(part) for part in (sizes[:place], sizes[place:where], sizes[where : where + 1])]
        blocks.append(math.prod(sizes[where + 1 :]))
        before = _shaped(file, source, blocks)
        after = _shaped(file, source, [blocks[0], blocks[2], blocks[1], blocks[3]])
        _add_reshape(file, current, before)
        exchanged = file.add_constant(np.array([0, 2, 1, 3], np.int32), b"perm")
        file.add("TRANSPOSE", [before, exchanged], [after], 1, ("TransposeOptions", {}))
        order.insert(place, order.pop(where))
        current = after
    _add_reshape(file, current, result)


def _join_reshapes(file: FileGraph, operator: Any) -> None:
    """Let a RESHAPE read what the one before it reads."""
    producer = file.producers.get(int(operator.inputs[0]))
    while producer is not None and file.kind(producer) == "RESHAPE":
        before = int(operator.inputs[0])
        file.set_input(operator, 0, int(producer.inputs[0]))
        if not file.readers.get(before) and not file.is_result(before):
            file.remove(producer)
        producer = file.producers.get(int(operator.inputs[0]))


_REWRITINGS: dict[str, tuple[tuple[str, ...], _Rewriting]] = {
    "select": (("SELECT",), _select),
    "choose integers": (("SELECT_V2",), _choose_integers),
    "any": (("REDUCE_ANY",), _any),
    "sign": (("SIGN",), _sign),
    "reshape": (("EXPAND_DIMS", "SQUEEZE"), _reshape),
    "keep axes": (("STRIDED_SLICE",), _keep_axes),
    "split transposes": (("TRANSPOSE",), _split_transpose),
    "join reshapes": (("RESHAPE",), _join_reshapes),
    "raise rank": (("SLICE", "STRIDED_SLICE"), _raise_rank),
}
