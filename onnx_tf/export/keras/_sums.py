"""Sums that broadcast as ONNX says.

On TensorFlow, ``keras.ops.add`` takes a second operand of which one axis alone is longer than 1 for a bias: it adds it
along the last axis, or along axis 1, of the first operand wherever the size fits, whatever axis it is the size of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from onnx_tf.export.keras._place import is_constant

__all__ = ["added"]


def added(a: Any, b: Any) -> Any:
    """Return the sum of two tensors or numbers."""
    if _is_right(a, b):
        return ops.add(a, b)
    if _is_right(b, a):
        return ops.add(b, a)
    return ops.subtract(a, -b if is_constant(b) else ops.negative(b))


def _is_right(a: Any, b: Any) -> bool:
    """Tell whether Keras adds the second operand where it belongs, for every size of what is open."""
    first: Sequence[int | None] = getattr(a, "shape", ())
    second: Sequence[int | None] = getattr(b, "shape", ())
    if len(first) < 2 or all(n == 1 for n in second):
        return True
    if None not in first and tuple(first) == tuple(second):
        return True
    if sum(n is not None and n > 1 for n in second) > 1:
        return True
    return all(n is not None and n > 1 for n in (first[-1], second[-1]))
