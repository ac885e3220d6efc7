"""Write the table of handlers: ``python -m test.handler_table``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import onnx_tf.handlers  # noqa: F401  (fills the registry)
from onnx_tf.handler_table import HANDLER_TABLE, rows
from onnx_tf.registry import registry


def text(table: Iterable[dict[str, Any]]) -> str:
    """Return the file's content, a line for each handler."""
    return "[\n" + ",\n".join(json.dumps(row) for row in table) + "\n]\n"


if __name__ == "__main__":
    HANDLER_TABLE.write_text(text(rows(registry)), encoding="utf-8")
