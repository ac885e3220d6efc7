"""What may import what, and what no module of the package may do."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import onnx_tf

PACKAGE = Path(onnx_tf.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

BINDS_AND_RUNS = ("onnx_tf.binding", "onnx_tf.pipeline", "onnx_tf.runtime")

FORBIDDEN = {
    "passes": ("tensorflow", "onnx_tf.handlers", "onnx_tf.values", *BINDS_AND_RUNS),
    "layout": ("tensorflow", "onnx_tf.handlers", "onnx_tf.values", *BINDS_AND_RUNS),
    "handlers": ("onnx_tf.loading", "onnx_tf.passes", "onnx_tf.layout", "onnx_tf.backend", *BINDS_AND_RUNS),
}
"""What the modules of a folder never import."""

SETS_UP_A_PROCESS = {"cli/console.py"}
"""Modules that belong to a program of their own, not to the library, and may set its environment."""


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_name(path)}: relative import"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_dependencies(path):
    forbidden = FORBIDDEN.get(path.relative_to(PACKAGE).parts[0], ())
    for name in _imports(path):
        for prefix in forbidden:
            assert not f"{name}.".startswith(f"{prefix}."), f"imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_no_global_state(path):
    for node in ast.walk(_tree(path)):
        assert not isinstance(node, ast.Global), f"line {node.lineno}: a global statement"
        if isinstance(node, ast.Attribute) and _name(path) not in SETS_UP_A_PROCESS:
            used = ast.unparse(node)
            assert used not in ("os.environ", "os.getenv", "os.putenv"), f"line {node.lineno}: {used}"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_sizes(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_FILE_LINES, f"{lines} lines: split the file"
    for node in ast.walk(_tree(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            code = node.body[1:] if ast.get_docstring(node) else node.body
            length = (node.end_lineno or 0) - code[0].lineno + 1 if code else 0
            assert length <= MAX_FUNCTION_LINES, f"the body of {node.name} has {length} lines: split it"
