"""Function bodies of ATen, the node as which PyTorch exported functions of its own that ONNX had no operator for.

Those that are an operator of ai.onnx today are replaced by it. Attributes and inputs are those that PyTorch's
exporter wrote with ``ONNX_ATEN_FALLBACK``, the numbers those of PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx_ir as ir

__all__ = ["DOMAINS", "LIMITS", "aten"]

DOMAINS = ("", "org.pytorch.aten")

Lines = Callable[[ir.Node], Sequence[str]]


def aten(node: ir.Node) -> str:
    """Return the body of a node, in the textual form of ONNX.

    Raises:
        ValueError: the function of PyTorch that it calls is not known, or not in this form.
    """
    name = node.attributes.get_string("operator", "")
    if name not in FUNCTIONS:
        raise ValueError(
            f"its function {name!r} of PyTorch is no operator of ai.onnx (known: {', '.join(sorted(FUNCTIONS))}); "
            "export the model again with a newer opset"
        )
    lines = FUNCTIONS[name](node)
    inputs = ", ".join(f"x{i}" for i in range(len(node.inputs)))
    results = ", ".join(f"y{i}" for i in range(max(len(node.outputs), 1)))
    header = '<domain: "onnx_tf.aten", opset_import: ["": 21]>'
    return f"{header}\nbody ({inputs}) => ({results}) {{\n" + "\n".join(lines) + "\n}"


def _renamed(op_type: str, count: int) -> Lines:
    """Return the function that is an operator of ``count`` inputs and no attributes."""

    def lines(node: ir.Node) -> Sequence[str]:
        if len(node.inputs) != count:
            raise ValueError(f"{len(node.inputs)} inputs are given, {count} expected")
        return [f"y0 = {op_type} ({', '.join(f'x{i}' for i in range(count))})"]

    return lines


def _over_axis(op_type: str) -> Lines:
    def lines(node: ir.Node) -> Sequence[str]:
        keep = int(bool(_number(node, "keepdim", 2, 0)))
        return [f"y0 = {op_type} <axis = {_number(node, 'dim', 1)}, keepdims = {keep}> (x0)"]

    return lines


def _extreme(name: str) -> Lines:
    """Return the function of the largest or smallest numbers along an axis, and where they are."""

    def lines(node: ir.Node) -> Sequence[str]:
        axis, keep = _number(node, "dim", 1), int(bool(_number(node, "keepdim", 2, 0)))
        where = f"y1 = Arg{name} <axis = {axis}, keepdims = {keep}> (x0)"
        found = f"y0 = Reduce{name} <keepdims = {keep}> (x0, axes)"
        return [f"axes = Constant <value_ints = [{axis}]> ()", found, where][: len(node.outputs) + 1]

    return lines


def _cumsum(node: ir.Node) -> Sequence[str]:
    return [f"axis = Constant <value_int = {_number(node, 'dim', 1)}> ()", "y0 = CumSum (x0, axis)"]


def _where(node: ir.Node) -> Sequence[str]:
    if len(node.inputs) != 3:
        raise ValueError(f"{len(node.inputs)} inputs are given, 3 expected")
    return ["condition = Cast <to = 9> (x0)", "y0 = Where (condition, x1, x2)"]


def _layer_norm(node: ir.Node) -> Sequence[str]:
    rank = len(node.attributes.get_ints("normalized_shape", ()))
    if not rank:
        raise ValueError("its attribute 'normalized_shape' is missing")
    if len(node.inputs) < 2 or node.inputs[1] is None:
        raise ValueError("it has no weight")
    inputs = ", ".join(f"x{i}" for i in range(min(len(node.inputs), 3)))
    return [f"y0 = LayerNormalization <axis = {-rank}, epsilon = {_epsilon(node)}> ({inputs})"]


def _group_norm(node: ir.Node) -> Sequence[str]:
    if len(node.inputs) < 3 or None in node.inputs[:3]:
        raise ValueError("it has no weight and bias")
    groups = _number(node, "num_groups", 3)
    return [f"y0 = GroupNormalization <num_groups = {groups}, epsilon = {_epsilon(node)}> (x0, x1, x2)"]


def _gathered(op_type: str) -> Lines:
    """Return the function of data, an axis and indices, in this order."""

    def lines(node: ir.Node) -> Sequence[str]:
        if "dim" in node.attributes:
            return [f"y0 = {op_type} <axis = {_number(node, 'dim', 1)}> (x0, x1)"]
        return [f"y0 = {op_type} <axis = {_number(node, 'dim', 1)}> (x0, x2)"]

    return lines


def _index(node: ir.Node) -> Sequence[str]:
    if len(node.inputs) != 2 or node.inputs[1] is None or node.inputs[1].dtype not in _INDICES:
        raise ValueError("only one vector of integers as index is an operator of ai.onnx")
    return ["y0 = Gather (x0, x1)"]


def _triangle(upper: int) -> Lines:
    def lines(node: ir.Node) -> Sequence[str]:
        diagonal = _number(node, "diagonal", 1, 0)
        return [
            f"k = Constant <value = int64 {{{diagonal}}}> ()",
            f"y0 = Trilu <upper = {upper}> (x0, k)",
        ]

    return lines


def _grid_sampler(node: ir.Node) -> Sequence[str]:
    modes, paddings = ("linear", "nearest", "cubic"), ("zeros", "border", "reflection")
    mode = _number(node, "interpolation_mode", 2, 0)
    padding = _number(node, "padding_mode", 3, 0)
    corners = int(bool(_number(node, "align_corners", 4, 0)))
    if mode not in range(3) or padding not in range(3):
        raise ValueError(f"interpolation mode {mode} or padding mode {padding} is not known: 0, 1 or 2 expected")
    attributes = f'mode = "{modes[mode]}", padding_mode = "{paddings[padding]}", align_corners = {corners}'
    return [f"y0 = GridSample <{attributes}> (x0, x1)"]


def _non_zero(node: ir.Node) -> Sequence[str]:  # noqa: ARG001
    return ["found = NonZero (x0)", "y0 = Transpose <perm = [1, 0]> (found)"]


def _number(node: ir.Node, name: str, place: int, default: int | None = None) -> int:
    """Return an argument of PyTorch's function: an attribute, or an input that is constant.

    Raises:
        ValueError: it is neither, and there is no default.
    """
    attribute = node.attributes.get(name)
    if attribute is not None and attribute.type is ir.AttributeType.INT:
        return attribute.as_int()
    value = node.inputs[place] if attribute is None and place < len(node.inputs) else None
    if value is not None and value.const_value is not None and value.const_value.size == 1:
        return int(value.const_value.numpy().reshape(()))
    if value is None and attribute is None and default is not None:
        return default
    raise ValueError(f"its argument {name!r} must be an integer that is an attribute or a constant")


def _epsilon(node: ir.Node) -> str:
    return repr(node.attributes.get_float("eps", 1e-5))


_INDICES = (ir.DataType.INT32, ir.DataType.INT64)
_UNARY = (
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Det", "Erf", "Exp", "Floor"),
    *("Log", "Neg", "Reciprocal", "Relu", "Round", "Sigmoid", "Sign", "Sin", "Sinh", "Softsign", "Sqrt", "Tan", "Tanh"),
)

FUNCTIONS: dict[str, Lines] = {
    **{op_type.lower(): _renamed(op_type, 1) for op_type in _UNARY},
    "isnan": _renamed("IsNaN", 1),
    "matmul": _renamed("MatMul", 2),
    "argmax": _over_axis("ArgMax"),
    "argmin": _over_axis("ArgMin"),
    "cumsum": _cumsum,
    "gather": _gathered("GatherElements"),
    "grid_sampler": _grid_sampler,
    "group_norm": _group_norm,
    "index": _index,
    "index_select": _gathered("Gather"),
    "layer_norm": _layer_norm,
    "max": _extreme("Max"),
    "min": _extreme("Min"),
    "nonzero": _non_zero,
    "tril": _triangle(0),
    "triu": _triangle(1),
    "where": _where,
}
"""By name in PyTorch: what writes the lines of its body for a node, of inputs x0, x1, ... and outputs y0, y1, ...."""

LIMITS = f"PyTorch's functions {', '.join(sorted(FUNCTIONS))}, as PyTorch computes them."
