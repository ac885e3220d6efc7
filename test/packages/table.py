"""The table of ``doc/trained_models.md``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "doc" / "trained_models.md"

TITLE = """\
# Trained models

Trained models that public Python packages carry, as `make test-packages` last found them: {right} of {count} are right
in all three ways. `run` is `prepare(...).run` and `export` a SavedModel that was written and loaded again, both
compared with ONNX Runtime on inputs of the model's own shapes and ranges; `--check` is
`onnx-tf convert ... --check`. What counts as equal: [accuracy.md](accuracy.md). The list, with how each package is
got and each model is fed, is `test/packages/manifest.toml`; no model is part of this project.

"""


@dataclass(frozen=True)
class Row:
    """A model and what became of it.

    Attributes:
        package: the package's name.
        version: its version.
        model: the file in it.
        nodes: the number of nodes, those of subgraphs with them.
        operators: the number of different operators.
        opset: the version of the standard's operators.
        run: ``right``, ``differs`` or ``fails``.
        export: the same of the SavedModel.
        check: the same of the command line.
        note: what is not right.
    """

    package: str
    version: str
    model: str
    nodes: str
    operators: str
    opset: str
    run: str
    export: str
    check: str
    note: str

    @property
    def is_right(self) -> bool:
        """Whether all three ways are right."""
        return {self.run, self.export, self.check} == {"right"}


NAMES = [field.name for field in dataclasses.fields(Row)]
HEADS = ["--check" if name == "check" else name for name in NAMES]


def markdown(rows: Sequence[Row], reasons: Mapping[str, str]) -> str:
    """Return the page; ``reasons`` are those of the manifest, by file."""
    lines = [_line(HEADS), _line(["---"] * len(HEADS))]
    lines += [_line([_escaped(getattr(row, name)) for name in NAMES]) for row in rows]
    told = [f"- `{row.model}`: {reasons[row.model]}" for row in rows if reasons.get(row.model)]
    lines += ["", "## What is not right, and why", "", *told] if told else []
    return TITLE.format(right=sum(row.is_right for row in rows), count=len(rows)) + "\n".join(lines) + "\n"


def parsed(page: str) -> list[Row]:
    """Return the rows of a page that ``markdown`` made."""
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" |")] for line in lines[2:]]
    return [Row(*(cell.replace("\\|", "|") for cell in row)) for row in cells]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
