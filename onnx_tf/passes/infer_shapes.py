"""Find the dtype and shape of every value, as far as the model's own inputs tell."""

from __future__ import annotations

import onnx_ir as ir

from onnx_tf.passes._implied_ranks import state_implied_ranks
from onnx_tf.passes._inference import infer
from onnx_tf.passes._twins import maps_hidden, same_padding_understood, twins_in_place
from onnx_tf.passes.broadcast_letters import rename_broadcast_letters


def infer_shapes(model: ir.Model, *, implied: bool = True) -> bool:
    """Set dtypes and shapes of all values but inputs; return whether any changed.

    Args:
        model: the model.
        implied: state the ranks that what takes a value leaves no choice of, too; it takes its time.

    What the file states of the results of standard operators is dropped first: exporters and hands
    write wrong shapes there. It comes back for graph outputs of which inference knows nothing.
    """
    with maps_hidden(model), twins_in_place(model), same_padding_understood(model):
        declared = _forget_shapes(model)
        modified = infer(model)
        while any([_correct_loop(node) for node in model.graph.all_nodes()]):  # noqa: C419  (all loops each time)
            _forget_shapes(model)
            modified = infer(model) or modified
        for _ in range(_ROUNDS):
            renamed = [rename_broadcast_letters(node) for node in model.graph.all_nodes()]
            if any(renamed):  # what followed from their sizes is wrong
                _forget_shapes(model)
                infer(model)
            stated = [_state_rank(node) for node in model.graph.all_nodes()]
            stated += [state_implied_ranks(graph) for graph in model.graphs() if implied]
            if not any((*stated, *renamed)):
                break
            modified = infer(model) or any(renamed) or modified
        missing = [value for value in declared if value.shape is None]
        for value in missing:
            value.shape = declared[value]
        return infer(model) or modified if missing else modified


def _forget_shapes(model: ir.Model) -> dict[ir.Value, ir.Shape]:
    """Drop the shapes of what standard operators compute; return those of graph outputs."""
    declared = {}
    for node in model.graph.all_nodes():
        for output in node.outputs if node.domain == "" else ():
            if output.is_graph_output() and output.shape is not None:
                declared[output] = output.shape
            output.shape = None
    return declared


def _correct_loop(node: ir.Node) -> bool:
    """Drop what a Loop's body declares of carried values and is not so in the first or the next iteration."""
    if node.domain != "" or node.op_type != "Loop" or "body" not in node.attributes:
        return False
    body, corrected = node.attributes["body"].as_graph(), False
    for value, *sources in zip(body.inputs[2:], node.inputs[2:], body.outputs[1:], strict=False):
        for source in sources:
            if value.shape is not None and source is not None and source.shape is not None:
                kept = _kept(value.shape, source.shape)
                corrected |= kept != value.shape
                value.shape = kept
    return corrected


def _kept(declared: ir.Shape, found: ir.Shape) -> ir.Shape | None:
    if len(declared) != len(found):
        return None
    return ir.Shape([d if d == f or not isinstance(d, int) else None for d, f in zip(declared, found, strict=True)])


_ROUNDS = 3
"""How often inference is repeated with what it did not find itself."""


def _state_rank(node: ir.Node) -> bool:
    """State the rank that the length of a shape input gives where inference gives up; return whether it did."""
    if node.domain != "" or node.op_type not in ("Reshape", "ConstantOfShape") or node.outputs[0].shape is not None:
        return False
    target = node.inputs[-1]
    if target is None or target.shape is None or target.shape.rank() != 1 or not isinstance(target.shape[0], int):
        return False
    result = node.outputs[0]
    if result.type is None and node.op_type == "Reshape" and node.inputs[0] is not None:
        result.type = node.inputs[0].type
    if result.type is None:  # the model as a proto has no place for a shape alone
        return False
    dims: list[int | None] = _stated_dims(target)
    if len(dims) != target.shape[0]:
        dims = [None] * target.shape[0]
    result.shape = ir.Shape(dims)
    return True


def _stated_dims(target: ir.Value) -> list[int | None]:
    """Return the positive constants that a shape is put together from."""
    producer = target.producer()
    pieces = producer.inputs if producer is not None and producer.op_type == "Concat" else ()
    dims: list[int | None] = []
    for piece in pieces:
        if piece is not None and piece.const_value is not None:
            dims += [int(d) if d > 0 else None for d in piece.const_value.numpy().reshape(-1)]
        else:
            length = piece.shape[0] if piece is not None and piece.shape is not None and piece.shape.rank() else 1
            dims += [None] * (length if isinstance(length, int) else 0)
    return dims
