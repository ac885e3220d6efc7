"""ONNX's own inference of shapes, of one node at a time and of equal nodes once."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import onnx
import onnx_ir as ir

__all__ = ["Dims", "NodeForm"]

Dims = tuple[int | str | None, ...]
"""A shape: numbers, symbols, and what is not known."""

MAX_DATA_BYTES = 1024
"""Constants of up to this size are shown to inference: axes, pads, shapes."""

_Found = Mapping[int, Dims] | None


class NodeForm:
    """What is inferred from a node, but for the shapes of its inputs: operator, attributes, dtypes, small constants."""

    def __init__(self, node: ir.Node) -> None:
        """Take a node all of whose inputs are tensors of known dtypes."""
        proto = ir.to_proto(node)
        proto.ClearField("name")
        proto.ClearField("doc_string")
        proto.ClearField("metadata_props")
        if not any(attribute.type is ir.AttributeType.GRAPH for attribute in node.attributes.values()):
            # Names tell nothing then, and make equal nodes differ.
            proto.input[:] = [name and f"input {index}" for index, name in enumerate(proto.input)]
            proto.output[:] = [name and f"output {index}" for index, name in enumerate(proto.output)]
        self._node, self._version = proto.SerializeToString(deterministic=True), node.version or 1
        self._dtypes = tuple(None if value is None else _dtype(value) for value in node.inputs)
        self._data = tuple(map(_data, node.inputs))

    def outputs(self, shapes: Sequence[Dims | None]) -> _Found:
        """Return the shapes of the outputs of which inference finds one, by index; ``None`` where it fails.

        Args:
            shapes: those of the inputs, of every place; ``None`` for one that is not known.
        """
        return _inferred(self._node, self._version, self._dtypes, tuple(shapes), self._data)


@functools.lru_cache(maxsize=1 << 14)
def _inferred(
    form: bytes,
    version: int,
    dtypes: Sequence[int | None],
    shapes: Sequence[Dims | None],
    data: Sequence[bytes | None],
) -> _Found:
    node = onnx.NodeProto.FromString(form)
    try:
        schema = onnx.defs.get_schema(node.op_type, version, node.domain)
    except onnx.defs.SchemaError:
        return None
    types = {
        name: onnx.helper.make_tensor_type_proto(dtype, shape)
        for name, dtype, shape in zip(node.input, dtypes, shapes, strict=True)
        if dtype is not None
    }
    constants = {
        name: onnx.TensorProto.FromString(constant)
        for name, constant in zip(node.input, data, strict=True)
        if constant is not None
    }
    opsets = [onnx.helper.make_opsetid("", version)]
    try:
        results = onnx.shape_inference.infer_node_outputs(schema, node, types, constants, opset_imports=opsets)
        has_body = bool(getattr(schema, "has_function", False))
        if has_body and not all(found.tensor_type.HasField("shape") for found in results.values()):
            results = _of_function(node, types, constants, opsets)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return None
    return {
        index: _dims(results[name].tensor_type)
        for index, name in enumerate(node.output)
        if name in results and results[name].tensor_type.HasField("shape")
    }


def _of_function(
    node: onnx.NodeProto,
    types: Mapping[str, onnx.TypeProto],
    data: Mapping[str, onnx.TensorProto],
    opsets: Sequence[onnx.OperatorSetIdProto],
) -> dict[str, onnx.TypeProto]:
    """Return what inference tells of an operator by its function body, which it reads in whole models alone."""
    inputs = [onnx.helper.make_value_info(name, found) for name, found in types.items()]
    results = [onnx.ValueInfoProto(name=name) for name in node.output if name]
    tensors = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in data.values()]
    for name, tensor in zip(data, tensors, strict=True):
        tensor.name = name
    graph = onnx.helper.make_graph([node], "node", inputs, results, tensors)
    model = onnx.shape_inference.infer_shapes(onnx.helper.make_model(graph, opset_imports=opsets))
    return {value.name: value.type for value in model.graph.output}


def _dtype(value: ir.Value) -> int:
    assert value.dtype is not None
    return value.dtype.value


def _data(value: ir.Value | None) -> bytes | None:
    tensor = None if value is None else value.const_value
    if tensor is None or tensor.nbytes > MAX_DATA_BYTES or tensor.dtype is ir.DataType.STRING:
        return None
    proto = ir.to_proto(tensor)
    proto.ClearField("name")
    return bytes(proto.SerializeToString(deterministic=True))


def _dims(found: onnx.TypeProto.Tensor) -> Dims:
    return tuple(d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in found.shape.dim)
