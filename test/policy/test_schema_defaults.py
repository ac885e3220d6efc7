"""Passes take the defaults of attributes from the schema: :mod:`onnx_tf.schema` reads them for all."""

from __future__ import annotations

import ast
from pathlib import Path

import onnx
import pytest

import onnx_tf
from onnx_tf.passes import microsoft_bodies

PACKAGE = Path(onnx_tf.__file__).parent
MODULES = [path for folder in ("passes", "layout") for path in sorted((PACKAGE / folder).glob("*.py"))]
WITHOUT_SCHEMA = {PACKAGE / "passes" / f"{name}_bodies.py" for name in ("aten", "experimental", "microsoft")}
"""They alone read attributes of operators that onnx has no schema of, and state their defaults."""


@pytest.mark.parametrize(
    "path", [p for p in MODULES if p not in WITHOUT_SCHEMA], ids=lambda p: f"{p.parent.name}/{p.name}"
)
def test_attributes_are_read_by_schema(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            reads = ast.unparse(node.func.value).endswith("attributes") and node.func.attr.startswith("get")
            assert not reads, f"line {node.lineno}: {ast.unparse(node)}: read it by onnx_tf.schema"


def test_operators_with_bodies_have_no_schema():
    assert not [name for name in microsoft_bodies.OPERATORS if onnx.defs.has(name, "com.microsoft")]
