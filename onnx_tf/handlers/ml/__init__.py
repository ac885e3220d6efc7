"""Operators of the ai.onnx.ml domain, by family."""

from onnx_tf.handlers.ml import encoding, features, linear, maps, svm, trees

__all__ = ["encoding", "features", "linear", "maps", "svm", "trees"]
