"""The layout pass: choose the memory order of every operation so that the fewest bytes are transposed.

Facts (:mod:`facts`: which axis is what), constraints (:mod:`rules`, :mod:`constraints`: what each
operator needs), choice (:mod:`network`: one minimum cut) and mechanics (:mod:`rewrite`) are apart.
Nothing here knows TensorFlow, and nothing is guessed from equal dimensions.
"""

from __future__ import annotations

from onnx_tf.layout.optimize import Choice, optimize_layout
from onnx_tf.layout.report import LayoutReport, NodeLayout, RemainingTranspose, ValueLayout

__all__ = ["Choice", "LayoutReport", "NodeLayout", "RemainingTranspose", "ValueLayout", "optimize_layout"]
