"""Give NonMaxSuppression as many rows as it can select, and the model an output that tells how many it did."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx_ir.convenience import replace_all_uses_with

from onnx_tf.errors import OptionError, either
from onnx_tf.origins import hand_on
from onnx_tf.registry import PADDED_DOMAIN

__all__ = ["pad_selections"]

COUNT = "_count"
"""What the name of the output that tells a number adds to the name of the selected indices."""


def pad_selections(model: ir.Model) -> bool:
    """Move every NonMaxSuppression to :data:`onnx_tf.registry.PADDED_DOMAIN`; its rows are a number then.

    Raises:
        OptionError: there is none, one lies in the body of a loop or an If, or the number is not known: it is the
            product of the first two dimensions of the scores and of ``max_output_boxes_per_class``.
    """
    found = [node for node in model.graph.all_nodes() if (node.domain, node.op_type) == ("", "NonMaxSuppression")]
    if not found:
        raise OptionError("nms='padded': the model has no NonMaxSuppression; leave the option out")
    for node in found:
        _pad(model.graph, node, _rows(model.graph, node))
    return True


def _rows(graph: ir.Graph, node: ir.Node) -> int:
    what = f"nms='padded': node {node.name!r}: NonMaxSuppression"
    if node.graph is not graph:
        raise OptionError(f"{what} lies in the body of another node, of which no output can tell a number")
    scores, most = node.inputs[1], node.inputs[2] if len(node.inputs) > 2 else None
    shape = scores.shape if scores is not None else None
    if shape is None or not shape.is_static():
        raise OptionError(
            f"{what} has scores of shape {shape}: fix the open dimensions with "
            f"{either('batch_size or input_shapes', '--batch-size or --input-shape')}"
        )
    if most is not None and most.const_value is None:
        raise OptionError(f"{what} computes max_output_boxes_per_class ({most.name!r}), which must be a constant")
    batch, classes, boxes = shape.numpy()
    asked = 0 if most is None or most.const_value is None else int(np.ravel(most.const_value.numpy())[0])
    return batch * classes * min(max(asked, 0), boxes)


def _pad(graph: ir.Graph, node: ir.Node, rows: int) -> None:
    old = node.outputs[0]
    padded = ir.Node(
        PADDED_DOMAIN, node.op_type, node.inputs, node.attributes.values(), num_outputs=2, version=node.version
    )
    padded.name = node.name
    selected, count = padded.outputs
    for value, dtype, dims in ((selected, ir.DataType.INT64, [rows, 3]), (count, ir.DataType.INT32, [1])):
        value.type, value.shape = ir.TensorType(dtype), ir.Shape(dims)
    name = old.name
    hand_on(old, selected)
    node.append(padded)
    replace_all_uses_with(old, selected, replace_graph_outputs=True)
    graph.remove(node, safe=True)
    selected.name, count.name = name, f"{name}{COUNT}"
    graph.outputs.append(count)
