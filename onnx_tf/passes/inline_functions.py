"""Replace calls of a model's own functions by their bodies."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir
from onnx_ir.passes import PreconditionError
from onnx_ir.passes.common import InlinePass

from onnx_tf.errors import ModelError
from onnx_tf.origins import through_inlining


def inline_model_functions(model: ir.Model, has_handler: Callable[[str, str, int], bool]) -> bool:
    """Inline every model-local function that has no handler of its own; return whether any was.

    Nodes keep the opset version of the function they come from (``node.version``), so a function
    may import another version than the model.

    Raises:
        ModelError: functions call each other in a cycle, or one cannot be instantiated.
    """
    if not model.functions:
        return False
    for function in model.functions.values():
        for domain, version in function.opset_imports.items():
            model.opset_imports.setdefault(domain, version)
        function.opset_imports.update({d: model.opset_imports[d] for d in function.opset_imports})

    def needs_body(function: ir.Function) -> bool:
        return not has_handler(function.domain, function.name, model.opset_imports.get(function.domain, 1))

    try:
        with through_inlining(model):
            return bool(InlinePass(criteria=needs_body)(model).modified)
    except (PreconditionError, ValueError) as error:
        raise ModelError(f"the model's functions cannot be inlined: {error}") from error
