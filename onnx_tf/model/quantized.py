"""Whether a model is quantised: whether its file holds integers and the steps that they count."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from onnx_tf.model.loading import ModelSource, load_model

__all__ = ["is_quantized", "rounds_values"]

_OPERATORS = ("DequantizeLinear", "QGemm", "QuantizeLinear")
_PREFIX = "QLinear"
_ROUNDING = ("DynamicQuantizeLinear", "DynamicQuantizeMatMul", "QAttention", "QGemm")


def is_quantized(model: ModelSource) -> bool:
    """Return whether a model holds integers, of weights or of what it computes, by steps that lie in its file."""
    return _has_node(model, _is_quantized)


def rounds_values(model: ModelSource) -> bool:
    """Return whether a model rounds what it computes to steps, not its weights alone."""
    return _has_node(model, _rounds)


def _has_node(model: ModelSource, is_wanted: Callable[[ir.Node], bool]) -> bool:
    loaded = model if isinstance(model, ir.Model) else load_model(model)
    functions = (node for function in loaded.functions.values() for node in function.all_nodes())
    return any(is_wanted(node) for nodes in (loaded.graph.all_nodes(), functions) for node in nodes)


def _rounds(node: ir.Node) -> bool:
    if node.domain not in ("", "ai.onnx", "com.microsoft"):
        return False
    if node.op_type == "QuantizeLinear":
        return node.inputs[0] is not None and node.inputs[0].const_value is None
    return node.op_type in _ROUNDING or node.op_type.startswith(_PREFIX)


def _is_quantized(node: ir.Node) -> bool:
    return node.domain in ("", "ai.onnx", "com.microsoft") and (
        node.op_type in _OPERATORS or node.op_type.startswith(_PREFIX)
    )
