"""What of a graph is left where all weights are constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from onnx_tf.dtypes import carried
from onnx_tf.runtime.graph import BoundGraph, BoundNode, Slot

__all__ = ["without_casts"]


def without_casts(graph: BoundGraph, weights: Mapping[Slot, np.ndarray]) -> tuple[BoundGraph, dict[Slot, np.ndarray]]:
    """Return a graph without the nodes that do nothing but cast weights to 16 bits, and all weights that it reads.

    A file then holds what is read, and not the same in 32 bits besides.

    Args:
        graph: a main graph.
        weights: the weights by number.
    """
    casts = {node for node in graph.nodes if node.inputs[:1] and node.inputs[0] in weights and _is_narrowing(node)}
    kept = replace(graph, nodes=tuple(node for node in graph.nodes if node not in casts))
    narrow = {node.outputs[0]: _cast(node, weights[node.inputs[0]]) for node in casts if node.inputs[0] is not None}
    read = {*kept.output_slots, *(slot for node in kept.nodes for slot in node.reads)}
    return kept, {slot: array for slot, array in {**weights, **narrow}.items() if slot in read}


def _is_narrowing(node: BoundNode) -> bool:
    return node.context.op_type == "Cast" and node.attributes["to"] in (ir.DataType.BFLOAT16, ir.DataType.FLOAT16)


def _cast(node: BoundNode, array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return carried(array.astype(ir.DataType(node.attributes["to"]).numpy()))
