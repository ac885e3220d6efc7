"""Entries of onnx2tf's parameter replacement for whole operations: new shapes, and what TensorFlow's functions take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx_ir as ir

from onnx_tf.edits.channels_last import in_onnx_order
from onnx_tf.edits.misfit import Misfit
from onnx_tf.overrides import NodeOverride, Replacement

__all__ = ["of_operation"]

_INT64_MAX = (1 << 63) - 1


def of_operation(node: ir.Node, entry: Replacement) -> NodeOverride:
    """Return what an entry for a whole operation says of the node.

    Raises:
        Misfit: it cannot be said of the ONNX node, or sizes are missing.
    """
    settings = entry.settings
    if set(settings) == {"new_shape"}:
        shape = settings["new_shape"]
        if not isinstance(shape, list):
            raise Misfit(f"new_shape: a list is expected, not {shape!r}")
        return NodeOverride(entry.node, inputs={"shape": in_onnx_order(shape)}, replace_by="Reshape", place=entry.place)
    if node.op_type == "Slice" and (node.version or 1) >= 10:
        return NodeOverride(entry.node, inputs=_slice(settings), place=entry.place)
    if node.op_type == "ConvTranspose":
        return NodeOverride(entry.node, attributes=_transposed_convolution(node, settings), place=entry.place)
    raise Misfit(
        f"{', '.join(settings)} for a {node.op_type} cannot be said in ONNX's terms: state the node's attributes and "
        "inputs in the form of doc/overrides.md"
    )


def _slice(settings: Mapping[str, Any]) -> dict[str, Any]:
    known = {"begin", "end", "strides", "begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"}
    others = set(settings) - known | {
        key for key in ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask") if settings.get(key)
    }
    if others or "begin" not in settings or "end" not in settings:
        raise Misfit(f"a Slice takes begin, end, strides, begin_mask and end_mask, and not {', '.join(sorted(others))}")
    begin, end = list(settings["begin"]), list(settings["end"])
    steps = list(settings.get("strides") or [1] * len(begin))
    if not len(begin) == len(end) == len(steps):
        raise Misfit("begin, end and strides are not of one length")
    for axis, step in enumerate(steps):
        if settings.get("begin_mask", 0) >> axis & 1:
            begin[axis] = 0 if step > 0 else _INT64_MAX
        if settings.get("end_mask", 0) >> axis & 1:
            end[axis] = _INT64_MAX if step > 0 else -_INT64_MAX
    axes = list(range(len(begin)))
    return {"starts": in_onnx_order(begin), "ends": in_onnx_order(end), "axes": axes, "steps": in_onnx_order(steps)}


def _transposed_convolution(node: ir.Node, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a ConvTranspose that computes what tf.nn.conv_transpose does."""
    known = {"output_shape", "strides", "padding", "dilations"}
    padding = settings.get("padding", "SAME")
    if set(settings) - known or not {"output_shape", "strides"} <= set(settings) or padding not in ("SAME", "VALID"):
        raise Misfit(f"a ConvTranspose takes {', '.join(sorted(known))}; the padding is SAME or VALID")
    sizes, windows = (_spatial(node, index) for index in (0, 1))
    count = len(sizes)
    strides, dilations, outputs = (
        _of_axes(settings.get(key, 1), count, key) for key in ("strides", "dilations", "output_shape")
    )
    begins, ends, more = [], [], []
    for size, window, stride, dilation, output in zip(sizes, windows, strides, dilations, outputs, strict=True):
        surplus = (size - 1) * stride + (window - 1) * dilation + 1 - output
        if (padding == "VALID" and surplus > 0) or surplus <= -stride:
            raise Misfit(f"output_shape: {size} elements make no {output} with the stride {stride} and {padding}")
        begins.append(max(surplus, 0) // 2)
        ends.append(max(surplus, 0) - begins[-1])
        more.append(max(-surplus, 0))
    pads = {"pads": begins + ends, "output_padding": more, "output_shape": None, "auto_pad": None}
    return {"strides": strides, "dilations": dilations, **pads}


def _spatial(node: ir.Node, index: int) -> list[int]:
    value = node.inputs[index] if index < len(node.inputs) else None
    dims = [] if value is None or value.shape is None else list(value.shape)[2:]
    known = [dim for dim in dims if isinstance(dim, int)]
    if not dims or len(known) < len(dims):
        raise Misfit("the sizes of the input are not known: fix them first, or state the attributes")
    return known


def _of_axes(given: Any, count: int, key: str) -> list[int]:
    """Return a number for each spatial axis, of which there may be one, those of all axes, or one for all."""
    numbers = [given] * count if isinstance(given, int) else list(given)
    numbers = numbers[1:-1] if len(numbers) == count + 2 else numbers
    if len(numbers) != count:
        raise Misfit(f"{key}: {given!r} does not say {count} numbers")
    return numbers
