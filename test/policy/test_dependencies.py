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
    "handlers": ("onnx_tf.model", "onnx_tf.passes", "onnx_tf.layout", "onnx_tf.backend", *BINDS_AND_RUNS),
}
"""What the modules of a folder never import."""

SETS_UP_A_PROCESS = {"cli/console.py", "supervision/child.py"}
"""Modules that belong to a program of their own, not to the library, and may set its environment."""


FREE_OF_TENSORFLOW = ("onnx_tf.passes", "onnx_tf.layout")
"""Packages that TensorFlow is never imported for, not by what they import either."""


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _module(path: Path) -> str:
    return ".".join(("onnx_tf", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


def _imports(path: Path, *, for_types: bool = True) -> Iterator[str]:
    """Return what a module imports, at its top, within functions, and if asked for annotations alone."""
    tree = _tree(path)
    types = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    left_out = set() if for_types else {inner for node in types for part in node.body for inner in ast.walk(part)}
    for node in ast.walk(tree):
        if node in left_out:
            continue
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


def _graph(*, for_types: bool) -> dict[str, set[str]]:
    """Return for each module of the package the modules of it that it imports."""
    names = {_module(path) for path in MODULES}
    graph = {}
    for path in MODULES:
        found = {name for name in _imports(path, for_types=for_types) if name in names}
        # Of `from package import module` the module is what is meant.
        graph[_module(path)] = {n for n in found if not any(other.startswith(f"{n}.") for other in found)}
    return graph


def _reached(start: str, graph: dict[str, set[str]]) -> dict[str, str | None]:
    """Return the modules that are reached from one by imports, each with the one that imports it."""
    reached: dict[str, str | None] = {start: None}
    waiting = [start]
    while waiting:
        module = waiting.pop()
        for name in graph[module] - reached.keys():
            reached[name] = module
            waiting.append(name)
    return reached


def test_no_module_imports_itself_through_others():
    graph = _graph(for_types=True)
    reached = {module: _reached(module, graph) for module in graph}
    circles = {frozenset(n for n in reached[module] if module in reached[n]) for module in graph}
    found = [set(circle) for circle in circles if len(circle) > 1]
    assert found == []


@pytest.mark.parametrize("module", [m for m in map(_module, MODULES) if f"{m}.".startswith(FREE_OF_TENSORFLOW)])
def test_free_of_tensorflow(module):
    graph = _graph(for_types=False)
    paths = {_module(path): path for path in MODULES}
    # What a package gives out it imports: with a module come the packages around it, but for the outermost, which
    # imports TensorFlow only for a name that is asked of it.
    for name in list(graph):
        outer = name.rpartition(".")[0]
        graph[name] |= {outer} - {"", "onnx_tf"}
    reached = _reached(module, graph)
    for name in reached.keys() - {"onnx_tf"}:
        if any(f"{n}.".startswith("tensorflow.") for n in _imports(paths[name], for_types=False)):
            chain = [name]
            while (by := reached[chain[-1]]) is not None:
                chain.append(by)
            pytest.fail(" <- ".join(chain))


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
