"""Put Barriers between operations whose constants TensorFlow would merge into one that gives other numbers.

It makes ``x + (a - a)`` of ``(x + a) - a``, which rounds ``x``, ``x - 1e8`` of ``(x - 1e8) + 0.25``, and ``x * inf`` of
``(x * 1e30) * 1e30``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from onnx_tf.passes.keep_apart import insert_barrier
from onnx_tf.registry import BARRIER_DOMAIN

__all__ = ["Merged", "cancels", "keep_roundings"]

CANCELLED = 1 / 8
"""A sum of constants that is less than this share of the largest of them is none that x may be added to at once."""

LOST = 1 / 1024
"""A sum of constants whose rounding is more than this share of the smallest of them has lost that one."""

Merged = tuple[np.ndarray, np.ndarray, np.ndarray]
"""The constant that a chain of operations would become, and of those that it is made of the largest and the smallest
magnitude, or, of products, the exponents of either sign."""


def keep_roundings(model: ir.Model) -> bool:
    """Insert Barriers into chains of sums, and of products, with constants; return whether there were any.

    Runs last, as :func:`~onnx_tf.passes.keep_apart.keep_apart` does. Only floats are looked at: integers are exact.
    """
    changed = False
    for graph in model.graphs():
        merged: dict[ir.Value, tuple[str, Merged]] = {}
        for node in list(graph):
            changed |= _separate(node, merged)
    if changed:
        model.opset_imports[BARRIER_DOMAIN] = 1
    return changed


_FAMILIES = {"Add": "sum", "Sub": "sum", "Mul": "product", "Div": "product"}
_COMBINE: dict[tuple[str, bool], Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    ("Add", True): lambda inner, own: inner + own,
    ("Add", False): lambda inner, own: own + inner,
    ("Sub", True): lambda inner, own: inner - own,
    ("Sub", False): lambda inner, own: own - inner,
    ("Mul", True): lambda inner, own: inner * own,
    ("Mul", False): lambda inner, own: own * inner,
    ("Div", True): lambda inner, own: inner / own,
    ("Div", False): lambda inner, own: own / inner,
}
"""What the constant of a chain becomes with one more, by operator and whether the chain is its first operand."""


def _separate(node: ir.Node, merged: dict[ir.Value, tuple[str, Merged]]) -> bool:
    family = _FAMILIES.get(node.op_type) if node.domain == "" else None
    if family is None or len(node.inputs) != 2:
        return False
    arrays = [_constant(value) for value in node.inputs]
    if (arrays[0] is None) == (arrays[1] is None):
        return False
    is_first = arrays[0] is None
    value, own = (node.inputs[0], arrays[1]) if is_first else (node.inputs[1], arrays[0])
    assert value is not None and own is not None  # noqa: PT018
    combine = _COMBINE[node.op_type, is_first]
    neutral = np.array(0.0 if family == "sum" else 1.0)
    begun = merged.get(value)
    with np.errstate(all="ignore"):
        size = np.abs(own) if family == "sum" else np.abs(np.log2(np.abs(own)))
        alone = (combine(neutral, own), size, size)
        if begun is None or begun[0] != family:
            merged[node.outputs[0]] = family, alone
            return False
        total, largest, smallest = begun[1]
        both = (combine(total, own), np.maximum(largest, size), np.minimum(smallest, size))
        is_harmful = cancels(both, value.dtype) if family == "sum" else _leaves_range(both, value.dtype)
    merged[node.outputs[0]] = family, alone if is_harmful else both
    if is_harmful:
        insert_barrier(value)
    return bool(is_harmful)


def _constant(value: ir.Value | None) -> np.ndarray | None:
    if value is None or not value.is_initializer() or value.is_graph_input() or value.const_value is None:
        return None
    dtype = value.const_value.dtype
    return value.const_value.numpy().astype(np.float64) if dtype.is_floating_point() else None


def cancels(merged: Merged, dtype: ir.DataType | None) -> bool:
    """Return whether a sum is far smaller than what it is made of, or too large to hold the smallest of that."""
    total, largest, smallest = merged
    rounded = total.astype((dtype or ir.DataType.FLOAT).numpy()).astype(np.float64)
    return bool(np.any((np.abs(total) < CANCELLED * largest) | (np.abs(rounded - total) > LOST * smallest)))


def _leaves_range(merged: Merged, dtype: ir.DataType | None) -> bool:
    """Return whether a product overflows or vanishes, or hides that what is computed on the way to it does."""
    product, exponent, _ = merged
    limits = ir.DataType.FLOAT if dtype is None else dtype
    info = np.finfo(limits.numpy()) if limits.numpy().isbuiltin == 1 else np.finfo(np.float32)
    size = np.abs(product)
    is_out = (size > info.max) | ((size < info.tiny) & (size > 0)) | np.isnan(size)
    return bool(np.any(is_out)) or bool(np.any(np.isfinite(exponent) & (exponent > info.maxexp / 2)))
