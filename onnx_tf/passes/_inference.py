"""ONNX's own inference of dtypes and shapes over a model in the IR."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import onnx
import onnx_ir as ir

__all__ = ["infer"]

MAX_DATA_BYTES = 1000
"""Initializers of up to this size are shown to inference with what they hold, larger ones as inputs."""

_log = logging.getLogger(__name__)


def infer(model: ir.Model) -> bool:
    """Take over what ``onnx.shape_inference`` finds; return whether anything changed.

    It does what ``onnx_ir.passes.common.ShapeInferencePass`` does, but reads types alone out of the
    result instead of making a second model of it, which takes longer than the inference.
    """
    with _large_initializers_as_inputs(model.graph):
        proto = ir.to_proto(model)
    try:
        inferred = onnx.shape_inference.infer_shapes(proto, check_type=False, strict_mode=False, data_prop=True)
    except Exception as error:
        _log.warning("ONNX infers no shapes of this model: %s", error)
        return False
    return _take(model.graph, inferred.graph)


@contextmanager
def _large_initializers_as_inputs(graph: ir.Graph) -> Iterator[None]:
    inputs, initializers = list(graph.inputs), list(graph.initializers.values())
    tensors = [value.const_value for value in initializers]
    for value, tensor in zip(initializers, tensors, strict=True):
        if tensor is not None:
            value.shape = value.shape if value.shape is not None else ir.Shape(tensor.shape.numpy())
            value.dtype = value.dtype or tensor.dtype
        if tensor is None or tensor.nbytes > MAX_DATA_BYTES:
            value.const_value = None
            graph.initializers.pop(str(value.name))
        if value not in inputs:
            graph.inputs.append(value)
    try:
        yield
    finally:
        graph.initializers.clear()
        for value, tensor in zip(initializers, tensors, strict=True):
            value.const_value = tensor
            graph.initializers.add(value)
        graph.inputs.clear()
        graph.inputs.extend(inputs)


def _take(graph: ir.Graph, inferred: onnx.GraphProto) -> bool:
    found = {info.name: info.type for info in (*inferred.input, *inferred.value_info, *inferred.output)}
    changed = False
    for value in (*graph.inputs, *graph.initializers.values(), *graph.outputs):
        changed |= _take_type(value, found.get(str(value.name)))
    for node, proto in zip(graph, inferred.node, strict=True):
        for output in node.outputs:
            changed |= _take_type(output, found.get(str(output.name)))
        for attribute in proto.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                changed |= _take(node.attributes[attribute.name].as_graph(), attribute.g)
    return changed


def _take_type(value: ir.Value, found: onnx.TypeProto | None) -> bool:
    if found is None or (found.HasField("tensor_type") and _is_stated(value, found.tensor_type)):
        return False
    shape, inferred = ir.serde.deserialize_type_proto_for_shape(found), ir.serde.deserialize_type_proto_for_type(found)
    dtype = None if inferred is None else inferred.dtype
    changed = False
    if shape is not None and value.shape != shape:
        value.shape, changed = shape, True
    if dtype is not None and value.dtype != dtype:
        value.dtype, changed = dtype, True
    return changed


def _is_stated(value: ir.Value, found: onnx.TypeProto.Tensor) -> bool:
    """Return whether a value states what was found of it: most do, and to tell so is quicker than to make new types."""
    if value.dtype is None or value.dtype.value != found.elem_type:
        return False
    if not found.HasField("shape"):
        return True
    shape, dims = value.shape, found.shape.dim
    if shape is None or len(shape) != len(dims):
        return False
    stated = [d if isinstance(d, int) else d.value for d in shape]
    return stated == [d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in dims]
