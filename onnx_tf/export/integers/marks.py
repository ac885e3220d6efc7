"""Carry quantisations through TensorFlow's converter: it keeps operations that it does not know as they are.

The calls that stand for QuantizeLinear and DequantizeLinear (``handlers/litert/standing_quantization.py``)
become a mark, which says the steps, and a Cast. The converter folds what surrounds them, and writes marks as
custom operators; ``pairs.py`` makes LiteRT's QUANTIZE and DEQUANTIZE of these.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flatbuffers import flexbuffers
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from onnx_tf.registry import STEPS

__all__ = ["MARK", "Mark", "mark_of", "mark_quantizations"]

MARK = "DebugIdentityV2"
"""An operation that hands on a tensor of any dtype, that TensorFlow never folds, and LiteRT has not."""

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")


@dataclass(frozen=True)
class Mark:
    """What a mark says.

    Attributes:
        to_integers: whether it stands for QuantizeLinear.
        dtype: the quantised ONNX dtype, as in ``UINT8``.
        scale: the steps, one or one per element of the axis.
        zero_point: what zero is in that dtype, as many.
        axis: along which they lie.
    """

    to_integers: bool
    dtype: str
    scale: np.ndarray
    zero_point: np.ndarray
    axis: int


def mark_of(options: Any) -> Mark:
    """Return what the options of a custom operator of the name :data:`MARK` say."""
    told = json.loads(flexbuffers.Loads(bytes(bytearray(options)))["op_name"])
    scale, zero_point = np.array(told.pop("scale"), np.float32), np.array(told.pop("zero_point"), np.int64)
    return Mark(**told, scale=scale, zero_point=zero_point)


def mark_quantizations(folder: Path) -> bool:
    """Make marks of the calls in a SavedModel that stand for quantisations; return whether there were any."""
    file = folder / "saved_model.pb"
    model = SavedModel.FromString(file.read_bytes())
    found = False
    for graph in (meta.graph_def for meta in model.meta_graphs):
        functions = [function for function in graph.library.function if "_implements" in function.attr]
        stated = {function.signature.name: function.attr["_implements"].s.decode() for function in functions}
        told = {name: text[len(STEPS) :] for name, text in stated.items() if text.startswith(STEPS)}
        for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
            calls = [node for node in nodes if node.op in _CALLS and node.attr["f"].func.name in told]
            for call in calls:
                nodes.extend(_marked(call, told[call.attr["f"].func.name]))
            found = found or bool(calls)
        kept = [function for function in graph.library.function if function.signature.name not in told]
        del graph.library.function[:]
        graph.library.function.extend(kept)
    if found:
        file.write_bytes(model.SerializeToString(deterministic=True))
    return found


def _marked(call: NodeDef, told: str) -> Iterator[NodeDef]:
    """Make an Identity of a call, and yield the mark and the Cast that it hands on.

    An Identity: what reads a call reads its ``output``, as Identity has it and Cast has not.
    """
    given, result = call.attr["Tin"].list.type[0], call.attr["Tout"].list.type[0]
    mark = NodeDef(name=f"{call.name}/mark", op=MARK, input=[call.input[0]])
    mark.attr["T"].type = given
    mark.attr["op_name"].s = told.encode()
    mark.attr["output_slot"].i = mark.attr["tensor_debug_mode"].i = -1
    mark.attr["circular_buffer_size"].i = 1000
    for key in ("tfdbg_context_id", "tfdbg_run_id"):
        mark.attr[key].s = b""
    mark.attr["debug_urls"].list.SetInParent()
    cast = NodeDef(name=f"{call.name}/cast", op="Cast", input=[f"{mark.name}:output:0"])
    cast.attr["SrcT"].type, cast.attr["DstT"].type, cast.attr["Truncate"].b = given, result, False
    call.op = "Identity"
    call.attr.clear()
    call.attr["T"].type = result
    call.input[:] = [f"{cast.name}:y:0"]
    yield mark
    yield cast
