"""Read a file of overrides: JSON, or YAML where PyYAML is installed."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnx_tf.errors import FileError

__all__ = ["read_overrides"]

YAML = (".yaml", ".yml")


def read_overrides(path: str | os.PathLike[str]) -> Mapping[str, Any]:
    """Return what a file holds.

    Args:
        path: a file whose name ends in ``.yaml`` or ``.yml``; any other is read as JSON.

    Raises:
        FileError: it cannot be read, is neither, or holds no mapping; or it is YAML and PyYAML is not installed.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise FileError(f"the overrides {file} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise FileError(f"the overrides {file} are no text in UTF-8: {error.reason} at byte {error.start}") from error
    content = _yaml(file, text) if file.suffix.lower() in YAML else _json(file, text)
    if not isinstance(content, Mapping):
        raise FileError(f"the overrides {file} hold {type(content).__name__}: a mapping is expected, as in {EXAMPLE}")
    return content


EXAMPLE = '{"nodes": [{"node": "NAME", "attributes": {"axis": 1}}]}'


def _json(file: Path, text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise FileError(f"the overrides {file} are no JSON: {error}; name a YAML file NAME.yaml") from error
    except ValueError as error:
        raise FileError(f"the overrides {file}: {error}") from error
    except RecursionError as error:
        raise FileError(f"the overrides {file} are nested too deep") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} stands twice in one mapping")
    return found


def _yaml(file: Path, text: str) -> Any:
    try:
        yaml = importlib.import_module("yaml")
    except ImportError as error:
        raise FileError(
            f"the overrides {file} are YAML, and PyYAML is not installed: pip install 'onnx-tf[yaml]', or write JSON"
        ) from error
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise FileError(f"the overrides {file} are no YAML: {error}") from error
