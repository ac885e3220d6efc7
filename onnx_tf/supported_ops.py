"""The table of supported operators: ``onnx-tf ops`` prints it, doc/supported_ops.md holds it.

What limits an operator is said by its handler: the paragraph of the docstring that starts with
``Limits:``.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

import onnx_tf.handlers  # noqa: F401  (fills the registry)
from onnx_tf.passes import experimental_bodies, microsoft_bodies
from onnx_tf.registry import Handler, registry

__all__ = ["OPERATOR_COVERAGE", "SHAPES", "SupportedOp", "markdown", "operator_coverage", "supported_ops"]

OPERATOR_COVERAGE = Path(__file__).with_name("operator_coverage.json")
"""What `make ops-table` recorded: which operators can be written as a SavedModel, and converted to LiteRT."""

_SHORT = {
    "float": "f32",
    "double": "f64",
    "float16": "f16",
    "bfloat16": "bf16",
    "complex64": "c64",
    "complex128": "c128",
    **{f"{sign}int{bits}": f"{sign[:1] or 'i'}{bits}" for sign in ("", "u") for bits in (2, 4, 8, 16, 32, 64)},
}
_GROUPS = {
    "ints": ("i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"),
    "floats": ("f16", "bf16", "f32", "f64"),
    "float8s": ("float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz"),
}


@dataclass(frozen=True)
class SupportedOp:
    """One operator.

    Attributes:
        domain: its domain, ``"ai.onnx"`` spelled out.
        op_type: its name.
        versions: the schema versions that a handler computes.
        by_function: those that are computed by the function body of their schema.
        missing: those that are not supported.
        dtypes: the element types of the first input in the newest schema, for people.
        limits: what its handlers do not do, and whose numbers they give where the standard has no text.
    """

    domain: str
    op_type: str
    versions: tuple[int, ...]
    by_function: tuple[int, ...]
    missing: tuple[int, ...]
    dtypes: str
    limits: str


def supported_ops() -> list[SupportedOp]:
    """Return the operators of every domain, standard domains first, in alphabetical order."""
    schemas: dict[tuple[str, str], list[onnx.defs.OpSchema]] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if not schema.deprecated:
            schemas.setdefault((schema.domain, schema.name), []).append(schema)
    ops = {key: _standard_op(*key, sorted(found, key=lambda s: s.since_version)) for key, found in schemas.items()}
    for handler in registry.handlers():
        key = handler.domain, handler.op_type
        if key not in ops and not handler.domain.startswith("onnx_tf."):  # those are internal
            domain, since = handler.domain or "ai.onnx", registry.versions(*key)
            ops[key] = SupportedOp(domain, handler.op_type, since, (), (), "", _limits([handler]))
    for name in microsoft_bodies.OPERATORS:
        ops["com.microsoft", name] = SupportedOp("com.microsoft", name, (), (1,), (), "", "")
    for (domain, name), operator in experimental_bodies.OPERATORS.items():
        ops[domain, name] = SupportedOp(domain or "ai.onnx", name, (), (1,), (), "", operator.limits)
    return [op for _, op in sorted(ops.items())]


def operator_coverage() -> dict[str, Any]:
    """Return what :data:`OPERATOR_COVERAGE` holds.

    ``operators`` has for each, as in ``"ai.onnx.Add"``, the official ``case`` that was converted
    (``None`` where there is none), whether its numbers came out of the ``saved_model``, for which
    classes of shapes ``litert`` computes it with its own operators (``"static"``, ``"open batch"``,
    ``"open dims"``), whether it is converted with those of TensorFlow besides (``select``), and what it
    becomes in ``keras``.
    """
    return dict(json.loads(OPERATOR_COVERAGE.read_text(encoding="utf-8")))


def markdown() -> str:
    """Return the table as a Markdown page."""
    recorded = operator_coverage()
    lines = [
        "# Supported operators",
        "",
        f"Made by `onnx-tf ops --markdown` with onnx {onnx.__version__}. A version is the opset version that",
        "introduced a form of the operator; `f` marks those that are computed by a function body: the one that ONNX",
        "defines for them, or one of operators of ai.onnx. Types are those that the standard allows for the first",
        "input of the newest version.",
        "",
        f"SavedModel and LiteRT were tried with TensorFlow {recorded['tensorflow']} by `make ops-table`, on one small",
        "case of each operator, mostly an official one: the numbers are right after saving and loading (`yes`), and",
        "in a .tflite file that `onnx-tf convert` writes, of LiteRT's own operators (`builtin`): with all shapes",
        "known, with the first dimension of the first input open, and with all of its dimensions open, the other",
        "inputs being constants then. Where not all three are right, those that are stand behind it. `select` is",
        "converted with TensorFlow's operators besides (`--allow-flex`), and not run: the interpreter for Python has",
        "none. Other attributes and types may need more or less. Nothing stands where there is no such case.",
        "",
        "Keras is what the operator becomes in a .keras file that gives the right numbers after it is loaded, its",
        "inputs but the first being constants, as weights are: a `layer` (or layers alone), one `op` of keras.ops,",
        "`several` of both, or `none` where it is refused.",
    ]
    domain = None
    for op in supported_ops():
        if op.domain != domain:
            domain = op.domain
            lines += ["", f"## {domain}", "", _HEADER, "|---|---|---|---|---|---|---|"]
        done = recorded["operators"].get(f"{op.domain}.{op.op_type}", {})
        saved_model = {True: "yes", False: "no"}.get(done.get("saved_model"), "")
        cells = (op.op_type, _versions(op), op.dtypes, saved_model, _litert(done), done.get("keras", ""), op.limits)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


SHAPES = {"static": 0, "open batch": 1, "open dims": None}
"""How many leading dimensions of the first input are open in a class of shapes, ``None`` for all."""

_HEADER = "| operator | versions | types | SavedModel | LiteRT | Keras | limits |"


def _litert(done: Mapping[str, Any]) -> str:
    shapes = done.get("litert")
    if shapes:
        return "builtin" if len(shapes) == len(SHAPES) else f"builtin: {', '.join(shapes)}"
    return "" if shapes is None else "select" if done["select"] else "no"


def _standard_op(domain: str, name: str, schemas: list[Any]) -> SupportedOp:
    found: dict[str, list[int]] = {"handler": [], "function": [], "nothing": []}
    # ONNX Runtime had some operators before the standard.
    used = [
        h for h in registry.handlers() if (h.domain, h.op_type) == (domain, name) and h.since < schemas[0].since_version
    ]
    found["handler"] += [handler.since for handler in used]
    for schema in schemas:
        handler = registry.find(domain, name, schema.since_version)
        is_function = any(getattr(schema, kind) for kind in ("has_function", "has_context_dependent_function"))
        used += [handler] if handler is not None else []
        how = "handler" if handler is not None else "function" if is_function else "nothing"
        found[how].append(schema.since_version)
    return SupportedOp(
        domain=domain or "ai.onnx",
        op_type=name,
        versions=tuple(found["handler"]),
        by_function=tuple(found["function"]),
        missing=tuple(found["nothing"]),
        dtypes=_dtypes(schemas[-1]),
        limits=_limits(used),
    )


def _versions(op: SupportedOp) -> str:
    marks = dict.fromkeys(op.versions, "") | dict.fromkeys(op.by_function, "f") | dict.fromkeys(op.missing, " missing")
    return ", ".join(f"{version}{mark}" for version, mark in sorted(marks.items()))


def _dtypes(schema: onnx.defs.OpSchema) -> str:
    if not schema.inputs:
        return ""
    given = re.findall(r"tensor\((\w+)\)", " ".join(sorted(schema.inputs[0].types)))
    names = list(dict.fromkeys(_SHORT.get(name, name) for name in given))
    shown = []
    for group, members in _GROUPS.items():
        if set(members) <= set(names):
            shown.append(group)
            names = [name for name in names if name not in members]
    return " ".join([*shown, *sorted(names)])


def _limits(handlers: Iterable[Handler]) -> str:
    return " ".join(dict.fromkeys(limit for handler in handlers for limit in _stated_limits(handler)))


def _stated_limits(handler: Handler) -> Iterator[str]:
    for paragraph in (inspect.getdoc(handler.function) or "").split("\n\n"):
        if paragraph.startswith("Limits:"):
            yield " ".join(paragraph.removeprefix("Limits:").split())
