"""Read a model from a path, bytes, a ``ModelProto`` or an ``onnx_ir.Model``, and validate it."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from pathlib import Path

import onnx
import onnx_ir as ir
from google.protobuf.message import DecodeError

from onnx_tf._sparse import densified
from onnx_tf.errors import ModelError
from onnx_tf.registry import normalize_domain
from onnx_tf.validation import check_model

__all__ = ["MAP_TYPE", "ModelSource", "load_model"]

ModelSource = str | os.PathLike[str] | bytes | onnx.ModelProto | ir.Model

MAX_IR_VERSION = 14

MAP_TYPE = "onnx_tf.map_type"
"""Key in ``value.meta`` of the ``onnx.TypeProto`` of graph inputs and outputs that hold maps."""


def load_model(source: ModelSource) -> ir.Model:
    """Return a validated copy of a model that the caller may change.

    Weights in external files stay memory-mapped. Nodes without a name get a stable one, and every
    node knows the opset version it was written for (``node.version``).

    Args:
        source: a path to an ``.onnx`` file, the bytes of one, an ``onnx.ModelProto`` or an
            ``onnx_ir.Model`` (which is copied).

    Raises:
        ModelError: the source is not a valid ONNX model, or its external data is missing, too
            short or outside the model's folder.
    """
    model = source.clone() if isinstance(source, ir.Model) else _deserialize(*_read(source))
    _check_versions(model)
    for graph in _graphs(model):
        _sort(graph)
    _set_node_names_and_versions(model)
    _check_external_data(model)
    _own_constants(model)
    return model


def _read(source: object) -> tuple[onnx.ModelProto, Path | None]:
    if isinstance(source, onnx.ModelProto):
        return source, None
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _parse(bytes(source), "the given bytes"), None
    if not isinstance(source, (str, os.PathLike)):
        raise ModelError(
            f"cannot load a model from {type(source).__name__}: pass a path, bytes, "
            "an onnx.ModelProto or an onnx_ir.Model"
        )
    path = Path(source)
    try:
        if path.is_dir():
            raise ModelError(f"{path} is a directory: pass the .onnx file in it")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"{path} does not exist: check the path (from {Path.cwd()})") from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    return _parse(data, str(path)), path.parent


def _parse(data: bytes, what: str) -> onnx.ModelProto:
    if not data:
        raise ModelError(f"{what}: empty; export or download the model again")
    if data.startswith(b"version https://git-lfs"):
        raise ModelError(f"{what}: a Git LFS pointer, not the model; run `git lfs pull`")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise ModelError(
            f"{what}: not an ONNX model, or cut short ({len(data)} bytes); export or download it again"
        ) from error
    return model


def _deserialize(proto: onnx.ModelProto, folder: Path | None) -> ir.Model:
    if not proto.HasField("graph"):
        raise ModelError("the model has no graph: it is not an ONNX model, or was cut short; export it again")
    if not proto.opset_import and proto.ir_version < 3:
        patched = onnx.ModelProto()
        patched.CopyFrom(proto)
        patched.opset_import.add(domain="", version=1)
        proto = patched
    try:
        check_model(proto)
        proto, map_types = _without_map_types(densified(proto))
        model = ir.from_proto(proto)
    except ModelError:
        raise
    except RecursionError as error:
        raise ModelError("the model's subgraphs are nested too deep; export it with flatter control flow") from error
    except Exception as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise ModelError(f"the model's graph is malformed: {reason}; check it with onnx.checker") from error
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


def _check_versions(model: ir.Model) -> None:
    if model.ir_version is None or model.ir_version < 1:
        raise ModelError("the model has no IR version: it is not an ONNX model; export it again")
    if model.ir_version > MAX_IR_VERSION:
        raise ModelError(
            f"the model has IR version {model.ir_version}, the newest known here is {MAX_IR_VERSION}: "
            "upgrade onnx-tf, or save the model with an older IR version"
        )
    if not model.opset_imports:
        raise ModelError("the model imports no opset: set opset_import; `onnx.checker.check_model` says more")
    newest = onnx.defs.onnx_opset_version()
    version = model.opset_imports.get("", model.opset_imports.get("ai.onnx"))
    if version is not None and not 1 <= version <= newest:
        raise ModelError(
            f"the model imports opset {version} of ai.onnx, the installed onnx {onnx.__version__} knows 1 to "
            f"{newest}: upgrade onnx, or export the model again with an older opset"
        )


def _sort(graph: ir.Graph) -> None:
    try:
        graph.sort()
    except ValueError as error:
        raise ModelError(
            "the graph has a cycle: no order of its nodes computes each input before its use; export it again"
        ) from error


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
                _check_external_tensor(name, tensor)


def _check_external_tensor(name: str, tensor: ir.ExternalTensor) -> None:
    if not str(tensor.base_dir):
        raise ModelError(
            f"tensor {name!r} lies in the external file {str(tensor.location)!r}, but the model came without "
            "a folder: pass the model's path, or load it with onnx.load (which reads external data)"
        )
    folder = Path(tensor.base_dir).resolve()
    path = (folder / tensor.location).resolve()
    if not path.is_relative_to(folder):
        raise ModelError(
            f"tensor {name!r} points to {str(tensor.location)!r}, outside the model's folder {folder}: "
            "external data is read only from beside the model"
        )
    if not path.is_file():
        raise ModelError(f"tensor {name!r} lies in {path}, which does not exist: put the file beside the model")
    needed = (tensor.offset or 0) + tensor.nbytes
    if tensor.length is not None and tensor.length < tensor.nbytes:
        raise ModelError(f"tensor {name!r} needs {tensor.nbytes} bytes, its entry says {tensor.length}; export again")
    if path.stat().st_size < needed:
        raise ModelError(
            f"tensor {name!r} needs {needed} bytes of {path}, which has {path.stat().st_size}: "
            "the file is cut short; copy or download it again"
        )
