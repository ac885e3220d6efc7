"""Find the dtype and shape of every value, as far as the model's own inputs tell."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import onnx_ir as ir
from onnx_ir.passes.common import ShapeInferencePass

from onnx_tf.passes.broadcast_letters import rename_broadcast_letters
from onnx_tf.schema import ints_attribute, optional_int_attribute, string_attribute

_MAP_OPERATORS = frozenset({"CastMap", "DictVectorizer", "ZipMap"})
"""Operators of ai.onnx.ml whose inputs or outputs are maps.

onnx_ir has no type for maps: it cannot read one back, and inference needs that of the inputs.
"""

_MICROSOFT = "com.microsoft"
_TWINS: dict[tuple[str, str], tuple[str, Sequence[int] | slice]] = {
    ("", "Affine"): ("Identity", [0]),
    ("", "GroupNormalization"): ("Identity", [0]),
    ("", "ImageScaler"): ("Identity", [0]),
    ("", "MeanVarianceNormalization"): ("Identity", [0]),
    ("", "ParametricSoftplus"): ("Identity", [0]),
    ("", "Scale"): ("Identity", [0]),
    ("", "ScaledTanh"): ("Identity", [0]),
    ("", "ThresholdedRelu"): ("Identity", [0]),
    (_MICROSOFT, "BiasGelu"): ("Identity", [0]),
    (_MICROSOFT, "DequantizeLinear"): ("DequantizeLinear", slice(3)),
    (_MICROSOFT, "FastGelu"): ("Identity", [0]),
    (_MICROSOFT, "Gelu"): ("Identity", [0]),
    (_MICROSOFT, "QLinearAdd"): ("Add", [0, 3]),
    (_MICROSOFT, "QLinearAveragePool"): ("AveragePool", [0]),
    (_MICROSOFT, "QLinearConcat"): ("Concat", slice(2, None, 3)),
    (_MICROSOFT, "QLinearGlobalAveragePool"): ("GlobalAveragePool", [0]),
    (_MICROSOFT, "QLinearLeakyRelu"): ("Identity", [0]),
    (_MICROSOFT, "QLinearMul"): ("Mul", [0, 3]),
    (_MICROSOFT, "QLinearSigmoid"): ("Identity", [0]),
    (_MICROSOFT, "QLinearSoftmax"): ("Identity", [0]),
    (_MICROSOFT, "QLinearWhere"): ("Where", [0, 1, 4]),
    (_MICROSOFT, "QuantizeLinear"): ("QuantizeLinear", slice(3)),
    (_MICROSOFT, "QuickGelu"): ("Identity", [0]),
}
"""Operators for which ONNX infers nothing: one whose result has the same dtype and shape, and its inputs."""


def infer_shapes(model: ir.Model) -> bool:
    """Set dtypes and shapes of intermediate values; return whether any changed.

    What the file states of intermediate values is dropped first where a standard operator
    computes them: exporters write stale shapes there.
    """
    with _maps_hidden(model), _twins_in_place(model), _same_padding_understood(model):
        declared = {value: value.shape for graph in model.graphs() for value in graph.outputs}
        _forget_shapes(model)
        infer = ShapeInferencePass(check_type=False, strict_mode=False, data_prop=True)
        modified = infer(model).modified
        for _ in range(_ROUNDS):
            renamed = [rename_broadcast_letters(node) for node in model.graph.all_nodes()]
            if any(renamed):  # what followed from their sizes is wrong
                _forget_shapes(model)
                for value, shape in declared.items():
                    value.shape = shape
                infer(model)
            stated = [_state_rank(node) for node in model.graph.all_nodes()]
            if not any([*stated, *renamed]):
                break
            modified = infer(model).modified or any(renamed) or modified
        return modified


def _forget_shapes(model: ir.Model) -> None:
    for node in model.graph.all_nodes():
        if node.domain == "":
            for output in node.outputs:
                if not output.is_graph_output():
                    output.shape = None


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


@contextlib.contextmanager
def _maps_hidden(model: ir.Model) -> Iterator[None]:
    """Give operators on maps names that inference does not know: what they compute stays without a type."""
    hidden = [n for n in model.graph.all_nodes() if n.domain == "ai.onnx.ml" and n.op_type in _MAP_OPERATORS]
    for node in hidden:
        node.op_type = f"onnx_tf.{node.op_type}"
    try:
        yield
    finally:
        for node in hidden:
            node.op_type = node.op_type.removeprefix("onnx_tf.")


@contextlib.contextmanager
def _twins_in_place(model: ir.Model) -> Iterator[None]:
    replaced: list[tuple[ir.Node, str, str, Sequence[ir.Value | None]]] = []
    for node in model.graph.all_nodes():
        twin = _TWINS.get((node.domain, node.op_type))
        if twin is None or optional_int_attribute(node, "channels_last"):
            continue
        replaced.append((node, node.domain, node.op_type, node.inputs))
        inputs = node.inputs[twin[1]] if isinstance(twin[1], slice) else [node.inputs[i] for i in twin[1]]
        node.domain, node.op_type = "", twin[0]
        _set_inputs(node, inputs)
    try:
        yield
    finally:
        for node, domain, op_type, inputs in replaced:
            node.domain, node.op_type = domain, op_type
            _set_inputs(node, inputs)


@contextlib.contextmanager
def _same_padding_understood(model: ir.Model) -> Iterator[None]:
    """Make the result of a transposed convolution of SAME padding n times its strides, as the operator says.

    Inference gets it wrong where windows are shorter than the stride or there is output_padding:
    it sees windows as long as the stride instead, for which it is right.
    """
    replaced: list[tuple[ir.Node, list[ir.Attr]]] = []
    for node in model.graph.all_nodes():
        if node.domain != "" or node.op_type != "ConvTranspose":
            continue
        strides = ints_attribute(node, "strides")
        if strides is None or not string_attribute(node, "auto_pad").startswith("SAME"):
            continue
        replaced.append((node, list(node.attributes.values())))
        for name in ("output_padding", "dilations"):
            node.attributes.pop(name, None)
        node.attributes.add(ir.AttrInt64s("kernel_shape", strides))
    try:
        yield
    finally:
        for node, attributes in replaced:
            node.attributes.clear()
            for attribute in attributes:
                node.attributes.add(attribute)


def _set_inputs(node: ir.Node, inputs: Sequence[ir.Value | None]) -> None:
    node.resize_inputs(len(inputs))
    for index, value in enumerate(inputs):
        node.replace_input_with(index, value)
