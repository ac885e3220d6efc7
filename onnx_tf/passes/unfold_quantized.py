"""Write operators on quantised tensors as DequantizeLinear, the operator on floats, and QuantizeLinear.

That says the same: ONNX Runtime makes the one of the other. What has other than 8 bits, or steps that
only the run tells, stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnx_tf.passes._constants import add_constant
from onnx_tf.passes._quantization import BYTES, dequantize, quantize, replace_results, scalar, with_result
from onnx_tf.schema import optional_float_attribute, optional_int_attribute

__all__ = ["unfold_quantized"]

_MICROSOFT = "com.microsoft"


@dataclass(frozen=True)
class _Form:
    """An operator on quantised tensors: where its operands and the steps of its result are, and what it does.

    Attributes:
        op_type: the operator on floats.
        version: an opset version in which that has the same attributes.
        operands: the place of each operand; its scale and zero point follow it.
        steps: the place of the result's scale; its zero point follows.
        bias: the place of a bias in steps of the product of the first two operands.
        dropped: attributes that the operator on floats has not.
    """

    op_type: str
    version: int
    operands: tuple[int, ...]
    steps: int
    bias: int | None = None
    dropped: tuple[str, ...] = ()


_FORMS: dict[tuple[str, str], _Form] = {
    ("", "QLinearConv"): _Form("Conv", 11, (0, 3), 6, bias=8),
    ("", "QLinearMatMul"): _Form("MatMul", 13, (0, 3), 6),
    (_MICROSOFT, "QGemm"): _Form("Gemm", 13, (0, 3), 7, bias=6),
    (_MICROSOFT, "QLinearAdd"): _Form("Add", 14, (0, 3), 6),
    (_MICROSOFT, "QLinearAveragePool"): _Form("AveragePool", 11, (0,), 3, dropped=("channels_last",)),
    (_MICROSOFT, "QLinearGlobalAveragePool"): _Form("GlobalAveragePool", 1, (0,), 3, dropped=("channels_last",)),
    (_MICROSOFT, "QLinearLeakyRelu"): _Form("LeakyRelu", 6, (0,), 3),
    (_MICROSOFT, "QLinearMul"): _Form("Mul", 14, (0, 3), 6),
    (_MICROSOFT, "QLinearReduceMean"): _Form("ReduceMean", 13, (0,), 3),
    (_MICROSOFT, "QLinearSigmoid"): _Form("Sigmoid", 13, (0,), 3),
    (_MICROSOFT, "QLinearSoftmax"): _Form("Softmax", 13, (0,), 3, dropped=("opset",)),
}


def unfold_quantized(model: ir.Model) -> bool:
    """Unfold every such operator; return whether there were any."""
    unfolded = [_unfold(node) for graph in model.graphs() for node in list(graph)]
    return any(unfolded)


def _unfold(node: ir.Node) -> bool:
    key = node.domain, node.op_type
    if key in ((_MICROSOFT, "QuantizeLinear"), (_MICROSOFT, "DequantizeLinear")):
        node.domain, node.version = "", 21
        return True
    if key == (_MICROSOFT, "QLinearConcat"):
        return _unfold_concat(node)
    form = _FORMS.get(key)
    if form is None or not _is_taken(node, form):
        return False
    inputs = [_operand(node, form, place) for place in form.operands]
    if form.bias is not None and (bias := _input(node, form.bias)) is not None:
        inputs.append(_bias(node, form, bias))
    attributes = [a for a in node.attributes.values() if a.name not in form.dropped]
    version = form.version if form.op_type != "Softmax" else optional_int_attribute(node, "opset") or form.version
    made = ir.Node("", form.op_type, inputs, attributes, version=version)
    _put(node, made, form.steps)
    return True


def _put(node: ir.Node, made: ir.Node, steps: int) -> None:
    old = node.outputs[0]
    result, scale = with_result(node, made, old), _input(node, steps)
    if scale is not None:
        first = _operand_dtype(node)
        zero_point = _input(node, steps + 1)
        dtype = zero_point.dtype if zero_point is not None else first
        result = quantize(made, result, scale, zero_point, dtype or ir.DataType.UINT8)
    replace_results(node, [result])


def _operand_dtype(node: ir.Node) -> ir.DataType | None:
    return next((v.dtype for v in node.inputs if v is not None and v.dtype in BYTES), None)


def _input(node: ir.Node, place: int) -> ir.Value | None:
    return node.inputs[place] if place < len(node.inputs) else None


def _is_taken(node: ir.Node, form: _Form) -> bool:
    if optional_int_attribute(node, "channels_last"):
        return False
    if form.op_type == "Gemm" and optional_float_attribute(node, "alpha") not in (None, 1.0):
        return False
    for place in form.operands:
        value, scale, zero_point = (_input(node, place + more) for more in range(3))
        tensor = None if scale is None else scale.const_value
        if value is None or value.dtype not in BYTES or tensor is None:
            return False
        if zero_point is not None and zero_point.const_value is None:
            return False
        if tensor.size != 1 and (place != 3 or len(tensor.shape) != 1 or form.op_type not in _CHANNELS):
            return False
    scale = _input(node, form.steps)
    return scalar(scale) is not None or (scale is None and form.op_type == "Gemm")


_CHANNELS: dict[str, Callable[[ir.Node], int]] = {
    "Conv": lambda _: 0,
    "Gemm": lambda node: 0 if optional_int_attribute(node, "transB") else 1,
    "MatMul": lambda _: -1,
}
"""By operator: the axis of the weights along which each result has its own."""


def _operand(node: ir.Node, form: _Form, place: int) -> ir.Value:
    value, scale, zero_point = (_input(node, place + more) for more in range(3))
    assert value is not None
    assert scale is not None
    has_one = scale.const_value is not None and scale.const_value.size == 1
    axis = None if has_one else _CHANNELS[form.op_type](node)
    return dequantize(node, value, *_scalars(node, scale, zero_point) if has_one else (scale, zero_point), axis)


def _scalars(node: ir.Node, *values: ir.Value | None) -> tuple[ir.Value, ir.Value | None]:
    """Return constants of one element without axes: one of a single element would be taken for a channel's."""
    scale, zero_point = (v if v is None or v.shape is None or not len(v.shape) else _flat(node, v) for v in values)
    assert scale is not None
    return scale, zero_point


def _flat(node: ir.Node, value: ir.Value) -> ir.Value:
    assert node.graph is not None
    tensor = value.const_value
    assert tensor is not None
    return add_constant(node.graph, f"{value.name}_scalar", tensor.dtype, (), tensor.numpy)


def _bias(node: ir.Node, form: _Form, bias: ir.Value) -> ir.Value:
    assert node.graph is not None
    scales = [_input(node, place + 1) for place in form.operands]
    left, right = (scale.const_value for scale in scales if scale is not None)
    assert left is not None
    assert right is not None

    def product() -> np.ndarray:
        return left.numpy().reshape(-1).astype(np.float32) * right.numpy().reshape(-1).astype(np.float32)

    size = right.size
    steps = add_constant(node.graph, f"{bias.name}_scale", ir.DataType.FLOAT, () if size == 1 else (size,), product)
    return dequantize(node, bias, steps, None, None if size == 1 else 0)


def _unfold_concat(node: ir.Node) -> bool:
    triples = list(zip(node.inputs[2::3], node.inputs[3::3], node.inputs[4::3], strict=True))
    if any(v is None or v.dtype not in BYTES or scalar(s) is None or scalar(z) is None for v, s, z in triples):
        return False
    if scalar(node.inputs[0]) is None or scalar(node.inputs[1]) is None:
        return False
    inputs = [dequantize(node, v, *_scalars(node, s, z)) for v, s, z in triples if v is not None]
    _put(node, ir.Node("", "Concat", inputs, list(node.attributes.values()), version=13), 0)
    return True
