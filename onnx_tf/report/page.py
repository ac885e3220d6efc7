"""The page of a report: HTML that needs nothing from elsewhere, for phones, dark screens and screen readers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from html import escape

from onnx_tf.layout.page_style import head
from onnx_tf.report import sections
from onnx_tf.report.content import Report
from onnx_tf.report.style import STYLE
from onnx_tf.report.verdict import MARKS, judged, number
from onnx_tf.telling import size

__all__ = ["page"]


def page(report: Report, data: str = "") -> str:
    """Return a report as HTML.

    Args:
        report: what it tells.
        data: the name of the file beside it with the errors of the nodes, if there is one.
    """
    parts: list[tuple[str, str, Callable[[Report], Iterable[str]]]] = [
        ("files", "What was written", sections.artifacts),
        ("signature", "Signature", sections.signature),
        ("values", "Error by depth", lambda report: sections.values(report, data)),
        ("operators", "Operators", sections.operators),
        ("layout", "Memory order", sections.layout),
        ("time", "Time and memory", sections.time_and_memory),
        ("versions", "Versions", sections.used_versions),
    ]
    shown = [section for section in parts if section[0] != "files" or report.artifacts]
    lines = [head(f"{escape(report.model.name)}: conversion report", STYLE), "<body>", *_header(report)]
    lines.append('<nav aria-label="sections">')
    lines += [f'<a href="#{anchor}">{title}</a>' for anchor, title, _ in shown]
    lines.append("</nav></header><main>")
    for anchor, title, content in shown:
        lines += [f'<section id="{anchor}" aria-labelledby="{anchor}-title"><h2 id="{anchor}-title">{title}</h2>']
        lines += [*content(report), "</section>"]
    made = f"Made by onnx-tf {escape(report.versions.get('onnx-tf', ''))}. The page needs no network."
    return "\n".join([*lines, f"</main><footer><p>{made}</p></footer></body></html>", ""])


def _header(report: Report) -> Iterator[str]:
    verdict, model = judged(report), report.model
    yield f"<header><h1>{escape(model.name)}</h1>"
    opsets = ", ".join(f"{domain} {version}" for domain, version in model.opsets.items())
    yield f'<p class="muted">ONNX model of {escape(model.producer)}; opset {escape(opsets)}</p>'
    yield (
        f'<div class="verdict {verdict.kind}" role="status"><strong><span aria-hidden="true">{MARKS[verdict.kind]} '
        f"</span>{escape(verdict.text)}</strong>"
    )
    yield from (f"<p>{escape(sentence)}</p>" for sentence in verdict.details)
    yield "</div>"
    yield f'<dl class="tiles">{"".join(_tiles(report))}</dl>'


def _tiles(report: Report) -> Iterator[str]:
    model, layout = report.model, report.layout
    written = sum(artifact.bytes for artifact in report.artifacts)
    facts = [
        ("nodes", f"{sum(model.operators.values())}"),
        ("parameters", _count(model.parameters)),
        ("ONNX", size(model.bytes if model.bytes is not None else model.weights)),
        ("written", size(written) if report.artifacts else "nothing"),
        ("Transposes left", f"{len(layout.transposes)} of {layout.transposes_before}"),
        ("conversion", f"{report.seconds:.1f} s"),
    ]
    if report.values is not None:
        largest = max((value.difference.error for value in report.values.checked), default=0.0)
        facts.append(("largest error inside", number(largest)))
    if report.memory is not None:
        facts.append(("memory at most", size(report.memory)))
    return (f"<div><dt>{name}</dt><dd>{escape(text)}</dd></div>" for name, text in facts)


def _count(number: float) -> str:
    for unit in ("", " k", " M"):
        if number < 1000:
            return f"{number:.0f}{unit}" if not unit else f"{number:.1f}{unit}"
        number /= 1000
    return f"{number:.1f} G"
