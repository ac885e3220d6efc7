"""Whether onnx can bring a node to a newer opset version."""

from __future__ import annotations

import onnx
import onnx.version_converter
import onnx_ir as ir

__all__ = ["converts"]


def converts(node: ir.Node, version: int) -> bool:
    """Tell whether ``onnx.version_converter`` brings a node to an opset version, by trying it on the node alone."""
    if (
        node.domain != ""
        or node.version is None
        or any(a.type.name.startswith("GRAPH") for a in node.attributes.values())
    ):
        return False
    inputs = {str(value.name): _declared(value) for value in node.inputs if value is not None}
    outputs = [onnx.helper.make_empty_tensor_value_info(str(value.name)) for value in node.outputs]
    graph = onnx.helper.make_graph([ir.to_proto(node)], "node", list(inputs.values()), outputs)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", node.version)])
    try:
        onnx.version_converter.convert_version(model, version)
    except Exception:  # it raises what C++ throws: RuntimeError, ConvertError, ...
        return False
    return True


def _declared(value: ir.Value) -> onnx.ValueInfoProto:
    if value.type is not None:
        info: onnx.ValueInfoProto = ir.to_proto(value)
        return info
    return onnx.helper.make_tensor_value_info(str(value.name), onnx.TensorProto.FLOAT, None)
