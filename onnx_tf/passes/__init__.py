"""Passes from IR to IR that make a model small and plain before it is bound to handlers.

One pass a file; none imports TensorFlow. :func:`simplify` and :func:`optimize` are the order they run in.
"""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir
from onnx_ir.passes.common import (
    DeduplicateInitializersPass,
    LiftConstantsToInitializersPass,
    RemoveInitializersFromInputsPass,
    RemoveUnusedNodesPass,
)

from onnx_tf.passes.declared_shapes import DeclaredShapes
from onnx_tf.passes.detach_outputs import detach_constant_outputs
from onnx_tf.passes.expand_functions import expand_schema_functions
from onnx_tf.passes.extract_gradients import extract_gradients
from onnx_tf.passes.fold_constants import fold_constants
from onnx_tf.passes.infer_shapes import infer_shapes
from onnx_tf.passes.inline_functions import inline_model_functions
from onnx_tf.passes.lift_initializers import lift_initializers
from onnx_tf.passes.merge_duplicates import merge_duplicates
from onnx_tf.passes.optimize import optimize
from onnx_tf.passes.remove_identities import remove_identities

__all__ = ["optimize", "simplify"]


def simplify(model: ir.Model, *, has_handler: Callable[[str, str, int], bool], training: bool = False) -> ir.Model:
    """Return the model with functions inlined, constants folded and dead code gone.

    Initializers that are graph inputs count as constants and are no inputs afterwards.

    Args:
        model: a model from :func:`onnx_tf.loading.load_model`; it is changed in place.
        has_handler: whether (domain, operator, opset version) has a handler; operators without
            one are replaced by the function body of their schema, where it has one.
        training: keep weights apart that are equal: training makes them differ.
    """
    declared = DeclaredShapes(model)
    RemoveInitializersFromInputsPass()(model)
    detach_constant_outputs(model)
    extract_gradients(model)
    inline_model_functions(model, has_handler)
    LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    infer_shapes(model)
    if expand_schema_functions(model, has_handler):
        LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
        infer_shapes(model)
    while fold_constants(model):
        infer_shapes(model)
    declared.warn()
    remove_identities(model)
    lift_initializers(model)
    if not training:
        DeduplicateInitializersPass()(model)
    merge_duplicates(model, has_handler)
    RemoveUnusedNodesPass()(model)
    return model
