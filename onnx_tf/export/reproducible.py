"""The same model gives the same bytes: what TensorFlow and Keras write of the moment is taken out."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tensorflow.core.protobuf import fingerprint_pb2

from onnx_tf.export.hdf5 import write_compact_copy
from onnx_tf.export.replacing import beside, removed

__all__ = ["make_keras_file_reproducible", "make_saved_model_reproducible"]

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The first moment that a ZIP file can state."""

_METADATA = "metadata.json"

_WEIGHTS = "model.weights.h5"


def make_saved_model_reproducible(folder: Path) -> None:
    """Give a SavedModel's fingerprint an identity that comes from its content; TensorFlow draws a random one."""
    file = folder / "fingerprint.pb"
    if not file.exists():
        return
    fingerprint = fingerprint_pb2.FingerprintDef.FromString(file.read_bytes())
    if "uuid" not in fingerprint.DESCRIPTOR.fields_by_name:  # before TensorFlow 2.19
        return
    fingerprint.uuid = ""
    content = fingerprint.SerializeToString(deterministic=True)
    fingerprint.uuid = str(uuid.UUID(bytes=hashlib.sha256(content).digest()[:16], version=4))
    file.write_bytes(fingerprint.SerializeToString(deterministic=True))


def make_keras_file_reproducible(path: Path) -> None:
    """Take the moments out of a .keras file, of its parts and in its metadata, and make its parts smaller."""
    folder = beside(path.with_name("keras"))
    try:
        folder.mkdir()
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(folder / "copy", "w") as target:
            for part in source.infolist():
                same = zipfile.ZipInfo(part.filename, EPOCH)
                same.external_attr = part.external_attr
                if part.filename.endswith(".json"):  # not the weights, which are read here and there
                    same.compress_type = zipfile.ZIP_DEFLATED
                with _renewed(source, part, folder) as reader, target.open(same, "w", force_zip64=True) as writer:
                    shutil.copyfileobj(reader, writer, 1 << 20)
        os.replace(folder / "copy", path)
    finally:
        removed(folder)


@contextlib.contextmanager
def _renewed(source: zipfile.ZipFile, part: zipfile.ZipInfo, folder: Path) -> Iterator[IO[bytes]]:
    if part.filename == _METADATA:
        yield io.BytesIO(json.dumps(_without_date(json.loads(source.read(part)))).encode())
        return
    with source.open(part) as reader:
        if part.filename != _WEIGHTS:
            yield reader
            return
        with (folder / "plain").open("wb") as writer:
            shutil.copyfileobj(reader, writer, 1 << 20)
    write_compact_copy(folder / "plain", folder / "compact")
    with (folder / "compact").open("rb") as rewritten:
        yield rewritten


def _without_date(metadata: dict[str, str]) -> dict[str, str]:
    year, month, day, hour, minute, second = EPOCH
    stated = f"{year}-{month:02}-{day:02}@{hour:02}:{minute:02}:{second:02}"
    return {key: stated if key == "date_saved" else value for key, value in metadata.items()}
