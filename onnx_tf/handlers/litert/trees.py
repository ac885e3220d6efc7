"""Tree ensembles: LiteRT has no operator for single bits."""

from __future__ import annotations

from onnx_tf.handlers.ml._forest import by_single_tables
from onnx_tf.handlers.ml.trees import register_trees

register_trees(by_single_tables, target="litert")
