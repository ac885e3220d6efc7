"""What a file that is no ONNX model is, told by its first bytes, and what to do then."""

from __future__ import annotations

import re
from pathlib import Path

from onnx_tf.telling import listed

__all__ = ["HEAD_BYTES", "foreign_folder", "foreign_kind"]

HEAD_BYTES = 512

_ANY_LENGTH = rb"[\x80-\xff]{0,4}[\x00-\x7f]"
"""A length as protocol buffers write it."""

_KINDS: tuple[tuple[bytes, str], ...] = (
    (rb"\Z", "empty; export or download the model again"),
    (rb"version https://git-lfs", "a Git LFS pointer, not the model; run `git lfs pull`"),
    (rb".{2}\0\0ORTM", "ONNX Runtime's own format (.ort); pass the .onnx file it was made from"),
    (rb".{2}\0\0TFL3", "a LiteRT model (.tflite), TensorFlow runs it as it is; pass an ONNX model"),
    (rb"\x89HDF\r\n\x1a\n", "an HDF5 file (.h5), perhaps of Keras; load it with keras.models.load_model"),
    (rb"\x93NUMPY", "an array (.npy); pass it with --input, and the .onnx file as the model"),
    (rb".{4}\0{4}\s*\{", "weights without a network (.safetensors); export the model they belong to, to ONNX"),
    (rb"GGUF", "a GGUF model of llama.cpp; export the original model to ONNX"),
    (rb"\x80[\x02-\x05]", "a Python pickle, as of PyTorch or scikit-learn; export it with torch.onnx or skl2onnx"),
    (rb"PK\x03\x04.{22}.{4}[^\0]*data\.pkl", "a PyTorch file (.pt, .pth); export the model with torch.onnx.export"),
    (rb"PK\x03\x04.{26}(?:metadata|config)\.json", "a Keras file (.keras); load it with keras.models.load_model"),
    (
        rb"PK\x03\x04.{26}[^\0]*\.npy",
        "arrays (.npz); pass them with --input, and the .onnx file as the model",
    ),
    (rb"PK(?:\x03\x04|\x05\x06)", "a zip archive; unpack it and pass the .onnx file in it, or export a .pt to ONNX"),
    (rb"\x1f\x8b", "compressed (.gz); unpack it with gzip -d or tar -xzf"),
    (rb"BZh[1-9]", "compressed (.bz2); unpack it with bzip2 -d or tar -xjf"),
    (rb"\xfd7zXZ\0", "compressed (.xz); unpack it with xz -d or tar -xJf"),
    (rb"\x28\xb5\x2f\xfd", "compressed (.zst); unpack it with zstd -d"),
    (rb"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it and pass the .onnx file in it"),
    (rb"Rar!", "a rar archive; unpack it and pass the .onnx file in it"),
    (rb".{257}ustar", "a tar archive; unpack it with tar -xf and pass the .onnx file in it"),
    (
        rb"(?:\xef\xbb\xbf)?\s*<(?i:!doctype|html|head|!--)",
        "a web page; download the file itself, by its raw link",
    ),
    (rb"(?:\xef\xbb\xbf)?\s*<\?xml|\s*<net", "XML, perhaps of OpenVINO; pass the .onnx file it was made from"),
    (rb"\s*<\s*ir_version", "ONNX as text; load it with onnx.load and save it as .onnx"),
    (rb"\s*(?:#[^\n]*\n\s*)*ir_version\s*:", "ONNX as text; load it with onnx.load and save it as .onnx"),
    (rb"\s*\{", "JSON; pass the .onnx file"),
    (rb"\x89PNG|\xff\xd8\xff|%PDF", "a picture or document; pass the .onnx file"),
    (rb"\x08\x01\x12" + _ANY_LENGTH + rb"\x0a", "a SavedModel (.pb), TensorFlow runs it as it is; pass an ONNX model"),
    (rb"\x08[\x02-\x0f]\x12" + _ANY_LENGTH + rb"\x0a", "a Core ML model (.mlmodel); export the original to ONNX"),
    (rb"\x0a" + _ANY_LENGTH + rb"\x08\0", "a PaddlePaddle model (.pdmodel); export it with paddle2onnx"),
    (rb"\x0a" + _ANY_LENGTH + rb"\x0a", "a TensorFlow graph (.pb), TensorFlow runs it as it is; pass an ONNX model"),
)
"""Patterns of first bytes, the narrower ones first. No ONNX model begins so: none has a field 1 with a length,
nor a producer's name that begins with a line feed."""


def foreign_kind(head: bytes) -> str | None:
    """Return what a file is and what to do with it, from its first bytes; None if it may be an ONNX model.

    Args:
        head: the first ``HEAD_BYTES`` of the file, or all of a shorter one.
    """
    for pattern, kind in _KINDS:
        if re.match(pattern, head, re.DOTALL):
            return kind if kind.startswith(("empty", "a Git LFS")) else f"not an ONNX model but {kind}"
    return None


def foreign_folder(path: Path) -> str:
    """Return how a message about a folder goes on that was given instead of a model."""
    if (path / "saved_model.pb").exists() or (path / "saved_model.pbtxt").exists():
        return " with a SavedModel, TensorFlow runs it as it is: pass an ONNX model"
    if (path / "Manifest.json").exists():
        return " with a Core ML model (.mlpackage): export the original model to ONNX"
    models = sorted(file.name for file in path.glob("*.onnx"))
    return f": pass the .onnx file in it{f', as {listed(models)}' if models else ''}"
