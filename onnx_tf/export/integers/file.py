"""Make the quantisations that a file carries integer kernels, and say what stays in floats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from onnx_tf.errors import ConversionError, UnsupportedError, UnsupportedNode
from onnx_tf.export.file_graph import FileGraph
from onnx_tf.export.flatbuffer import read_metadata
from onnx_tf.export.integers.constants import move_constants, quantized_constant
from onnx_tf.export.integers.kernels import take_integers
from onnx_tf.export.integers.layers import make_dense_layers, merge_biases
from onnx_tf.export.integers.moves import VERSIONS, move_quantizations
from onnx_tf.export.integers.pairs import stand_pairs
from onnx_tf.export.litert_support import ADVICE
from onnx_tf.export.own_results import require_runtime
from onnx_tf.runtime.graph import BoundGraph, BoundNode

__all__ = ["FloatOperator", "drop_codes", "float_operators", "fold_quantizations", "output_steps", "told_floats"]

_KEY = "floats"


@dataclass(frozen=True)
class FloatOperator:
    """An operator of a quantised file that computes with floats.

    Attributes:
        node: the ONNX node that it is a part of, empty if none is known.
        kind: LiteRT's name of it.
        reason: why.
    """

    node: str
    kind: str
    reason: str


def told_floats(operators: Iterable[FloatOperator]) -> dict[str, Any]:
    """Return what the metadata of a file say of its operators that compute with floats: nodes by reason and kind."""
    told: dict[str, dict[str, list[str]]] = {}
    for operator in operators:
        told.setdefault(operator.reason, {}).setdefault(operator.kind, []).append(operator.node)
    return {_KEY: told}


def float_operators(content: bytes | memoryview) -> tuple[FloatOperator, ...]:
    """Return what computes with floats in a file that :func:`told_floats` describes, each node once."""
    told = read_metadata(content).get(_KEY, {})
    return tuple(
        FloatOperator(node, kind, reason)
        for reason, kinds in told.items()
        for kind, nodes in kinds.items()
        for node in nodes
    )


def output_steps(content: bytes | memoryview) -> dict[str, float]:
    """Return the size of a step of each output of a file that is quantised or comes from what is, by its name."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    file = FileGraph(model, model.subgraphs[0])
    found = {}
    for entry in model.signatureDefs[0].outputs:
        producer = file.producers.get(entry.tensorIndex)
        index, step = entry.tensorIndex, 1.0
        if producer is not None and file.kind(producer) == "DEQUANTIZE":
            index, step = int(producer.inputs[0]), 0.0
        steps = file.steps(index)
        if steps is not None and steps.is_one:
            found[entry.name.decode()] = step or float(steps.scale[0])
    return found


def fold_quantizations(model: Any, *, graph: BoundGraph, allow_custom_ops: bool) -> Mapping[str, Any]:
    """Make integer kernels of what is quantised in a file; return what is to be said of it.

    Args:
        model: the file, in the object form of LiteRT's schema.
        graph: the bound graph that it comes from.
        allow_custom_ops: whether custom operators may stay.

    Raises:
        ConversionError: the converter tore a quantisation apart.
        UnsupportedError: something has no operator in LiteRT.
    """
    found: dict[str, FloatOperator] = {}
    for part in model.subgraphs:
        file = FileGraph(model, part)
        stand_pairs(file)
        if not allow_custom_ops:
            _refuse_custom(file, graph)
        move_constants(file)
        make_dense_layers(file)
        merge_biases(file)
        move_quantizations(file)
        reasons = take_integers(file)
        for operator in _floats(file, reasons, graph):
            found.setdefault(operator.node, operator)
        _widen_integers(file)
        _require_runtimes(file)
        file.sort()
        file.compact()
    drop_codes(model)
    _drop_buffers(model)
    return told_floats(found.values())


def _refuse_custom(file: FileGraph, graph: BoundGraph) -> None:
    """Refuse what the converter, which had to let marks through, let through as well."""
    problems = []
    for operator in file.graph.operators:
        kind = file.kind(operator)
        if kind.isupper() or kind.startswith(_FLEX):
            continue
        told = f"tf.{kind} has no kernel in LiteRT; {ADVICE}"
        node = _node(file, operator, graph)
        if node is None:
            raise ConversionError(told, step="litert")
        context = node.context
        problems.append(UnsupportedNode(node.onnx_node, context.op_type, context.onnx_domain, context.version, told))
    if problems:
        raise UnsupportedError(problems, step="litert")


_FLEX = "Flex"
"""How the names of TensorFlow's operators begin, which the converter writes only where they are allowed."""


def _node(file: FileGraph, operator: Any, graph: BoundGraph) -> BoundNode | None:
    """Return the bound node that an operator is a part of, by the names that the converter gave its results."""
    names = [name for index in operator.outputs for name in (file.tensor(int(index)).name or b"").decode().split(";")]
    return next((node for node in map(graph.node_of, names) if node is not None), None)


_NO_ARITHMETIC = ("DEQUANTIZE", "IF", "WHILE")


def _floats(file: FileGraph, reasons: Mapping[int, str], graph: BoundGraph) -> Iterator[FloatOperator]:
    for operator in file.graph.operators:
        kind, result = file.kind(operator), int(operator.outputs[0]) if len(operator.outputs) else -1
        if result < 0 or not file.is_float(result) or kind in (*VERSIONS, *_NO_ARITHMETIC):
            continue
        node = _node(file, operator, graph)
        reason = reasons.get(result, f"{kind} is computed in floats")
        yield FloatOperator("" if node is None else node.onnx_node, kind, reason)


def _widen_integers(file: FileGraph) -> None:
    """Make floats of the 32-bit constants that no layer took: LiteRT dequantises none."""
    for operator in list(file.of_kind("DEQUANTIZE")):
        result = int(operator.outputs[0])
        known = quantized_constant(file, result)
        if known is None or known[0].dtype != np.int32:
            continue
        integers, steps = known
        scale, zero_point = steps.spread(integers.ndim)
        floats = ((integers.astype(np.int64) - zero_point).astype(np.float32) * scale).astype(np.float32)
        constant = file.add_constant(floats, file.tensor(result).name)
        file.remove(operator)
        file.replace(result, constant)


_RUNTIMES = {"DEQUANTIZE": (5, "2.7.0"), "FULLY_CONNECTED": (12, "2.17.0"), "GELU": (2, "2.9.0")}
"""The versions of operators that newer runtimes have than :data:`_RUNTIME`, which has the other ones for integers."""

_RUNTIME = "2.3.0"


def _require_runtimes(file: FileGraph) -> None:
    """Say which runtime a file needs: those of the converter know nothing of integers."""
    require_runtime(file.model, _RUNTIME)
    for operator in file.of_kind(*_RUNTIMES):
        version, runtime = _RUNTIMES[file.kind(operator)]
        steps = file.steps(int(operator.inputs[0]))
        if file.kind(operator) == "DEQUANTIZE" and steps is not None and not steps.is_one:
            file.set_version(operator, version)  # which takes one scale for each element of an axis
        if file.model.operatorCodes[operator.opcodeIndex].version >= version:
            require_runtime(file.model, runtime)


def drop_codes(model: Any) -> None:
    """Take away the codes of operators that are not there any more, marks above all; the others are in order of use."""
    places: dict[tuple[Any, ...], int] = {}
    codes: list[Any] = []
    for operator in (operator for part in model.subgraphs for operator in part.operators):
        code = model.operatorCodes[operator.opcodeIndex]
        key = code.builtinCode, code.deprecatedBuiltinCode, code.customCode, code.version
        if key not in places:
            places[key] = len(codes)
            codes.append(code)
        operator.opcodeIndex = places[key]
    model.operatorCodes = codes


def _drop_buffers(model: Any) -> None:
    """Empty the buffers that no tensor and no entry of the metadata has."""
    used = {tensor.buffer for part in model.subgraphs for tensor in part.tensors}
    used |= {entry.buffer for entry in model.metadata or []}
    for index, buffer in enumerate(model.buffers):
        if index not in used:
            buffer.data = None
