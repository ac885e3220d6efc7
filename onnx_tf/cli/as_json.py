"""What ``--json`` prints: JSON that every reader takes, whatever the numbers are."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from onnx_tf.value_types import ValueType


def text(value: Any) -> str:
    """Return JSON of plain values; NaN and infinities are ``"NaN"``, ``"Infinity"``, ``"-Infinity"``."""
    return json.dumps(plain(value), indent=2, allow_nan=False)


def plain(value: Any) -> Any:
    """Return a value of dicts, lists, strings, finite numbers, bools and ``None`` alone.

    Complex numbers become ``[real, imaginary]``, bytes text.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, complex):
        return [plain(value.real), plain(value.imag)]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _NOT_FINITE[str(float(value))]
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return str(value)


_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def value_text(value: Mapping[str, Any]) -> str:
    """Return name, dtype and shape as people read them, from the JSON of an input or output."""
    shape = None if value["shape"] is None else tuple(value["shape"])
    return f"{value['name']}: {ValueType(value['dtype'], shape, tuple(value.get('kind', '').split()))}"


def result(value: Any) -> Any:
    """Return dtype, shape and values of an array that ``run`` gave; the items of sequences and maps."""
    if isinstance(value, (list, tuple)):
        return [result(item) for item in value]
    if not hasattr(value, "tolist"):
        return value
    return {"dtype": dtype_of(value), "shape": list(value.shape), "values": value.tolist()}


def result_type(value: Any) -> str:
    """Return dtype and shape of what ``run`` gave, as people read them."""
    if isinstance(value, (list, tuple)):
        return f"sequence of {len(value)}"
    if value is None:
        return "nothing"
    return f"{dtype_of(value)}{list(value.shape)}" if hasattr(value, "shape") else f"map of {len(value)}"


def dtype_of(array: Any) -> str:
    """Return the dtype of an array in the words of ONNX values: strings are no objects."""
    return "string" if array.dtype.kind in "OUS" else str(array.dtype.name)
