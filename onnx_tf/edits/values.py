"""Inputs that become constants: what they decide, as shapes, is known then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx_ir as ir

from onnx_tf.edits.kinds import infer_types
from onnx_tf.errors import EditError, either
from onnx_tf.input_checks import in_own_dtype, numpy_dtype, refuse_dtype, refuse_shape
from onnx_tf.model.loading import MAP_TYPE
from onnx_tf.origins import forget
from onnx_tf.telling import described, did_you_mean, listed

__all__ = ["state_values"]


VALUES = either("values", "--value")


def state_values(model: ir.Model, values: Mapping[str, Any]) -> ir.Model:
    """Return the model without some of its inputs, which have the given values from now on.

    Args:
        model: a model from :func:`onnx_tf.model.loading.load_model`.
        values: arrays, numbers or lists of numbers, by the names of inputs.

    Raises:
        EditError: there is no such input, or it is no tensor.
        InputError: dtype or shape do not fit it.
    """
    model = model.clone()
    graph = model.graph
    inputs = {str(value.name): value for value in graph.inputs}
    for name, given in values.items():
        if name not in inputs:
            raise EditError(
                f"{VALUES}: the model has no input {name!r}{did_you_mean(name, inputs)}; "
                f"its inputs are {listed(inputs, name)}"
            )
        value = inputs[name]
        if not isinstance(value.type, ir.TensorType) or MAP_TYPE in value.meta:
            raise EditError(f"{VALUES}: {described(value)} is no tensor, and so cannot be a constant")
        value.const_value = ir.tensor(_array(value, given), name=name)
        value.shape = ir.Shape(value.const_value.shape.numpy())
        forget(value)
        graph.inputs.remove(value)
        if name not in graph.initializers:
            graph.register_initializer(value)
    infer_types(model)
    return model


def _array(value: ir.Value, given: Any) -> np.ndarray:
    array = np.asarray(given)
    if value.dtype is ir.DataType.STRING:
        array = array.astype(object)
    elif not isinstance(given, (np.ndarray, np.generic)):
        array = in_own_dtype(value, array)
    elif array.dtype != numpy_dtype(value):
        refuse_dtype(value, str(array.dtype))
    refuse_shape(value, array.shape)
    return array
