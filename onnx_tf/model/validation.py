"""What must hold of an ONNX file before anything is made of it: names, types and tensor sizes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

import onnx

from onnx_tf.errors import ModelError
from onnx_tf.model.external_data import check_entries

__all__ = ["check_model", "check_versions", "tensor_bytes"]

MAX_IR_VERSION = 14
MAX_ELEMENTS = 2**47
"""What a process can address, also for dimensions beside one of 0: arrays count with them."""

MAX_OPSET = 2**31 - 1
"""Libraries that look operators up take versions of 32 bits."""


def check_model(model: onnx.ModelProto) -> None:
    """Check that inputs are typed, every value has one producer, and no tensor is cut short.

    Raises:
        ModelError: something does not hold; the message names the first such thing.
    """
    _check_inputs(model.graph)
    _check_outputs(model.graph)
    _check_graph(model.graph, frozenset())
    for function in model.functions:
        _check_nodes(function.node, frozenset(function.input), function.output)


def _check_inputs(graph: onnx.GraphProto) -> None:
    seen: set[str] = set()
    for value in graph.input:
        if not value.name or value.name in seen or isinstance(value.name, bytes):
            raise ModelError(
                f"graph input {value.name!r}: every input needs a name of its own, of UTF-8 "
                "text; export the model again"
            )
        seen.add(value.name)
        kind = value.type.WhichOneof("value")
        if kind is None or (kind == "tensor_type" and not value.type.tensor_type.elem_type):
            raise ModelError(f"graph input {value.name!r} states no type: export the model again")


def _check_outputs(graph: onnx.GraphProto) -> None:
    types: dict[str, int] = {}
    for value in graph.output:
        kind = value.type.tensor_type.elem_type
        if kind and types.setdefault(value.name, kind) != kind:
            raise ModelError(f"the output {value.name!r} is stated twice, of two types; export the model again")


def _check_graph(graph: onnx.GraphProto, outer: frozenset[str]) -> None:
    initializers: set[str] = set()
    for sparse in graph.sparse_initializer:
        _check_tensor(f"the indices of the sparse tensor {sparse.values.name!r}", sparse.indices)
    for name, tensor in _initializers(graph):
        if name in initializers:
            raise ModelError(f"two initializers are called {name!r}; export the model again")
        initializers.add(name)
        _check_tensor(f"initializer {name!r}", tensor)
    own = initializers | {value.name for value in graph.input}
    _check_nodes(graph.node, frozenset(own), [value.name for value in graph.output], outer)


def _check_nodes(
    nodes: Iterable[onnx.NodeProto],
    given: frozenset[str],
    outputs: Iterable[str],
    outer: frozenset[str] = frozenset(),
) -> None:
    produced = set(given)
    for node in nodes:
        for name in filter(None, node.output):
            if name in produced:
                raise ModelError(
                    f"node {node.name!r} ({node.op_type}) writes the value {name!r}, which two nodes write or which "
                    "is an input: every value has one producer; export the model again"
                )
            produced.add(name)
    defined = outer | produced
    for node in nodes:
        _check_node(node, defined)
    for name in outputs:
        if name not in defined:
            raise ModelError(f"the output {name!r} is computed by no node; export the model again")


def _initializers(graph: onnx.GraphProto) -> Iterable[tuple[str, onnx.TensorProto]]:
    yield from ((tensor.name, tensor) for tensor in graph.initializer)
    yield from ((tensor.values.name, tensor.values) for tensor in graph.sparse_initializer)


def _check_texts(node: onnx.NodeProto) -> None:
    # What is no UTF-8 is given as bytes.
    names = (node.name, node.op_type, node.domain, *node.input, *node.output, *(a.name for a in node.attribute))
    for name in names:
        if isinstance(name, bytes):
            raise ModelError(
                f"node {node.name!r} ({node.op_type!r}) has a name that is no UTF-8 text, {name!r}: the file is "
                "damaged; export the model again"
            )
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.STRING and not _is_text(attribute.s):
            raise ModelError(
                f"attribute {attribute.name!r} of node {node.name!r} ({node.op_type}) is no UTF-8 text, "
                f"{attribute.s!r}: the file is damaged; export the model again"
            )


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _check_node(node: onnx.NodeProto, defined: frozenset[str]) -> None:
    _check_texts(node)
    _check_equation(node)
    for name in node.input:
        if name and name not in defined:
            raise ModelError(
                f"node {node.name!r} ({node.op_type}) reads {name!r}, which is no input, initializer or "
                "output of another node: the model is incomplete; export it again"
            )
    stated: set[str] = set()
    for attribute in node.attribute:
        if attribute.name in stated or not attribute.name:
            raise ModelError(
                f"node {node.name!r} ({node.op_type}) has two attributes called {attribute.name!r}, or one without a "
                "name: every attribute needs a name of its own; export the model again"
            )
        stated.add(attribute.name)
        sparse = attribute.sparse_tensor
        parts = [sparse.values, sparse.indices] if attribute.HasField("sparse_tensor") else []
        for tensor in ([attribute.t] if attribute.HasField("t") else []) + list(attribute.tensors) + parts:
            _check_tensor(f"attribute {attribute.name!r} of node {node.name!r} ({node.op_type})", tensor)
        for subgraph in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
            _check_graph(subgraph, defined)


def _check_equation(node: onnx.NodeProto) -> None:
    # Inference of onnx does not come back from some other characters.
    equation = next((attribute.s for attribute in node.attribute if attribute.name == "equation"), b"")
    if node.op_type == "Einsum" and not re.fullmatch(rb"[A-Za-z,. >-]*", equation):
        raise ModelError(
            f"node {node.name!r} (Einsum) has the equation {equation.decode(errors='replace')!r}: it takes letters "
            "from a to z, commas, spaces, '...' and '->'; export the model again"
        )


def _check_tensor(what: str, tensor: onnx.TensorProto) -> None:
    if tensor.data_type not in onnx.TensorProto.DataType.values() or not tensor.data_type:
        raise ModelError(
            f"{what} has the unknown data type {tensor.data_type}: export the model again, or upgrade onnx"
        )
    if any(dim < 0 for dim in tensor.dims):
        raise ModelError(f"{what} has the negative shape {list(tensor.dims)}: export the model again")
    if math.prod(filter(None, tensor.dims)) > MAX_ELEMENTS:
        raise ModelError(f"{what} has the shape {list(tensor.dims)}, which no memory holds: export the model again")
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        check_entries(what, tensor)
        return
    expected, actual = _sizes(tensor)
    if expected != actual:
        raise ModelError(
            f"{what} of shape {list(tensor.dims)} needs {expected} bytes or elements, the file has {actual}: "
            "it is damaged; export the model again"
        )


def _sizes(tensor: onnx.TensorProto) -> tuple[int, int]:
    """Return what the shape asks for and what there is: bytes of raw data, or elements."""
    if tensor.HasField("raw_data"):
        return tensor_bytes(tensor), len(tensor.raw_data)
    count = math.prod(tensor.dims)
    name = onnx.TensorProto.DataType.Name(tensor.data_type)
    field = getattr(tensor, onnx.helper.tensor_dtype_to_field(tensor.data_type))
    if name.startswith("COMPLEX"):
        return 2 * count, len(field)
    return math.ceil(count * _NARROW.get(name, 8) / 8), len(field)


def tensor_bytes(tensor: onnx.TensorProto) -> int:
    """Return how many bytes the elements of a tensor take as raw data; strings their characters."""
    if tensor.data_type == onnx.TensorProto.STRING:
        return sum(map(len, tensor.string_data))
    bits = _NARROW.get(onnx.TensorProto.DataType.Name(tensor.data_type), 0)
    if not bits:
        bits = 8 * onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    return math.ceil(math.prod(tensor.dims) * bits / 8)


_NARROW = {"INT4": 4, "UINT4": 4, "FLOAT4E2M1": 4, "INT2": 2, "UINT2": 2}


def check_versions(ir_version: int | None, opsets: Mapping[str, int]) -> None:
    """Check that the IR version and the opset version of ai.onnx are known here.

    Raises:
        ModelError: they are not.
    """
    if ir_version is None or ir_version < 1:
        raise ModelError("the model has no IR version: it is not an ONNX model; export it again")
    if ir_version > MAX_IR_VERSION:
        raise ModelError(
            f"the model has IR version {ir_version}, the newest known here is {MAX_IR_VERSION}: "
            "upgrade onnx-tf, or save the model with an older IR version"
        )
    if not opsets:
        raise ModelError("the model imports no opset: set opset_import; `onnx.checker.check_model` says more")
    for domain, number in opsets.items():
        if not 1 <= number <= MAX_OPSET:
            raise ModelError(
                f"the model imports opset {number} of {domain or 'ai.onnx'}: versions count from 1 up to {MAX_OPSET}; "
                "set opset_import, or export the model again"
            )
    newest = onnx.defs.onnx_opset_version()
    version = opsets.get("", opsets.get("ai.onnx"))
    if version is not None and not 1 <= version <= newest:
        raise ModelError(
            f"the model imports opset {version} of ai.onnx, the installed onnx {onnx.__version__} knows 1 to "
            f"{newest}: upgrade onnx, or export the model again with an older opset"
        )
