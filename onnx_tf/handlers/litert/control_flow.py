"""Loop and Scan over buffers."""

from __future__ import annotations

from onnx_tf.handlers.control_flow import register_loops
from onnx_tf.handlers.litert._buffers import BUFFERS

register_loops(BUFFERS, target="litert")
