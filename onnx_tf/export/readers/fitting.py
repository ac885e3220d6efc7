"""A file for a reader: what can be rewritten is, what cannot is refused by ONNX node."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from onnx_tf.errors import ExportError, UnsupportedError, UnsupportedNode, option
from onnx_tf.export.file_graph import FileGraph
from onnx_tf.export.flatbuffer import METADATA
from onnx_tf.export.packing import packed
from onnx_tf.export.post_training.kept import label
from onnx_tf.export.post_training.nodes import Nodes
from onnx_tf.export.readers.gpu import gpu_problem
from onnx_tf.export.readers.narrowing import TYPES, carry_interface, narrow_integers
from onnx_tf.export.readers.rewriting import rewrite
from onnx_tf.readers import Reader
from onnx_tf.runtime.graph import BoundGraph

__all__ = ["Fitted", "fitted"]

_CUT = "cut the model there, replace the operator, or write it for another target"


@dataclass(frozen=True)
class Fitted:
    """A file as a reader takes it.

    Attributes:
        content: the file.
        elsewhere: nodes that the reader leaves to something else.
    """

    content: memoryview
    elsewhere: tuple[UnsupportedNode, ...] = ()


def fitted(content: bytes | memoryview, reader: Reader, graph: BoundGraph) -> Fitted:
    """Return a file as a reader takes it.

    Args:
        content: the file.
        reader: what is to read it.
        graph: the bound graph that it comes from.

    Raises:
        ExportError: inputs or outputs have dtypes that it does not take; it lists all of them.
        UnsupportedError: some nodes need what it has not; it lists all of them.
    """
    if reader.is_litert:
        return Fitted(memoryview(content))
    nodes = Nodes(bytes(content), graph)
    model = schema.ModelT.InitFromPackedBuf(bytes(content), 0)
    before = _dtypes(model)
    if reader.narrows:
        narrow_integers(model)
    if reader.carriers:
        carry_interface(model, reader.carriers)
    _refuse_interface(model, reader)
    if reader.rewritings:
        rewrite(model, reader.rewritings)
    found: dict[bool, dict[str, UnsupportedNode]] = {False: {}, True: {}}
    for part in model.subgraphs:
        file = FileGraph(model, part)
        for operator in part.operators:
            is_refused, reason = _judged(file, operator, reader)
            if reason:
                node = _told(nodes, file, operator, reason)
                found[is_refused].setdefault(node.name, node)
    if found[True]:
        raise UnsupportedError(list(found[True].values()), step=reader.name)
    _describe(model, reader, before)
    return Fitted(packed(model, len(content)), tuple(found[False].values()))


def _judged(file: FileGraph, operator: Any, reader: Reader) -> tuple[bool, str]:
    """Return what is to be said of an operator, and whether the reader refuses the file for it."""
    kind = file.kind(operator)
    problem = next(_problems(file, operator, kind, reader), "")
    if problem:
        return True, f"{kind} {problem}; {_CUT}"
    if reader.elsewhere:
        floats = [TYPES[file.tensor(int(i)).type] for i in (*operator.inputs, *operator.outputs) if i >= 0]
        if kind not in reader.operators["operators"] or "FLOAT32" in floats:  # type: ignore[operator]
            return False, f"{kind} is computed by {reader.elsewhere}"
    return False, ""


def _problems(file: FileGraph, operator: Any, kind: str, reader: Reader) -> Iterator[str]:
    if reader.table and not reader.elsewhere and kind not in reader.operators["operators"]:  # type: ignore[operator]
        yield f"is no operator of {reader.what} ({reader.operators['source']})"
    tensors = [file.tensor(int(index)) for index in (*operator.inputs, *operator.outputs) if index >= 0]
    for tensor in tensors:
        dtype = TYPES[tensor.type]
        is_bias = dtype == "INT64" and tensor.quantization is not None and tensor.quantization.scale is not None
        if reader.dtypes and dtype not in reader.dtypes and not is_bias:
            yield f"has no kernel of {dtype.lower()} in {reader.what}"
        rank = 0 if tensor.shape is None else len(tensor.shape)
        if reader.max_rank and rank > reader.max_rank:
            yield f"has a tensor of {rank} axes, {reader.what} takes {reader.max_rank}"
    taken = reader.operators.get("dtypes", {}).get(kind) if reader.table else None  # type: ignore[attr-defined]
    dtype = TYPES[file.tensor(int(operator.inputs[_DATA.get(kind, 0)])).type].lower() if taken is not None else ""
    if taken is not None and dtype in _MEASURED and dtype not in taken:
        yield f"has no kernel of {dtype} in {reader.what}"
    computed = {"litert-micro": ("SLICE", 2), "ethos-u": ("RESHAPE", 1)}.get(reader.name)
    if computed is not None and kind == computed[0] and len(operator.inputs) > computed[1]:
        index = int(operator.inputs[computed[1]])
        if index in file.producers or file.is_given(index):
            yield f"takes a size that only the run tells, which {reader.what} has not"
    if reader.name == "litert-gpu":
        yield from filter(None, [gpu_problem(file, operator, kind)])


_MEASURED = ("float32", "int32", "bool")
"""The dtypes with which operators were tried."""

_DATA = {"SELECT_V2": 1, "SPLIT": 1}
"""Which input holds the data, where it is not the first."""


def _told(nodes: Nodes, file: FileGraph, operator: Any, reason: str) -> UnsupportedNode:
    """Return what is said of an operator: by the ONNX node that it is, else by its result."""
    name = label(file, operator).removesuffix("_inner")
    found = nodes[name]
    if not found:
        return UnsupportedNode(name, file.kind(operator), "", None, reason)
    context = found[0].context
    return UnsupportedNode(found[0].onnx_node, context.op_type, context.onnx_domain, context.version, reason)


def _dtypes(model: Any) -> dict[str, dict[str, str]]:
    """Return the dtype of each input and output by name."""
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    return {
        side: {entry.name.decode(): TYPES[graph.tensors[entry.tensorIndex].type].lower() for entry in entries}
        for side, entries in (("inputs", signature.inputs), ("outputs", signature.outputs))
    }


def _refuse_interface(model: Any, reader: Reader) -> None:
    sides = [(side, name, dtype) for side, own in _dtypes(model).items() for name, dtype in own.items()]
    refused = [one for one in sides if reader.interface and one[-1].upper() not in reader.interface]
    if refused:
        told = ", ".join(f"{side.removesuffix('s')} {name!r} is {dtype}" for side, name, dtype in refused)
        taken = ", ".join(sorted(map(str.lower, reader.interface)))
        raise ExportError(
            f"{told}: {reader.what} takes and gives {taken} alone: "
            f"cut it off with {option('input_names')} or {option('output_names')}"
        )


def _describe(model: Any, reader: Reader, before: dict[str, dict[str, str]]) -> None:
    """Say in the file for what it was written, and which dtypes stand for others."""
    after = _dtypes(model)
    carried = {
        side: {name: [dtype, after[side][name]] for name, dtype in own.items() if after[side][name] != dtype}
        for side, own in before.items()
    }
    for entry in model.metadata:
        if entry.name in (METADATA, METADATA.encode()):
            buffer = model.buffers[entry.buffer]
            told = json.loads(bytes(np.asarray(buffer.data, np.uint8))) | {"target": reader.name, "carried": carried}
            buffer.data = np.frombuffer(json.dumps(told, sort_keys=True).encode(), np.uint8)
