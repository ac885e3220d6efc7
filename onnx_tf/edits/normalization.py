"""MeanVarianceNormalization with an epsilon of the user's."""

from __future__ import annotations

import onnx_ir as ir

from onnx_tf.edits.kinds import infer_types
from onnx_tf.errors import EditError, option
from onnx_tf.origins import mark_origins, unique_names
from onnx_tf.passes.bodies import private_function, put_bodies
from onnx_tf.passes.body_writing import Body
from onnx_tf.schema import ints_attribute

__all__ = ["normalize_with"]

MIN_OPSET = 9
"""Before it the operator has no axes in its present form."""


def normalize_with(model: ir.Model, epsilon: float) -> ir.Model:
    """Return the model with (x - mean) / sqrt(variance + epsilon) for each MeanVarianceNormalization.

    Raises:
        EditError: the opset is older than 13, or the model has none.
    """
    model = model.clone()
    infer_types(model)
    own = {node for node in model.graph.all_nodes() if (node.domain, node.op_type) == ("", "MeanVarianceNormalization")}
    if not own:
        raise EditError(f"{option('mvn_epsilon')} is for MeanVarianceNormalization: the model has none")
    opset = model.opset_imports.get("", 1)
    if opset < MIN_OPSET:
        raise EditError(f"{option('mvn_epsilon')} needs opset {MIN_OPSET} or newer: convert the model to it")

    def body_of(node: ir.Node, serial: int) -> ir.Function | None:
        if node not in own:
            return None
        body = Body(node, opset)
        return private_function(body.function(_normalized(body, epsilon)), {}, node, serial)

    put_bodies(model, body_of)
    unique_names(model)
    mark_origins(model)
    return model


def _normalized(body: Body, epsilon: float) -> str:
    axes = ints_attribute(body.node, "axes") or (0, 2, 3)
    distance = body.op("Sub", body.inputs[0], body.reduced("ReduceMean", body.inputs[0], axes))
    variance = body.reduced("ReduceMean", body.op("Mul", distance, distance), axes)
    return body.op("Div", distance, body.op("Sqrt", body.op("Add", variance, body.number(epsilon))))
