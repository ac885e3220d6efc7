"""What a file that was written says of the model that it came from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

import onnx
import onnx_ir as ir
from google.protobuf.message import EncodeError

from onnx_tf.model.loading import ModelSource

__all__ = ["source_digest"]


def source_digest(model: ModelSource) -> dict[str, str]:
    """Return the SHA-256 of a model's file, without its external data; nothing of one in memory that no file holds."""
    if isinstance(model, (str, os.PathLike)):
        with open(model, "rb") as file:
            return _sha256(iter(lambda: file.read(1 << 20), b""))
    if isinstance(model, (bytes, bytearray, memoryview)):
        return _sha256([bytes(model)])
    try:
        proto = model if isinstance(model, onnx.ModelProto) else ir.to_proto(model)
        return _sha256([proto.SerializeToString(deterministic=True)])
    except (EncodeError, ValueError):  # of more than 2 GB
        return {}


def _sha256(pieces: Iterable[bytes]) -> dict[str, str]:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return {"source_sha256": digest.hexdigest()}
