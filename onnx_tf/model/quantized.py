"""Whether a model is quantised: whether its file holds integers and the steps that they count."""

from __future__ import annotations

import onnx_ir as ir

from onnx_tf.model.loading import ModelSource, load_model

__all__ = ["is_quantized"]

_OPERATORS = ("DequantizeLinear", "QGemm", "QuantizeLinear")
_PREFIX = "QLinear"


def is_quantized(model: ModelSource) -> bool:
    """Return whether a model holds integers, of weights or of what it computes, by steps that lie in its file."""
    loaded = model if isinstance(model, ir.Model) else load_model(model)
    functions = (node for function in loaded.functions.values() for node in function.all_nodes())
    return any(_is_quantized(node) for nodes in (loaded.graph.all_nodes(), functions) for node in nodes)


def _is_quantized(node: ir.Node) -> bool:
    return node.domain in ("", "ai.onnx", "com.microsoft") and (
        node.op_type in _OPERATORS or node.op_type.startswith(_PREFIX)
    )
