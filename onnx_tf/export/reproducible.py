"""The same model gives the same bytes: what TensorFlow and Keras write of the moment is taken out."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
import zipfile
from pathlib import Path

from tensorflow.core.protobuf import fingerprint_pb2

__all__ = ["make_keras_file_reproducible", "make_saved_model_reproducible"]

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The first moment that a ZIP file can state."""

_METADATA = "metadata.json"


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
    """Take the moments out of a .keras file, those of its parts and the date in its metadata; make its text smaller."""
    copy = path.with_name(f"{path.name}.copy")
    try:
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(copy, "w") as target:
            for part in source.infolist():
                same = zipfile.ZipInfo(part.filename, EPOCH)
                same.external_attr = part.external_attr
                if part.filename.endswith(".json"):  # not the weights, which are read here and there
                    same.compress_type = zipfile.ZIP_DEFLATED
                if part.filename == _METADATA:
                    target.writestr(same, json.dumps(_without_date(json.loads(source.read(part)))))
                    continue
                with source.open(part) as reader, target.open(same, "w", force_zip64=True) as writer:
                    shutil.copyfileobj(reader, writer, 1 << 20)
        os.replace(copy, path)
    finally:
        copy.unlink(missing_ok=True)


def _without_date(metadata: dict[str, str]) -> dict[str, str]:
    year, month, day, hour, minute, second = EPOCH
    stated = f"{year}-{month:02}-{day:02}@{hour:02}:{minute:02}:{second:02}"
    return {key: stated if key == "date_saved" else value for key, value in metadata.items()}
