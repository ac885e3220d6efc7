"""What a rep is made of again in another process, and what it is not to be used in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir

from onnx_tf.errors import RunError
from onnx_tf.model.loading import ModelSource

__all__ = ["check_process", "portable"]


def portable(source: ModelSource) -> Any:
    """Return a model in a form that can be pickled, and that needs no file but those of external data."""
    if isinstance(source, ir.Model):
        source = ir.to_proto(source)
    if isinstance(source, onnx.ModelProto):
        return source.SerializeToString()
    if not isinstance(source, (str, os.PathLike)):
        return bytes(source)
    path = Path(source).absolute()
    model = ir.load(path)
    tensors = [value.const_value for graph in model.graphs() for value in graph.initializers.values()]
    attributes = (attribute.value for node in model.graph.all_nodes() for attribute in node.attributes.values())
    if any(isinstance(tensor, ir.ExternalTensor) for tensor in (*tensors, *attributes)):
        return os.fspath(path)
    return path.read_bytes()


def check_process(made_in: int) -> None:
    """Refuse to run in a process that was forked after TensorFlow had begun there: its threads are missing.

    Raises:
        RunError: this is not the process of that number.
    """
    if os.getpid() != made_in:
        raise RunError(
            f"this model was prepared in process {made_in}, of which this one was forked: TensorFlow's threads are "
            "not here, and it would wait for them for ever. Start processes with the method 'spawn', or prepare the "
            "model in each of them"
        )
