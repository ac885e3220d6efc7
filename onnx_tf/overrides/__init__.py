"""Overrides: what users change of single nodes, in a form of this package's own or in onnx2tf's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from onnx_tf.errors import EditError, option
from onnx_tf.overrides.entries import NodeOverride, Overrides, Replacement
from onnx_tf.overrides.files import read_overrides
from onnx_tf.overrides.parsing import parse

__all__ = ["NodeOverride", "Overrides", "Replacement", "overrides_of"]


def overrides_of(given: Any) -> Overrides | None:
    """Return overrides as users pass them: a path, what such a file holds, or :class:`Overrides`; ``None`` of none.

    Raises:
        FileError: the file cannot be read, or is no JSON or YAML.
        EditError: an entry is not of the form; the error lists all such entries.
    """
    if isinstance(given, (str, os.PathLike)):
        given = read_overrides(given)
    if given is None or isinstance(given, Overrides):
        return given or None
    if not isinstance(given, Mapping):
        raise EditError(f"{option('overrides')} must be a dict or the path of a file, not {given!r}")
    return parse(given) or None
