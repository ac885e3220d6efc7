"""Ranks that inference does not find, told by what operators take and give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import onnx
import onnx_ir as ir

from onnx_tf.schema import ints_attribute

__all__ = ["inferred_outputs", "state_implied_ranks"]

MAX_RANK = 8
"""The highest rank that is tried."""

MAX_DATA_BYTES = 1024
"""Constants of up to this size are shown to inference: axes, pads, shapes."""


def state_implied_ranks(graph: ir.Graph) -> bool:
    """State ranks of computed values that a node of the graph leaves no choice of; return whether there were any.

    A Transpose takes one rank, a convolution that of its weights, a Concat that of its other
    operands: the schema's inference fails for all others. A Flatten gives two axes whatever it takes.
    """
    stated = False
    waiting = [node for node in graph if _is_waiting(node)]
    while any([_state(node) for node in (*waiting, *reversed(waiting))]):  # noqa: C419  (all nodes each time)
        stated = True
        waiting = [node for node in waiting if _is_waiting(node)]
    return stated


def _is_waiting(node: ir.Node) -> bool:
    """Tell whether ranks of a standard operator on tensors are missing, of its inputs one at most."""
    has_body = any(attribute.type is ir.AttributeType.GRAPH for attribute in node.attributes.values())
    is_typed = all(value is None or isinstance(value.type, ir.TensorType) for value in node.inputs)
    if node.domain != "" or has_body or not is_typed or len(_unknown(node.inputs)) > 1 or _misleads(node):
        return False
    return bool(_unknown(node.inputs) or _unknown(node.outputs))


def _misleads(node: ir.Node) -> bool:
    # Inference of a Resize takes sizes of unknown length for none: it fails for all ranks but 0.
    sizes = node.inputs[3] if node.op_type == "Resize" and len(node.inputs) > 3 else None
    dims = _dims(sizes) if sizes is not None else [0]
    return dims is None or len(dims) != 1 or not isinstance(dims[0], int)


def _unknown(values: Iterable[ir.Value | None]) -> set[ir.Value]:
    return {value for value in values if value is not None and _is_unknown(value)}


def _is_unknown(value: ir.Value) -> bool:
    return value.shape is None and value.const_value is None and isinstance(value.type, ir.TensorType)


def _state(node: ir.Node) -> bool:
    unknown = _unknown(node.inputs)
    if len(unknown) > 1:
        return False
    operand = unknown.pop() if unknown else None
    given = {i: output.shape.rank() for i, output in enumerate(node.outputs) if output.shape is not None}
    found = {
        rank: results
        for rank, results in _results_by_rank(node, operand)
        if all(results.get(i, known) == known for i, known in given.items())
    }
    stated = False
    if operand is not None and len(found) == 1 and operand.producer() is not None and operand.graph is node.graph:
        operand.shape = ir.Shape([None] * next(iter(found)))
        stated = True
    for index, output in enumerate(node.outputs):
        ranks = {results.get(index) for results in found.values()}
        rank = ranks.pop() if len(ranks) == 1 else None
        if rank is not None and _is_unknown(output):
            output.shape = ir.Shape([None] * rank)
            stated = True
    return stated


def inferred_outputs(node: ir.Node) -> list[tuple[ir.Value, list[int | str | None]]]:
    """Return what inference tells of the shapes of a standard operator's outputs, from those that its inputs state."""
    found = _inferred(node, {value: _dims(value) for value in node.inputs if value is not None}) or {}
    return [(output, _dims_of(found[output.name])) for output in node.outputs if output.name in found]


def _dims_of(found: onnx.TypeProto.Tensor) -> list[int | str | None]:
    dims = found.shape.dim
    return [d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in dims]


def _results_by_rank(node: ir.Node, operand: ir.Value | None) -> Iterator[tuple[int, Mapping[int, int]]]:
    """Return, for every rank that the operand of a node can have, the ranks of its results as far as they are known."""
    dims = {value: _dims(value) for value in node.inputs if value is not None}
    for rank in _ranks_of(node) if operand is not None else (0,):
        if operand is not None:
            dims[operand] = [None] * rank
        found = _inferred(node, dims)
        if found is not None:
            yield rank, {i: len(found[o.name].shape.dim) for i, o in enumerate(node.outputs) if o.name in found}


def _inferred(
    node: ir.Node, dims: Mapping[ir.Value, Sequence[int | str | None] | None]
) -> dict[str | None, onnx.TypeProto.Tensor] | None:
    """Return the tensor types with a shape that inference finds for outputs, by name; ``None`` where it fails."""
    version = node.version or 1
    try:
        schema = onnx.defs.get_schema(node.op_type, version, node.domain)
    except onnx.defs.SchemaError:
        return None
    types = {str(value.name): _type(value, shape) for value, shape in dims.items()}
    constants = {str(value.name): value.const_value for value in dims if value.const_value is not None}
    data = {name: ir.to_proto(tensor) for name, tensor in constants.items() if _is_small(tensor)}
    opsets = [onnx.helper.make_opsetid("", version)]
    try:
        results = onnx.shape_inference.infer_node_outputs(schema, ir.to_proto(node), types, data, opset_imports=opsets)
        has_body = bool(getattr(schema, "has_function", False))
        if has_body and not all(found.tensor_type.HasField("shape") for found in results.values()):
            results = _of_function(node, types, data, opsets)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return None
    return {name: found.tensor_type for name, found in results.items() if found.tensor_type.HasField("shape")}


def _of_function(
    node: ir.Node,
    types: Mapping[str, onnx.TypeProto],
    data: Mapping[str, onnx.TensorProto],
    opsets: Sequence[onnx.OperatorSetIdProto],
) -> dict[str, onnx.TypeProto]:
    """Return what inference tells of an operator by its function body, which it reads in whole models alone."""
    proto = ir.to_proto(node)
    inputs = [onnx.helper.make_value_info(name, found) for name, found in types.items()]
    results = [onnx.ValueInfoProto(name=name) for name in proto.output if name]
    graph = onnx.helper.make_graph([proto], "node", inputs, results, list(data.values()))
    model = onnx.shape_inference.infer_shapes(onnx.helper.make_model(graph, opset_imports=opsets))
    return {value.name: value.type for value in model.graph.output}


def _ranks_of(node: ir.Node) -> Iterable[int]:
    # Inference of Transpose takes a perm that is too short.
    perm = ints_attribute(node, "perm") if node.op_type == "Transpose" else None
    return range(MAX_RANK + 1) if perm is None else (len(perm),)


def _type(value: ir.Value, dims: Sequence[int | str | None] | None) -> onnx.TypeProto:
    assert value.dtype is not None
    return onnx.helper.make_tensor_type_proto(value.dtype, dims)


def _is_small(tensor: ir.TensorProtocol) -> bool:
    return tensor.nbytes <= MAX_DATA_BYTES and tensor.dtype is not ir.DataType.STRING


def _dims(value: ir.Value) -> Sequence[int | str | None] | None:
    shape = value.const_value.shape if value.const_value is not None else value.shape
    return None if shape is None else [d if isinstance(d, int) else d.value for d in shape]
