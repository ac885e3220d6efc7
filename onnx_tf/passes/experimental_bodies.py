"""Function bodies of experimental operators of opsets 1 to 9 that are operators of ai.onnx in another dress.

The standard has dropped them, and has no text for them today: what they do here is what ONNX Runtime does.
Where it has no kernel (the fills), it is what the texts of opsets 1 to 7 said. Those that are arithmetic have
handlers (``handlers/experimental.py``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import onnx
import onnx_ir as ir

from onnx_tf.passes import aten_bodies
from onnx_tf.registry import LEGACY_ATTRIBUTES

__all__ = ["OPERATORS", "Experimental", "experimental_body", "refusal"]

LARGEST = 2**63 - 1
"""As the end of a slice: the end of the data."""


@dataclass(frozen=True)
class Experimental:
    """An operator that has a body.

    Attributes:
        body: writes the body for a node, in the textual form of ONNX; it raises ``ValueError`` for what it cannot do.
        attributes: the type of each attribute that the operator knows; ``None``: any attributes.
        limits: where its meaning is from, and what it does not do, for people.
    """

    body: Callable[[ir.Node], str]
    attributes: Mapping[str, ir.AttributeType] | None
    limits: str


def experimental_body(node: ir.Node) -> onnx.FunctionProto | None:
    """Return the body of a node as a function, or ``None`` if there is none for it."""
    operator = OPERATORS.get((node.domain, node.op_type))
    if operator is None or refusal(node) is not None:
        return None
    return onnx.parser.parse_function(operator.body(node))


def refusal(node: ir.Node) -> str | None:
    """Say why a node of these operators has no body; ``None`` if it has one, or is of another operator."""
    operator = OPERATORS.get((node.domain, node.op_type))
    if operator is None:
        return None
    try:
        _check_attributes(node, operator.attributes)
        operator.body(node)
    except ValueError as error:
        return str(error)
    return None


def _check_attributes(node: ir.Node, known: Mapping[str, ir.AttributeType] | None) -> None:
    for name, attribute in node.attributes.items():
        if known is None or name in LEGACY_ATTRIBUTES:
            continue
        if name not in known:
            raise ValueError(f"it has no attribute {name!r} (known: {', '.join(sorted(known)) or 'none'})")
        if attribute.type is not known[name]:
            raise ValueError(f"attribute {name!r} is of type {attribute.type.name}: {known[name].name} expected")


def _crop(node: ir.Node) -> str:
    border, size = _ints(node, "border"), _ints(node, "scale")
    if len(border) != 4 or min(border) < 0:
        raise ValueError(f"'border' must be four numbers from 0 on (left, top, right, bottom), got {list(border)}")
    if size and (len(size) != 2 or min(size) < 0):
        raise ValueError(f"'scale' must be two numbers from 0 on (height, width), got {list(size)}")
    left, top, right, bottom = border
    starts = [top, left]
    ends = [top + size[0], left + size[1]] if size else [-bottom or LARGEST, -right or LARGEST]
    data = node.inputs[0]
    if data is not None and data.shape is not None:
        if data.shape.rank() != 4:
            raise ValueError(f"'input' must have four dimensions (N, C, H, W), got {data.shape.rank()}")
        needed = ends if size else [top + bottom, left + right]
        for dim, least in zip(data.shape.dims[2:], needed, strict=True):
            if isinstance(dim, int) and dim < least:
                raise ValueError(f"it takes {least} of the {dim} elements of an axis")
    lines = [_vector("axes", [2, 3]), _vector("starts", starts), _vector("ends", ends)]
    return _function(["x"], [*lines, "y = Slice (x, starts, ends, axes)"])


def _dynamic_slice(node: ir.Node) -> str:  # noqa: ARG001
    return _function(["data", "starts", "ends", "axes"], ["y = Slice (data, starts, ends, axes)"])


def _given_tensor_fill(node: ir.Node) -> str:
    if "values" not in node.attributes:
        raise ValueError("its attribute 'values' is missing")
    lines = ["given = Constant <value_floats: floats = @values> ()", *_shape_of_fill(node)]
    return _function(["x"], [*lines, "y = Reshape <allowzero = 1> (given, dims)"])


def _constant_fill(node: ir.Node) -> str:
    dtype, value = node.attributes.get_int("dtype", onnx.TensorProto.FLOAT), node.attributes.get_float("value", 0.0)
    if not math.isfinite(value):
        raise ValueError(f"'value' must be finite, got {value}")
    lines = [*_shape_of_fill(node), f"wide = ConstantOfShape <value = float[1] {{{value!r}}}> (dims)"]
    return _function(["x"], [*lines, f"y = Cast <to = {dtype}> (wide)"])


def _shape_of_fill(node: ir.Node) -> list[str]:
    """Return lines that compute ``dims``: of an attribute, of the input's shape, or of its elements."""
    dims, more = _ints(node, "shape"), _ints(node, "extra_shape")
    if not node.inputs or node.inputs[0] is None:
        if "shape" not in node.attributes:
            raise ValueError("it needs its attribute 'shape', or an input")
        return [_vector("dims", [*dims, *more])]
    if dims:
        raise ValueError("it has an input and the attribute 'shape', which both give its shape")
    first = "Cast <to = 7> (x)" if node.attributes.get_int("input_as_shape", 0) else "Shape (x)"
    if not more:
        return [f"dims = {first}"]
    return [f"first = {first}", _vector("more", more), "dims = Concat <axis = 0> (first, more)"]


def _ints(node: ir.Node, name: str) -> Sequence[int]:
    return node.attributes.get_ints(name, ())


def _vector(name: str, numbers: Sequence[int]) -> str:
    return f"{name} = Constant <value = int64[{len(numbers)}] {{{', '.join(map(str, numbers))}}}> ()"


def _function(inputs: Sequence[str], lines: Sequence[str]) -> str:
    header = '<domain: "onnx_tf.experimental", opset_import: ["": 14]>'
    return f"{header}\nbody ({', '.join(inputs)}) => (y) {{\n" + "\n".join(lines) + "\n}"


_INTS, _INT, _FLOAT = ir.AttributeType.INTS, ir.AttributeType.INT, ir.AttributeType.FLOAT
_SHAPE = {"extra_shape": _INTS, "input_as_shape": _INT, "shape": _INTS}
_AS_RUNTIME = "Experimental until opset 9, not in the standard: as in ONNX Runtime."
_AS_TEXT = "Experimental until opset 7, not in the standard: as its text was then."

OPERATORS: dict[tuple[str, str], Experimental] = {
    ("", "ConstantFill"): Experimental(_constant_fill, _SHAPE | {"dtype": _INT, "value": _FLOAT}, _AS_TEXT),
    ("", "Crop"): Experimental(_crop, {"border": _INTS, "scale": _INTS}, _AS_RUNTIME),
    ("", "DynamicSlice"): Experimental(_dynamic_slice, {}, _AS_RUNTIME),
    ("", "GivenTensorFill"): Experimental(
        _given_tensor_fill, _SHAPE | {"values": ir.AttributeType.FLOATS}, f"{_AS_TEXT} ONNX Runtime has no kernel."
    ),
    **{(domain, "ATen"): Experimental(aten_bodies.aten, None, aten_bodies.LIMITS) for domain in aten_bodies.DOMAINS},
}
"""By domain and operator."""
