"""Write the table of ``doc/layout.md``: ``python -m bench.layout_table FOLDER`` over a folder of zoo models."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import onnx_tf.handlers  # noqa: F401  (registers the handlers)
from onnx_tf.layout import LayoutReport
from onnx_tf.pipeline import lower
from test.zoo.compare import manifest
from test.zoo.materialize import materialize

DOCUMENT = Path(__file__).parent.parent / "doc" / "layout.md"
START, END = "<!-- table: python -m bench.layout_table -->\n", "<!-- end of table -->\n"


def main() -> None:
    """Replace the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.layout_table", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    rows = [_row(name, report_of(folder / f"{name}.onnx")) for name in sorted(manifest(folder))]
    head = (
        "| model | before | after | KiB moved | minimum cut, KiB | what the rest is for |\n|---|--:|--:|--:|--:|---|\n"
    )
    before, _, rest = DOCUMENT.read_text().partition(START)
    DOCUMENT.write_text(before + START + head + "".join(filter(None, rows)) + END + rest.partition(END)[2])


def report_of(path: Path) -> LayoutReport:
    """Return the report that ``prepare`` gives."""
    return lower(materialize(path), until="layout").layout_report


def _row(name: str, report: LayoutReport) -> str | None:
    if not report.transposes_before:
        return None
    reasons = Counter(transpose.reason for transpose in report.transposes)
    said = "; ".join(f"{count}x {reason}" for reason, count in reasons.most_common())
    sizes = f"{report.bytes_moved / 1024:.0f} | {report.cut_bytes / 1024:.0f}"
    return f"| {name} | {report.transposes_before} | {len(report.transposes)} | {sizes} | {said} |\n"


if __name__ == "__main__":
    main()
