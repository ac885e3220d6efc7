"""Read a model from a path, bytes, a ``ModelProto`` or an ``onnx_ir.Model``, and validate it."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping

import onnx
import onnx_ir as ir

from onnx_tf.budget import Budget
from onnx_tf.errors import ModelError
from onnx_tf.model.external_data import check_external_tensor
from onnx_tf.model.opened import OpenedFile
from onnx_tf.model.reading import Read, read_proto
from onnx_tf.model.schema_checks import check_nodes
from onnx_tf.model.sparse import densified
from onnx_tf.model.stored import leave_stored
from onnx_tf.model.validation import check_model, check_versions
from onnx_tf.origins import mark_origins, unique_names
from onnx_tf.registry import normalize_domain
from onnx_tf.value_types import MAP_TYPE

__all__ = ["MAP_TYPE", "OPENED_DIMS", "ModelSource", "bodies", "load_model", "opened", "used_by"]

ModelSource = str | os.PathLike[str] | bytes | onnx.ModelProto | ir.Model

OPENED_DIMS = "onnx_tf.opened_dims"
"""Key in ``model.meta`` of a model whose inputs had dimensions of 0 that stand for open ones."""


def load_model(source: ModelSource, budget: Budget | None = None) -> ir.Model:
    """Return a validated copy of a model that the caller may change.

    Weights in external files stay memory-mapped; large ones of a large file stay there, and are read
    whenever they are asked for. Nodes without a name get a stable one, and every node knows the opset
    version it was written for (``node.version``). Dimensions written as -1 are open; so are those
    written as 0 in inputs of a model which says that all its outputs are empty.

    Args:
        source: a path to an ``.onnx`` file, the bytes of one, an ``onnx.ModelProto`` or an
            ``onnx_ir.Model`` (which is copied).
        budget: what the dense forms of sparse tensors draw from.

    Raises:
        ModelError: the source is not a valid ONNX model, or its external data is missing, too
            short or outside the model's folder.
    """
    taken = source.take() if isinstance(source, OpenedFile) else None
    if taken is not None:
        return taken
    if isinstance(source, ir.Model):
        model = source.clone()
    else:
        model = _deserialize(read_proto(source, leaves_weights=True), budget or Budget())
    check_versions(model.ir_version, model.opset_imports)
    for function in model.functions.values():
        if function.opset_imports:
            check_versions(model.ir_version, function.opset_imports)
    _open_dims(model)
    for graph in _graphs(model):
        _sort(graph)
    _own_outputs(model)
    _set_node_names_and_versions(model)
    for scope in (model.graph, *model.functions.values()):
        check_nodes(scope)
    mark_origins(model)
    unique_names(model)
    _check_external_data(model)
    _own_constants(model)
    return model


def opened(source: ModelSource, budget: Budget) -> tuple[ModelSource, ir.Model]:
    """Return what is to be loaded later instead of a source, and the model, which is to be left as it is.

    Args:
        source: see :func:`load_model`.
        budget: of the conversion; one who draws from it now is to draw from it then too.

    Raises:
        ModelError: see there.
    """
    if isinstance(source, OpenedFile) and source.model is not None:
        return source, source.model
    model = load_model(source, budget)
    if isinstance(source, (str, os.PathLike)) and not budget.constant_bytes:
        return OpenedFile(source, model), model
    return source, model


def _deserialize(read: Read, budget: Budget) -> ir.Model:
    proto, folder = read.proto, read.folder
    if not proto.HasField("graph"):
        raise ModelError("the model has no graph: it is not an ONNX model, or was cut short; export it again")
    if not proto.opset_import and proto.ir_version < 3:
        patched = onnx.ModelProto()
        patched.CopyFrom(proto)
        patched.opset_import.add(domain="", version=1)
        proto = patched
    try:
        check_model(proto)
        proto, map_types = _without_map_types(densified(proto, folder, budget))
        model = ir.from_proto(proto)
    except ModelError:
        raise
    except RecursionError as error:
        raise ModelError("the model's subgraphs are nested too deep; export it with flatter control flow") from error
    except Exception as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise ModelError(f"the model's graph is malformed: {reason}; check it with onnx.checker") from error
    leave_stored(model, read.stored)
    for value in [*model.graph.inputs, *model.graph.outputs]:
        if value.name in map_types:
            value.meta[MAP_TYPE] = map_types[value.name]
    if folder is not None:
        for graph in _graphs(model):
            ir.external_data.set_base_dir(graph, folder)
    return model


def _without_map_types(proto: onnx.ModelProto) -> tuple[onnx.ModelProto, dict[str, onnx.TypeProto]]:
    """Return the model without the types of maps, which onnx_ir does not know, and those types by name."""
    values = [*proto.graph.input, *proto.graph.output, *proto.graph.value_info]
    map_types = {value.name: value.type for value in values if _has_map(value.type)}
    if not map_types:
        return proto, {}
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    for value in [*copy.graph.input, *copy.graph.output, *copy.graph.value_info]:
        if value.name in map_types:
            value.ClearField("type")
    return copy, map_types


def _has_map(value_type: onnx.TypeProto) -> bool:
    kind = value_type.WhichOneof("value")
    if kind in ("sequence_type", "optional_type"):
        return _has_map(getattr(value_type, kind).elem_type)
    return kind == "map_type"


def _graphs(model: ir.Model) -> Iterator[ir.Graph]:
    yield from model.graphs()
    for function in model.functions.values():
        yield function.graph
        yield from function.subgraphs()


def _open_dims(model: ir.Model) -> None:
    """Make dimensions open that are written as numbers which exporters give to open ones."""
    for graph in _graphs(model):
        for value in (*graph.inputs, *(output for node in graph for output in node.outputs)):
            _open(value, lambda dim: dim < 0)
    shapes = [value.shape for value in model.graph.outputs]
    computes_nothing = all(shape is not None and (0 in shape or shape.is_dynamic()) for shape in shapes)
    inputs = [value for value in model.graph.inputs if value.const_value is None]
    if computes_nothing and any(value.shape is not None and 0 in value.shape for value in inputs):
        for value in (*inputs, *model.graph.outputs):
            _open(value, lambda dim: dim == 0)
        model.meta[OPENED_DIMS] = True


def _open(value: ir.Value, is_open: Callable[[int], bool]) -> bool:
    if value.shape is None or not any(isinstance(dim, int) and is_open(dim) for dim in value.shape):
        return False
    value.shape = ir.Shape([None if isinstance(dim, int) and is_open(dim) else dim for dim in value.shape])
    return True


def _sort(graph: ir.Graph) -> None:
    try:
        graph.sort()
    except ValueError as error:
        raise ModelError(
            "the graph has a cycle: no order of its nodes computes each input before its use; export it again"
        ) from error


def bodies(node: ir.Node) -> Iterator[ir.Graph]:
    """Return the graphs among the attributes of a node."""
    for attribute in node.attributes.values():
        if attribute.is_ref():
            continue
        if attribute.type is ir.AttributeType.GRAPH:
            yield attribute.as_graph()
        elif attribute.type is ir.AttributeType.GRAPHS:
            yield from attribute.as_graphs()


def used_by(node: ir.Node) -> Iterator[ir.Value]:
    """Yield the values that a node reads, and those that the nodes of its bodies read."""
    yield from (value for value in node.inputs if value is not None)
    for body in bodies(node):
        for inner in body:
            yield from used_by(inner)


def _own_outputs(model: ir.Model) -> None:
    """Put an Identity where a body gives a value of the graph around it, which onnx_ir takes for one of its own."""
    for graph in (model.graph, *(function.graph for function in model.functions.values())):
        _own_body_outputs(graph, {})


def _own_body_outputs(graph: ir.Graph, outer: Mapping[str, ir.Value]) -> None:
    own = (*graph.inputs, *graph.initializers.values(), *(output for node in graph for output in node.outputs))
    known = {**outer, **{str(value.name): value for value in own}}
    for node in graph:
        for body in bodies(node):
            _own_body_outputs(body, known)
    for index, output in enumerate(graph.outputs):
        source = outer.get(str(output.name))
        if source is not None and output not in own:
            identity = ir.node("Identity", [source])
            result = identity.outputs[0]
            result.name, result.type, result.shape = f"{output.name}_given", output.type, output.shape
            graph.append(identity)
            graph.outputs[index] = result


def _own_constants(model: ir.Model) -> None:
    # A pass that lifts a constant names its tensor: the one in the caller's model keeps its name.
    for graph in _graphs(model):
        for node in graph:
            tensor = node.attributes.get_tensor("value", None) if node.op_type == "Constant" else None
            if tensor is not None and tensor.dtype is not ir.DataType.STRING:
                shape = ir.Shape(tensor.shape.numpy())
                own = ir.LazyTensor(functools.partial(_same, tensor), dtype=tensor.dtype, shape=shape, name=tensor.name)
                node.attributes["value"] = ir.AttrTensor("value", own)


def _same(tensor: ir.TensorProtocol) -> ir.TensorProtocol:
    return tensor


def _set_node_names_and_versions(model: ir.Model) -> None:
    scopes: list[ir.Graph | ir.Function] = [model.graph, *model.functions.values()]
    for graph in scopes:
        versions = {normalize_domain(domain): version for domain, version in graph.opset_imports.items()}
        used = {node.name for node in graph.all_nodes() if node.name}
        for index, node in enumerate(graph.all_nodes()):
            node.domain = normalize_domain(node.domain)
            node.version = versions.get(node.domain, node.version)
            if not node.name:
                base = f"{node.op_type}_{index}"
                node.name = base if base not in used else f"{base}_unnamed"
                used.add(node.name)


def _check_external_data(model: ir.Model) -> None:
    for graph in _graphs(model):
        tensors = {name: value.const_value for name, value in graph.initializers.items()}
        for node in graph:
            for attribute in node.attributes.values():
                if not attribute.is_ref() and attribute.type is ir.AttributeType.TENSOR:
                    tensors[f"{node.name}.{attribute.name}"] = attribute.as_tensor()
        for name, tensor in tensors.items():
            if isinstance(tensor, ir.ExternalTensor):
                check_external_tensor(name, tensor)
