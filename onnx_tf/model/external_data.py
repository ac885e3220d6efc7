"""Weights in files beside a model: what is read, and what is not."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx_ir as ir

from onnx_tf.errors import FileError, ModelError

__all__ = ["check_entries", "check_external_tensor"]


def check_entries(what: str, tensor: onnx.TensorProto) -> None:
    """Check what a tensor states of the file that it lies in.

    Args:
        what: what the message calls the tensor.
        tensor: the tensor.

    Raises:
        ModelError: the file has no name, a number is none, something is stated twice, or the tensor holds strings.
    """
    entries = {entry.key: entry.value for entry in tensor.external_data}
    wrong = [
        f"{k}={v!r}" for k, v in entries.items() if k in ("offset", "length") and not (v.isascii() and v.isdigit())
    ]
    location = entries.get("location", "")
    if len(entries) < len(tensor.external_data):
        wrong.append("an entry that is stated twice")
    if not location or "\0" in location:
        wrong.append(f"location={location!r}")
    if tensor.data_type == onnx.TensorProto.STRING:
        wrong.append("strings, which have no bytes of their own")
    if wrong:
        raise ModelError(
            f"{what} lies in another file, but its entry holds {', '.join(wrong)}: a location, and an offset and a "
            "length in bytes were expected; export the model again"
        )


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
    needed = (tensor.offset or 0) + max(tensor.nbytes, tensor.length or 0)
    if tensor.length is not None and tensor.length < tensor.nbytes:
        raise ModelError(f"tensor {name!r} needs {tensor.nbytes} bytes, its entry says {tensor.length}; export again")
    if path.stat().st_size < needed:
        raise FileError(
            f"tensor {name!r} needs {needed} bytes of {path}, which has {path.stat().st_size}: "
            "the file is cut short; copy or download it again"
        )
