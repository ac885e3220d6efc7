"""Function bodies of operators of com.microsoft that are operators of ai.onnx in another dress.

ONNX Runtime's optimizers fuse convolutions with what follows them and write them channels-last.
Taken apart again, they have everything that ai.onnx has: shape inference, folding, and the layout
pass, which finds a memory order for the whole model and cancels the Transposes in these bodies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx
import onnx_ir as ir

__all__ = ["OPERATORS", "microsoft_body"]

BodyWriter = Callable[[ir.Node], str | None]

_WINDOWS = {"auto_pad": "string", "dilations": "ints", "kernel_shape": "ints", "pads": "ints", "strides": "ints"}
_ACTIVATIONS: dict[str, Sequence[str]] = {
    "": (),
    "Clip": ("min", "max"),
    "Elu": ("alpha",),
    "HardSigmoid": ("alpha", "beta"),
    "HardSwish": (),
    "LeakyRelu": ("alpha",),
    "Relu": (),
    "Sigmoid": (),
    "Softplus": (),
    "Softsign": (),
    "Tanh": (),
}
"""The operators that are fused, and their attributes in the order of activation_params."""


def microsoft_body(node: ir.Node) -> onnx.FunctionProto | None:
    """Return the body of a node as a function, or ``None`` if there is none for it."""
    text = OPERATORS[node.op_type](node) if node.domain == "com.microsoft" and node.op_type in OPERATORS else None
    return None if text is None else onnx.parser.parse_function(text)


def _fused_conv(node: ir.Node) -> str | None:
    lines = [f"c = Conv <{_handed_on(group='int', **_WINDOWS)}> (x, w, b)"]
    lines.append("s = Add (c, z)" if len(node.inputs) > 3 and node.inputs[3] is not None else "s = Identity (c)")
    return _with_activation(node, lines)


def _nhwc_conv(node: ir.Node) -> str | None:
    lines = [f"c = Conv <{_handed_on(group='int', **_WINDOWS)}> (first, w, b)", "s = Identity(c)"]
    if len(node.inputs) > 3 and node.inputs[3] is not None:
        lines[1:] = [f"skip = {_to_channels_first(node, 'z')}", "s = Add (c, skip)"]
    return _with_activation(node, [f"first = {_to_channels_first(node)}", *lines], last=True)


def _with_activation(node: ir.Node, lines: list[str], last: bool = False) -> str | None:
    name = node.attributes.get_string("activation", "")
    if name not in _ACTIVATIONS:
        return None
    values = node.attributes.get_floats("activation_params", ())
    attributes = ", ".join(f"{key} = {value!r}" for key, value in zip(_ACTIVATIONS[name], values, strict=False))
    lines.append(f"a = {name} <{attributes}> (s)" if attributes else f"a = {name or 'Identity'} (s)")
    lines.append(f"y = {_to_channels_last(node, 'a')}" if last else "y = Identity (a)")
    # Clip has its bounds as attributes until opset 6.
    return _function(["x", "w", "b", "z"], lines, opset=6 if name == "Clip" else 14)


def _q_linear_conv(node: ir.Node) -> str:
    operands = ["x_scale", "x_zero", "w", "w_scale", "w_zero", "y_scale", "y_zero", "b"]
    attributes = _handed_on(group="int", **_WINDOWS)
    inputs = ", ".join(operands)
    if not node.attributes.get_int("channels_last", 0):
        return _function(["x", *operands], [f"y = QLinearConv <{attributes}> (x, {inputs})"])
    lines = [
        f"first = {_to_channels_first(node)}",
        f"c = QLinearConv <{attributes}> (first, {inputs})",
        f"y = {_to_channels_last(node, 'c')}",
    ]
    return _function(["x", *operands], lines)


def _nhwc_max_pool(node: ir.Node) -> str:
    lines = [
        f"first = {_to_channels_first(node)}",
        f"c = MaxPool <{_handed_on(ceil_mode='int', **_WINDOWS)}> (first)",
        f"y = {_to_channels_last(node, 'c')}",
    ]
    return _function(["x"], lines)


def _conv_transpose_with_dynamic_pads(node: ir.Node) -> str:
    attributes = _handed_on(group="int", output_padding="ints", **_WINDOWS)
    lines = [f"c = ConvTranspose <{attributes}> (x, w, b)", "y = Identity (c)"]
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        rank = _rank(node) - 2
        lines[1:] = [
            f"axes = Constant <value_ints = [{_listed(range(2, rank + 2))}]> ()",
            f"lengths = Constant <value_ints = [{rank}, {rank}]> ()",
            "before, after = Split (pads, lengths)",
            "shape = Shape (c)",
            "dims = Gather (shape, axes)",
            "ends = Sub (dims, after)",
            "y = Slice (c, before, ends, axes)",
        ]
    return _function(["x", "w", "pads", "b"], lines)


def _grid_sample(node: ir.Node) -> str:  # noqa: ARG001
    attributes = _handed_on(align_corners="int", mode="string", padding_mode="string")
    return _function(["x", "grid"], [f"y = GridSample <{attributes}> (x, grid)"], opset=16)


def _group_norm(node: ir.Node) -> str:
    return _function(["x", "gamma", "beta"], ["s = Identity (x)", *_normalized_groups(node)], opset=21)


def _skip_group_norm(node: ir.Node) -> str:
    last, skip = node.attributes.get_int("channels_last", 1), node.inputs[3]
    lines = ["wide = Identity (skip)"]
    if skip is not None and skip.shape is not None and skip.shape.rank() == 2:
        axes = "1, 2" if last else "2, 3"
        lines = [f"axes = Constant <value_ints = [{axes}]> ()", "wide = Unsqueeze (skip, axes)"]
    lines.append("sum = Add (x, wide)")
    if len(node.inputs) > 4 and node.inputs[4] is not None:
        shape = "-1" if last else "-1, 1, 1"
        lines += [
            f"column = Constant <value_ints = [{shape}]> ()",
            "shift = Reshape (b, column)",
            "s = Add (sum, shift)",
        ]
    else:
        lines.append("s = Identity (sum)")
    results = ["y", "s"][: len(node.outputs)]
    return _function(["x", "gamma", "beta", "skip", "b"], [*lines, *_normalized_groups(node)], results, opset=21)


def _normalized_groups(node: ir.Node) -> list[str]:
    last = node.attributes.get_int("channels_last", 1)
    groups, epsilon = node.attributes.get_int("groups"), node.attributes.get_float("epsilon", 1e-5)
    return [
        f"first = {_to_channels_first(node, 's') if last else 'Identity (s)'}",
        "factor = CastLike (gamma, s)",
        "offset = CastLike (beta, s)",
        f"n = GroupNormalization <num_groups = {groups}, epsilon = {epsilon!r}> (first, factor, offset)",
        *(
            ["gate = Sigmoid (n)", "a = Mul (n, gate)"]
            if node.attributes.get_int("activation")
            else ["a = Identity (n)"]
        ),
        f"y = {_to_channels_last(node, 'a') if last else 'Identity (a)'}",
    ]


def _function(inputs: Sequence[str], lines: Sequence[str], results: Sequence[str] = ("y",), opset: int = 13) -> str:
    body = "\n".join(lines)
    return (
        f'<domain: "com.microsoft", opset_import: ["": {opset}]>\n'
        f"body ({', '.join(inputs)}) => ({', '.join(results)}) {{\n{body}\n}}"
    )


def _handed_on(**attributes: str) -> str:
    """Return attributes that take the value of the node's own, where it has one."""
    return ", ".join(f"{name}: {kind} = @{name}" for name, kind in attributes.items())


def _to_channels_first(node: ir.Node, value: str = "x") -> str:
    rank = _rank(node)
    return f"Transpose <perm = [{_listed([0, rank - 1, *range(1, rank - 1)])}]> ({value})"


def _to_channels_last(node: ir.Node, value: str) -> str:
    return f"Transpose <perm = [{_listed([0, *range(2, _rank(node)), 1])}]> ({value})"


def _rank(node: ir.Node) -> int:
    x = node.inputs[0]
    if x is not None and x.shape is not None:
        return x.shape.rank()
    # Without either these are images: ONNX Runtime writes nothing else channels-last.
    return len(node.attributes.get_ints("kernel_shape", (0, 0))) + 2


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


OPERATORS: dict[str, BodyWriter] = {
    "ConvTransposeWithDynamicPads": _conv_transpose_with_dynamic_pads,
    "FusedConv": _fused_conv,
    "GridSample": _grid_sample,
    "GroupNorm": _group_norm,
    "NhwcConv": _nhwc_conv,
    "NhwcFusedConv": _nhwc_conv,
    "NhwcMaxPool": _nhwc_max_pool,
    "QLinearConv": _q_linear_conv,
    "SkipGroupNorm": _skip_group_norm,
}
"""By operator: what writes its body for a node, in the textual form of ONNX."""
