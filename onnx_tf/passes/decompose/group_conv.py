"""Conv of several groups as a Conv of each: exact; what has a group for each channel stays, as it has kernels."""

from __future__ import annotations

from onnx_tf.passes.body_writing import Body
from onnx_tf.schema import optional_int_attribute

__all__ = ["group_conv"]


def group_conv(body: Body) -> str | None:
    """Write one Conv for each group of channels, on its part of the input, the weights and the bias."""
    groups = optional_int_attribute(body.node, "group") or 1
    weights = body.dims(1)
    if groups == 1 or weights[1] == 1:
        return None
    filters, channels = weights[0], weights[1]
    if not isinstance(filters, int) or not isinstance(channels, int) or filters % groups:
        body.refuse("the shape of the weights is not known")
    parts = [_split(body, body.inputs[0], groups, channels, 1)]
    parts += [_split(body, name, groups, filters // groups, 0) for name in body.inputs[1:] if name]
    kept = {a.name: a.value for a in body.node.attributes.values() if a.name != "group"}
    return body.op("Concat", *(body.op("Conv", *own, **kept) for own in zip(*parts, strict=True)), axis=1)


def _split(body: Body, name: str, count: int, size: int, axis: int) -> list[str]:
    return body.ops("Split", count, name, body.integers([size] * count), axis=axis)
