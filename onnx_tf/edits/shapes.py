"""Fix open dimensions of a model's inputs."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Mapping, Sequence

import onnx_ir as ir

from onnx_tf.edits.kinds import infer_types
from onnx_tf.errors import EditError, either, option
from onnx_tf.model.loading import MAP_TYPE
from onnx_tf.telling import described, did_you_mean, listed

__all__ = ["Dims", "fix_shapes"]

Dims = Sequence[int | str | None]
"""One entry per dimension: a number, or None, -1, "?" or the dimension's own symbol to leave it as it is."""

SHAPES = either("input_shapes", "--input-shape")
MAX_DIM = (1 << 63) - 1
"""The largest dimension that ONNX and TensorFlow can state."""


def fix_shapes(
    model: ir.Model, batch_size: int | None = None, input_shapes: Mapping[str, Dims] | None = None
) -> ir.Model:
    """Return a model whose open dimensions are fixed as stated; the given one stays as it is.

    A symbol that becomes a number does so wherever it occurs. Shapes of outputs and of other values
    are inferred again.

    Args:
        model: a model from :func:`onnx_tf.model.loading.load_model`.
        batch_size: the leading dimension of every input where ``input_shapes`` leaves it open.
        input_shapes: shapes of inputs by name. An input whose rank is not known gets one.

    Raises:
        EditError: an input is unknown, has another rank or another number there, a symbol would
            have two values, or no input has an open leading dimension.
    """
    model = model.clone()
    fixed: dict[str, int] = {}
    for name, dims in (input_shapes or {}).items():
        _state(_input(model.graph, name), dims, fixed)
    _substitute(model.graph.inputs, fixed)
    if batch_size is not None:
        _set_batch(model.graph, batch_size, fixed)
    _substitute((output for node in model.graph for output in node.outputs), fixed)
    _infer_again(model)
    return model


def _input(graph: ir.Graph, name: str) -> ir.Value:
    inputs = {str(value.name): value for value in graph.inputs}
    if name not in inputs:
        raise EditError(
            f"{SHAPES}: the model has no input {name!r}{did_you_mean(name, inputs)}; "
            f"its inputs are: {_all(graph.inputs, name)}"
        )
    value = inputs[name]
    if MAP_TYPE in value.meta:
        raise EditError(f"{SHAPES}: {name!r} is no tensor and has no shape: leave it out")
    return value


def _state(value: ir.Value, dims: Dims, fixed: dict[str, int]) -> None:
    if isinstance(dims, str) or not isinstance(dims, Sequence):
        raise EditError(f"{SHAPES}: {value.name!r} needs a list of dimensions, got {dims!r}")
    known = value.shape if value.const_value is None else ir.Shape(value.const_value.shape.numpy())
    if known is None:
        known = ir.Shape([None] * len(dims))
    if len(dims) != len(known):
        raise EditError(f"{SHAPES}: {list(dims)} has {len(dims)} dimensions, the input is {described(value)}")
    shape = ir.Shape(known)
    for axis, (given, dim) in enumerate(zip(dims, known, strict=True)):
        number = _number(value, given, dim)
        if number is None:
            continue
        if isinstance(dim, int) and dim != number:
            raise EditError(
                f"{SHAPES}: dimension {axis} of {value.name!r} is {dim}, not {number}; the input is "
                f"{described(value)}, and only open dimensions can be fixed"
            )
        if isinstance(dim, ir.SymbolicDim) and dim.value and fixed.setdefault(dim.value, number) != number:
            raise EditError(
                f"{SHAPES}: dimension {axis} of {value.name!r} would be {number}, but {dim.value!r} is "
                f"{fixed[dim.value]} already; the input is {described(value)}"
            )
        shape[axis] = number
    if value.const_value is None:
        value.shape = shape


def _number(value: ir.Value, given: object, dim: int | ir.SymbolicDim) -> int | None:
    if given is None or given == "?" or (isinstance(given, str) and isinstance(dim, ir.SymbolicDim) and given == dim):
        return None
    number = _whole(given)
    if number is None or not -1 <= number <= MAX_DIM:
        raise EditError(
            f"{SHAPES}: {given!r} is no dimension of {value.name!r}: state a number, or None, -1 or '?' "
            f"to leave it as it is; the input is {described(value)}"
        )
    return None if number == -1 else number


def _whole(given: object) -> int | None:
    try:
        return None if isinstance(given, bool) else operator.index(given)  # type: ignore[arg-type]
    except TypeError:
        return None


def _set_batch(graph: ir.Graph, given: object, fixed: dict[str, int]) -> None:
    size = _whole(given)
    if size is None or not 1 <= size <= MAX_DIM:
        raise EditError(
            f"{option('batch_size')} must be a positive whole number, got {given!r}; the largest is {MAX_DIM}"
        )
    inputs = [v for v in graph.inputs if v.const_value is None and v.shape and _is_tensor(v)]
    leading = [v.shape[0] for v in inputs if v.shape]
    if all(isinstance(dim, int) and dim != size for dim in leading):
        raise EditError(
            f"{either(f'batch_size={size}', f'--batch-size {size}')}: no input has an open leading dimension; "
            f"the inputs are: {_all(graph.inputs)}"
        )
    # Plain symbols first: an expression of them, as in 2*batch, is known then.
    for plain in (True, False):
        for value in inputs:
            dim = value.shape[0] if value.shape else size
            if isinstance(dim, ir.SymbolicDim) and (not plain or re.fullmatch(r"\w*", dim.value or "")):
                shape = ir.Shape(value.shape or ())
                shape[0] = size
                value.shape = shape
                if dim.value:
                    fixed[dim.value] = size
        _substitute(graph.inputs, fixed)


def _is_tensor(value: ir.Value) -> bool:
    kind = value.type.elem_type if isinstance(value.type, ir.OptionalType) else value.type
    return isinstance(kind, (ir.TensorType, ir.SparseTensorType))


def _substitute(values: Iterable[ir.Value], fixed: Mapping[str, int]) -> None:
    for value in values if fixed else ():
        if value.shape is None or value.shape.is_static():
            continue
        own = value.const_value.shape if value.const_value is not None else None
        shape = ir.Shape(value.shape)
        for axis, dim in enumerate(shape):
            number = None if isinstance(dim, int) else _evaluated(dim, fixed)
            if number is not None and (own is None or own[axis] == number):
                shape[axis] = number
        value.shape = shape


def _evaluated(dim: ir.SymbolicDim, fixed: Mapping[str, int]) -> int | None:
    """Return the number that a symbol, or an expression of symbols, has now; None where it has none."""
    if dim.value is None or dim.value in fixed:
        return fixed.get(dim.value or "")
    if not hasattr(dim, "evaluate") or re.fullmatch(r"\w+", dim.value):
        return None
    try:
        result = dim.evaluate(dict(fixed))
    except Exception:  # names such as "batch size" are no expressions
        return None
    return result if isinstance(result, int) and result >= 0 else None


def _infer_again(model: ir.Model) -> None:
    """Infer all shapes; of what an output states only that stays which inference does not find."""
    stated = {value: value.shape for value in model.graph.outputs if value.producer() is not None}
    for value in stated:
        value.shape = None
    infer_types(model)
    for value, shape in stated.items():
        if value.shape is None:
            value.shape = shape
        elif shape is not None and len(shape) == len(value.shape):
            pairs = zip(value.shape, shape, strict=True)
            value.shape = ir.Shape([found if isinstance(found, int) else said for found, said in pairs])


def _all(values: Iterable[ir.Value], wanted: str = "") -> str:
    by_name = {str(value.name): described(value) for value in values}
    if len(by_name) > 10:
        return listed(by_name, wanted)
    return "; ".join(by_name.values()) or "none"
