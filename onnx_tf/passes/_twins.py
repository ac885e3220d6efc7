"""Stand-ins under which ONNX's shape inference finds what it would not find, or get wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import onnx_ir as ir

from onnx_tf.schema import ints_attribute, optional_int_attribute, string_attribute

__all__ = ["maps_hidden", "same_padding_understood", "twins_in_place"]

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


@contextlib.contextmanager
def maps_hidden(model: ir.Model) -> Iterator[None]:
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
def twins_in_place(model: ir.Model) -> Iterator[None]:
    """Replace operators for which ONNX infers nothing by one whose result has the same dtype and shape."""
    replaced: list[tuple[ir.Node, str, str, Sequence[ir.Value | None]]] = []
    for node in model.graph.all_nodes():
        twin = _TWINS.get((node.domain, node.op_type))
        if twin is None or optional_int_attribute(node, "channels_last"):
            continue
        if not isinstance(twin[1], slice) and len(node.inputs) <= max(twin[1]):
            continue  # it lacks inputs, which is said where it is computed
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
def same_padding_understood(model: ir.Model) -> Iterator[None]:
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
