"""What a variable begins with, in memory of its own: an array is copied once."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

__all__ = ["initial_value"]

ALIGNMENT = 64
"""TensorFlow copies arrays that lie otherwise."""

MIN_BYTES = 1 << 20
"""Smaller arrays may be copied more often."""


def initial_value(array: np.ndarray) -> Any:
    """Return an array as what a ``tf.Variable`` is made of: a tensor that shares no memory with it if it is large.

    ``tf.Variable`` itself makes three copies of an array that live at the same time.
    """
    if array.nbytes < MIN_BYTES or not tf.executing_eagerly():
        return array
    buffer = np.empty(array.nbytes + ALIGNMENT, np.uint8)
    start = -buffer.ctypes.data % ALIGNMENT
    own = buffer[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    own[...] = array
    return tf.raw_ops.Identity(input=own)  # an operation takes an array as it lies, a constant copies it
