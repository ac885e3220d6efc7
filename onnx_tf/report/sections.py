"""The sections of a report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from onnx_tf.layout.drawing import drawn, tables
from onnx_tf.layout.page_style import table
from onnx_tf.report.content import Report
from onnx_tf.report.error_plot import error_plot
from onnx_tf.report.verdict import MARKS, number, of_artifact, reasons
from onnx_tf.telling import size
from onnx_tf.value_types import ValueType

if TYPE_CHECKING:
    from onnx_tf.artifacts import Written
    from onnx_tf.check.values import CheckedValue

__all__ = ["artifacts", "layout", "operators", "signature", "time_and_memory", "used_versions", "values"]

FEW = 12
"""How many rows are shown before the rest is to be unfolded."""


def artifacts(report: Report) -> Iterator[str]:
    """Yield what was written, and how far its outputs are from ONNX Runtime's."""
    rows = []
    for written in report.artifacts:
        verdict = of_artifact(written)
        said = {"good": "equal", "bad": "differs"}.get(verdict.kind, "poor" if verdict.text else "not compared")
        word = "quantised" if verdict.text == "quantised" else said
        mark = f'<span class="mark {verdict.kind}">{MARKS[verdict.kind]} {word}</span>'
        path, count = f"<code>{escape(str(written.path))}</code>", sum((written.operators or {}).values())
        rows.append([path, mark, _whole(size(written.bytes)), str(count or ""), escape(written.format)])
    titles = ("path", "ONNX Runtime", "size", "operators", "format")
    yield from table(titles, rows, "the files that were written, compared with ONNX Runtime")
    for written in report.artifacts:
        yield from _comparison(written)


def _comparison(written: Written) -> Iterator[str]:
    name, rows = written.path.name, []
    if written.accuracy is not None:
        unit = f" {written.accuracy.unit}" if written.accuracy.unit else ""
        for output in written.accuracy.outputs:
            error = "differs in kind" if output.reason else f"{number(output.error)}{unit}"
            rows.append(
                [
                    escape(output.name),
                    error,
                    f"{number(output.tolerance)}{unit}",
                    "✓ equal" if output.fits else "✗ differs",
                ]
            )
    elif written.verdict is not None:
        origins = ("calibration data", written.verdict.origin)
        for outputs, origin in zip((written.verdict.calibration, written.verdict.fresh), origins, strict=True):
            for told in outputs:
                same = "" if told.agreement is None else f"{told.agreement:.0%} the same class"
                rows.append(
                    [
                        escape(f"{told.name}, {origin}"),
                        f"{told.largest:.1f} steps",
                        f"{told.mean:.2g} steps on average",
                        same,
                    ]
                )
    if not rows:
        return
    about = f"outputs of {escape(name)}"
    titles = ("output", "largest error", "tolerance" if written.accuracy is not None else "mean error", "")
    yield f"<details><summary>{about}</summary>"
    yield from table(titles, rows, about)
    yield from (f"<p>{escape(reason)}</p>" for reason in reasons(written))
    yield "</details>"


def signature(report: Report) -> Iterator[str]:
    """Yield inputs and outputs."""
    for side, values in (("inputs", report.inputs), ("outputs", report.outputs)):
        yield f"<h3>{side}</h3>"
        rows = [[f"<code>{escape(str(v['name']))}</code>", escape(_type(v)), escape(_order(v))] for v in values]
        yield from table(("name", "dtype and shape", "order"), rows, f"the {side} of the signature")


def _type(value: Mapping[str, Any]) -> str:
    shape = None if value["shape"] is None else tuple(value["shape"])
    return str(ValueType(value["dtype"], shape, tuple(str(value.get("kind", "")).split())))


def _order(value: Mapping[str, Any]) -> str:
    return str(value.get("order", "as in ONNX"))


def values(report: Report, data: str) -> Iterator[str]:
    """Yield the error of every value inside; ``data`` is the file with those of nodes, if there is one."""
    found = report.values
    if found is None:
        yield f"<p>The values inside were not compared: {escape(report.no_values)}</p>"
        return
    in_steps = any(value.difference.tolerance > 1 for value in found.checked)
    measure = "steps of a quantised value" if in_steps else "shares of the largest number of each value"
    fed = ", ".join(f"{name}: {text}" for name, text in found.inputs.items()) or "no inputs"
    dropped = f" {len(found.dropped)} more became parts of others." if found.dropped else ""
    yield (
        f"<p>Every value that TensorFlow and ONNX Runtime both compute, for {escape(fed)}; errors are {measure}."
        f"{dropped}</p>"
    )
    yield from error_plot(found.checked, measure)
    worst = sorted(found.checked, key=lambda v: (v.fits, -v.difference.error))[:FEW]
    yield "<h3>largest errors</h3>"
    yield from table(_VALUE_TITLES, map(_value_row, worst), "the values with the largest errors")
    if len(found.checked) > len(worst):
        yield f"<details><summary>all {len(found.checked)} values, from input to output</summary>"
        yield from table(_VALUE_TITLES, map(_value_row, found.checked), "all values that were compared")
        yield "</details>"
    if data:
        yield (
            f'<p class="muted">{escape(data)} beside this page has the error of every node for Model Explorer '
            "(add it there as per-node data of the ONNX model).</p>"
        )


_VALUE_TITLES = ("error", "tolerance", "operator", "value")


def _value_row(value: CheckedValue) -> Sequence[str]:
    found = value.difference
    error = number(found.error) if math.isfinite(found.error) else escape(found.reason)
    cells = (f"{'' if value.fits else '✗ '}{error}", number(found.tolerance))
    return *map(_whole, cells), escape(value.op), f"<code>{escape(value.name)}</code>"


def _whole(text: str) -> str:
    return f'<span class="whole">{text}</span>'


def operators(report: Report) -> Iterator[str]:
    """Yield how often each operator is in the model, and in .tflite files."""
    yield '<div class="pair"><div><h3>of the ONNX model</h3>'
    yield from _bars([(name, float(count), str(count)) for name, count in report.model.operators.items()], "operator")
    yield "</div>"
    for written in report.artifacts:
        if written.operators is not None:
            counts = sorted(written.operators.items(), key=lambda item: -item[1])
            yield f"<div><h3>of {escape(written.path.name)}</h3>"
            yield from _bars([(name, float(count), str(count)) for name, count in counts], "operator")
            yield "</div>"
    yield "</div>"


def _bars(rows: Sequence[tuple[str, float, str]], title: str) -> Iterator[str]:
    """Yield a table with a bar in each row; the rows behind the first ones unfold."""
    most = max((length for _, length, _ in rows), default=0.0) or 1.0
    for part, is_rest in ((rows[:FEW], False), (rows[FEW:], True)):
        if not part:
            continue
        if is_rest:
            yield f"<details><summary>{len(part)} more</summary>"
        yield f'<table class="bars"><thead><tr><th scope="col">{title}<th scope="col"><th></tr></thead><tbody>'
        for name, length, text in part:
            bar = f'<span style="width:{100 * length / most:.1f}%"></span>'
            yield f'<tr><td>{escape(name)}<td class="number">{text}<td class="bar" aria-hidden="true">{bar}</tr>'
        yield "</tbody></table>" + ("</details>" if is_rest else "")


def layout(report: Report) -> Iterator[str]:
    """Yield memory orders, the Transposes that are left, and the picture of the graph."""
    totals = report.layout.totals()
    yield f"<p>{escape(totals[0].upper() + totals[1:])}.</p>"
    yield from tables(report.layout)
    yield '<div class="scroll picture" role="region" tabindex="0" aria-label="the rewritten graph">'
    yield from drawn(report.layout, 3)
    yield "</div>"


def time_and_memory(report: Report) -> Iterator[str]:
    """Yield seconds by step, the slowest first, and sizes."""
    slowest = sorted(report.timings.items(), key=lambda item: -item[1])
    yield f"<p>Loading, converting and writing took {report.seconds:.1f} s; comparisons are listed too.</p>"
    yield from _bars([(step, seconds, f"{seconds:.2f} s") for step, seconds in slowest], "step")
    rows = [["weights of the ONNX model", size(report.model.weights)]]
    if report.memory is not None:
        rows.append(["the most memory that the process had", size(report.memory)])
    rows += [[escape(written.path.name), size(written.bytes)] for written in report.artifacts]
    yield "<h3>sizes</h3>"
    yield from table(("", "bytes"), rows, "sizes")


def used_versions(report: Report) -> Iterator[str]:
    """Yield versions."""
    rows = [[escape(name), escape(version)] for name, version in report.versions.items()]
    yield from table(("", "version"), rows, "versions")
