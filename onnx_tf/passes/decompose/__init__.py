"""Write operators by simpler ones, where runtimes lack them: as asked for by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import onnx_ir as ir

from onnx_tf.budget import Budget
from onnx_tf.passes.bodies import private_function, put_bodies
from onnx_tf.passes.body_writing import Body, Writer
from onnx_tf.passes.decompose import (
    arg_max,
    elementwise,
    erf,
    gather_nd,
    group_conv,
    inverse,
    inverse_trigonometric,
    power,
    products,
)

__all__ = ["DECOMPOSED", "decompose"]

DECOMPOSED: Mapping[str, tuple[str, Writer]] = {
    "Abs": ("Abs", elementwise.abs_),
    "Acos": ("Acos", inverse_trigonometric.acos),
    "ArgMax": ("ArgMax", arg_max.arg_max),
    "Asin": ("Asin", inverse_trigonometric.asin),
    "Atan": ("Atan", inverse_trigonometric.atan),
    "BatchMatMul": ("MatMul", products.batch_mat_mul),
    "Erf": ("Erf", erf.erf),
    "GatherND": ("GatherND", gather_nd.gather_nd),
    "Gelu": ("Gelu", elementwise.gelu),
    "GroupConv": ("Conv", group_conv.group_conv),
    "HardSwish": ("HardSwish", elementwise.hard_swish),
    "Inverse": ("Inverse", inverse.inverse),
    "LeakyRelu": ("LeakyRelu", elementwise.leaky_relu),
    "MatMulInteger": ("MatMulInteger", products.mat_mul_integer),
    "Neg": ("Neg", elementwise.neg),
    "PRelu": ("PRelu", elementwise.prelu),
    "Pow": ("Pow", power.power),
}
"""By the name that users give: the operator, and what writes it."""

_DOMAINS = ("", "com.microsoft")


def decompose(model: ir.Model, names: Collection[str], budget: Budget | None = None) -> bool:
    """Replace operators by simpler ones, also those that these are made of; return whether there were any.

    Args:
        model: a model with dtypes and shapes.
        names: of :data:`DECOMPOSED`.
        budget: what the new nodes are drawn from.

    Raises:
        ConversionError: a node has no simpler form; the error says why.
        ModelError: there would be more nodes than are left of the budget.
    """
    writers = {DECOMPOSED[name][0]: DECOMPOSED[name][1] for name in names}
    opset = model.opset_imports.get("", 1)

    def body_of(node: ir.Node, serial: int) -> ir.Function | None:
        if node.domain not in _DOMAINS or node.op_type not in writers:
            return None
        body = Body(node, opset)
        result = writers[node.op_type](body)
        return None if result is None else private_function(body.function(result), {}, node, serial)

    return put_bodies(model, body_of, budget)
