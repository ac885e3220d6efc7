"""Make vectors of scalars where an operator wants a vector, as ONNX Runtime does; refuse the others.

PyTorch 1.12 exports ``unsqueeze`` by a variable with a scalar as axes.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx
import onnx_ir as ir

from onnx_tf.errors import ConversionError
from onnx_tf.origins import stand_for
from onnx_tf.passes._constants import add_constant
from onnx_tf.telling import place_of, type_of

__all__ = ["SCALARS_TAKEN", "VECTORS", "make_vectors"]

_REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")

VECTORS: dict[str, tuple[str, ...]] = {
    "AffineGrid": ("size",),
    "CenterCropPad": ("shape",),
    "Col2Im": ("image_shape", "block_shape"),
    "Compress": ("condition",),
    "ConstantOfShape": ("input",),
    "Expand": ("shape",),
    "MaxUnpool": ("output_shape",),
    "Pad": ("pads", "axes"),
    **{f"Reduce{name}": ("axes",) for name in _REDUCTIONS},
    "Reshape": ("shape",),
    "Resize": ("roi", "scales", "sizes"),
    "ReverseSequence": ("sequence_lens",),
    "RoiAlign": ("batch_indices",),
    "Slice": ("starts", "ends", "axes", "steps"),
    "Split": ("split",),
    "Squeeze": ("axes",),
    "TensorScatter": ("write_indices",),
    "Tile": ("repeats",),
    "TopK": ("K",),
    "Unsqueeze": ("axes",),
    "Upsample": ("scales",),
}
"""By operator: the inputs, by their names in the schema, that are vectors."""

SCALARS_TAKEN = frozenset({"CenterCropPad", "Compress", "Expand", "Resize", "Unsqueeze", "Upsample"})
"""The operators of which ONNX Runtime takes a scalar for a vector of one element."""


def make_vectors(model: ir.Model) -> bool:
    """Give operators that take scalars vectors of one element; return whether any got one.

    Raises:
        ConversionError: an operator has a scalar, or a matrix, where neither it nor ONNX Runtime takes one.
    """
    found = [(node, *place) for node in model.graph.all_nodes() for place in _misshapen(node)]
    for node, index, name, value in found:
        rank = value.shape.rank() if value.shape is not None else None
        if rank != 0 or node.op_type not in SCALARS_TAKEN:
            is_rank = "a scalar (rank 0)" if rank == 0 else f"of rank {rank}"
            raise ConversionError(
                f"input {name!r} must be a vector (rank 1), but it is {is_rank}: reshape it to one dimension",
                **place_of(node),
                inputs={str(given.name): type_of(given) for given in node.inputs if given is not None},
            )
        node.replace_input_with(index, _vector(node, value))
    return bool(found)


def _misshapen(node: ir.Node) -> Iterator[tuple[int, str, ir.Value]]:
    """Return the inputs of a node that should be vectors and are known not to be: position, name and value."""
    vectors = VECTORS.get(node.op_type, ()) if node.domain == "" else ()
    if not vectors or not onnx.defs.has(node.op_type, node.version or 1):
        return
    schema = onnx.defs.get_schema(node.op_type, node.version or 1)
    for index, (formal, value) in enumerate(zip(schema.inputs, node.inputs, strict=False)):
        if formal.name in vectors and value is not None and value.shape is not None and value.shape.rank() != 1:
            yield index, formal.name, value


def _vector(node: ir.Node, value: ir.Value) -> ir.Value:
    graph = node.graph
    assert isinstance(graph, ir.Graph)
    constant = value.const_value
    if constant is not None:
        return add_constant(graph, f"{value.name}_vector", constant.dtype, [1], constant.numpy)
    one = add_constant(graph, f"{value.name}_shape", ir.DataType.INT64, [1], lambda: ir.tensor([1]).numpy())
    reshape = ir.Node("", "Reshape", [value, one], version=node.version, name=f"{node.name}/vector")
    reshape.outputs[0].name = f"{value.name}_vector"
    reshape.outputs[0].type, reshape.outputs[0].shape = value.type, ir.Shape([1])
    stand_for(node, reshape)
    graph.insert_before(node, reshape)
    return reshape.outputs[0]
