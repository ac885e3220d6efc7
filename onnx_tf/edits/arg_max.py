"""ArgMax as users ask for it: of smaller images, or with indices of another dtype."""

from __future__ import annotations

import onnx_ir as ir

from onnx_tf.edits.kinds import infer_types
from onnx_tf.errors import EditError, option
from onnx_tf.origins import mark_origins, unique_names
from onnx_tf.passes.bodies import private_function, put_bodies
from onnx_tf.passes.body_writing import MIN_OPSET, Body
from onnx_tf.schema import int_attribute

__all__ = ["cast_arg_max", "fuse_arg_max"]

IMAGES = 4
"""The number of axes of a batch of images."""

_MOVING = frozenset({"Flatten", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"})
"""Operators whose results are elements of their first input."""


def fuse_arg_max(model: ir.Model, ratio: float) -> ir.Model:
    """Return the model with ArgMax over the channels of images computed of images that are ``ratio`` as high and wide.

    Images are made smaller by linear interpolation, indices larger again by that of the nearest pixel: at edges they
    are others than those of the images as they are, unless the ratio is 1.

    Raises:
        EditError: the opset is older than 13, or there is no such ArgMax.
    """
    if model.opset_imports.get("", 1) < MIN_OPSET:
        raise EditError(f"{option('argmax')} 'fused' needs opset {MIN_OPSET} or newer: convert the model to it")
    model = model.clone()
    infer_types(model)
    fused = {node for node in model.graph.all_nodes() if _channels(node) is not None}
    if not fused:
        raise EditError(f"{option('argmax')} 'fused' is for ArgMax over the channels of images: the model has none")
    opset = model.opset_imports[""]

    def body_of(node: ir.Node, serial: int) -> ir.Function | None:
        if node not in fused:
            return None
        body = Body(node, opset)
        return private_function(body.function(_fused(body, ratio)), {}, node, serial)

    put_bodies(model, body_of)
    unique_names(model)
    mark_origins(model)
    return model


def _channels(node: ir.Node) -> int | None:
    """Return which axis holds the channels of images of which a node finds the largest, ``None`` if none does."""
    value = node.inputs[0] if node.inputs else None
    if node.domain != "" or node.op_type != "ArgMax" or value is None or value.shape is None:
        return None
    axis = int_attribute(node, "axis") % max(value.shape.rank(), 1)
    return axis if value.shape.rank() == IMAGES and axis in (1, IMAGES - 1) else None


def _fused(body: Body, ratio: float) -> str:
    x, axis = body.inputs[0], _channels(body.node)
    scales = [ratio if place not in (0, axis) else 1.0 for place in range(IMAGES)]
    given = body.constant(scales, ir.DataType.FLOAT)
    small = body.op("Resize", x, "", given, mode="linear", coordinate_transformation_mode="half_pixel")
    kept = {a.name: a.value for a in body.node.attributes.values()}
    places = body.op("ArgMax", small, **{**kept, "keepdims": 1})
    sizes = [1 if place == axis else dim for place, dim in enumerate(body.dims(0))]
    large = body.op(
        "Resize",
        body.op("Cast", places, to=ir.DataType.FLOAT.value),
        "",
        "",
        body.vector(sizes),
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    result = body.op("Cast", large, to=ir.DataType.INT64.value)
    return (
        result if int_attribute(body.node, "keepdims") else body.op("Squeeze", result, body.integers([int(axis or 0)]))
    )


def cast_arg_max(model: ir.Model, dtype: str) -> ir.Model:
    """Return the model with outputs of another dtype where they are what ArgMax finds, also where that was moved.

    Raises:
        EditError: no output is that.
    """
    model = model.clone()
    graph = model.graph
    places = [i for i, value in enumerate(graph.outputs) if _is_place(value)]
    if not places:
        raise EditError(f"{option('argmax_dtype')} is for outputs that ArgMax gives: the model has none")
    for index in places:
        value = graph.outputs[index]
        name, version = str(value.name), max(graph.opset_imports.get("", 1), 6)
        attributes = {"to": ir.DataType[_NAMES[dtype]].value}
        cast = ir.node("Cast", [value], attributes, version=version, name=f"{name}_cast")
        result = cast.outputs[0]
        result.type, result.shape = ir.TensorType(ir.DataType[_NAMES[dtype]]), value.shape
        value.name, result.name = f"{name}_int64", name
        graph.append(cast)
        graph.outputs[index] = result
    unique_names(model)
    mark_origins(model)
    return model


_NAMES = {"float32": "FLOAT", "int32": "INT32", "int64": "INT64"}


def _is_place(value: ir.Value | None) -> bool:
    while value is not None and (node := value.producer()) is not None and node.domain == "":
        if node.op_type == "ArgMax":
            return True
        if node.op_type not in _MOVING:
            return False
        value = node.inputs[0]
    return False
