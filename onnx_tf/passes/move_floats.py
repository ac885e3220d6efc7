"""Write what moves quantised numbers as what moves floats: DequantizeLinear before it, QuantizeLinear behind it.

So all that lies between two quantisations is floats, whether a file has pairs around each operator or
integers from the first to the last.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnx_tf.passes._constants import add_constant
from onnx_tf.passes._quantization import BYTES, dequantize, is_linear, quantize, replace_results, scalar, with_result
from onnx_tf.schema import string_attribute

__all__ = ["move_floats"]

_FIRST = frozenset(
    """
    DepthToSpace Expand Flatten Gather Identity MaxPool Pad Reshape Resize Slice SpaceToDepth Split Squeeze Tile
    Transpose Unsqueeze
    """.split()  # noqa: SIM905
)
_ALL = frozenset({"Concat", "Max", "Min"})


def move_floats(model: ir.Model) -> bool:
    """Rewrite such operators where their operands were quantised in the same steps; return whether there were any."""
    moved = [_move(node) for graph in model.graphs() for node in list(graph)]
    return any(moved)


def _move(node: ir.Node) -> bool:
    if node.domain != "" or node.op_type not in (*_FIRST, *_ALL):
        return False
    places = [*range(len(node.inputs))] if node.op_type in _ALL else [0]
    sources = [_source(node.inputs[place]) for place in places]
    if any(output.uses() for output in node.outputs[1:]) and node.op_type == "MaxPool":
        return False
    keys = {None if source is None else _key(source) for source in sources}
    if None in keys or len(keys) != 1 or not _nearest(node):
        return False
    source = sources[0]
    assert source is not None
    scale, zero_point = source.inputs[1], source.inputs[2] if len(source.inputs) > 2 else None
    dtype = node.outputs[0].dtype
    assert scale is not None
    assert dtype is not None
    inputs = list(node.inputs)
    if node.op_type == "Pad" and not _pad(node, inputs, source):
        return False
    for place in places:
        value = inputs[place]
        assert value is not None
        inputs[place] = dequantize(node, value, scale, zero_point)
    count = 1 if node.op_type == "MaxPool" else len(node.outputs)
    made = ir.Node(
        "", node.op_type, inputs, list(node.attributes.values()), version=node.version, num_outputs=count
    )  # fmt: skip
    with_result(node, made, node.outputs[0])
    for old, floats in zip(node.outputs, made.outputs, strict=False):
        floats.name, floats.shape, floats.type = f"{old.name}_floats", old.shape, ir.TensorType(ir.DataType.FLOAT)
    replace_results(node, [quantize(made, floats, scale, zero_point, dtype) for floats in made.outputs])
    return True


def _source(value: ir.Value | None) -> ir.Node | None:
    """Return the QuantizeLinear that gives a value, if the whole tensor has one scale and 8 bits."""
    node = None if value is None else value.producer()
    if value is None or node is None or not is_linear(node, "QuantizeLinear") or value.dtype not in BYTES:
        return None
    zero_point = node.inputs[2] if len(node.inputs) > 2 else None
    has_zero = zero_point is None or scalar(zero_point) is not None
    return node if scalar(node.inputs[1]) is not None and has_zero else None


def _key(node: ir.Node) -> tuple[bytes, int]:
    scale, zero_point = scalar(node.inputs[1]), scalar(node.inputs[2] if len(node.inputs) > 2 else None)
    assert scale is not None
    return scale.tobytes(), 0 if zero_point is None else int(zero_point)


def _nearest(node: ir.Node) -> bool:
    return node.op_type != "Resize" or string_attribute(node, "mode") == "nearest"


def _pad(node: ir.Node, inputs: list[ir.Value | None], source: ir.Node) -> bool:
    """Pad with the number that the integer stands for; by default that is 0, which stands for another one."""
    if string_attribute(node, "mode") != "constant":
        return True
    given = inputs[2] if len(inputs) > 2 else None
    integer = np.zeros((), np.int64) if given is None else scalar(given)
    scale, zero = _key(source)
    if integer is None or (node.version or 1) < 11:
        return False
    number = np.float32(int(integer) - zero) * np.frombuffer(scale, np.float32)[0]
    assert node.graph is not None
    constant = add_constant(node.graph, f"{node.name}_pad", ir.DataType.FLOAT, (), lambda: np.array(number))
    inputs[2:3] = [constant]
    return True
