"""Weights in files beside a model: what is read, and what is not."""

from __future__ import annotations

from pathlib import Path

import onnx_ir as ir

from onnx_tf.errors import FileError, ModelError

__all__ = ["check_external_tensor"]


def check_external_tensor(name: str, tensor: ir.ExternalTensor) -> None:
    """Check that a tensor's file lies in the model's folder, is there and is long enough.

    Raises:
        ModelError: it is not; the message names the tensor and the file. A :class:`~onnx_tf.errors.FileError` where
            the file is missing or cut short.
    """
    if not str(tensor.base_dir):
        raise ModelError(
            f"tensor {name!r} lies in the external file {str(tensor.location)!r}, but the model came without "
            "a folder: pass the model's path, or load it with onnx.load (which reads external data)"
        )
    folder = Path(tensor.base_dir).resolve()
    path = (folder / tensor.location).resolve()
    if not path.is_relative_to(folder):
        raise ModelError(
            f"tensor {name!r} points to {str(tensor.location)!r}, outside the model's folder {folder}: "
            "external data is read only from beside the model"
        )
    if not path.is_file():
        raise FileError(f"tensor {name!r} lies in {path}, which does not exist: put the file beside the model")
    needed = (tensor.offset or 0) + tensor.nbytes
    if tensor.length is not None and tensor.length < tensor.nbytes:
        raise ModelError(f"tensor {name!r} needs {tensor.nbytes} bytes, its entry says {tensor.length}; export again")
    if path.stat().st_size < needed:
        raise FileError(
            f"tensor {name!r} needs {needed} bytes of {path}, which has {path.stat().st_size}: "
            "the file is cut short; copy or download it again"
        )
