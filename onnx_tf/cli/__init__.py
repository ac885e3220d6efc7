"""The command line ``onnx-tf``."""

from onnx_tf.cli.main import main

__all__ = ["main"]
