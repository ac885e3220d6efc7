"""What became of each file: ``results.json``, and the tables of ``doc/consumers.md`` that are made of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from test.consumers.catalog import Consumer
from test.consumers.samples import NAMES, TITLES

RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).parents[2] / "doc" / "consumers.md"
BEGIN, END = "<!-- made by python -m test.consumers -->", "<!-- until here -->"

RIGHT, READS, DIFFERS, FAILS = "right", "reads", "differs", "fails"
"""Numbers are equal; the file is taken, but nothing runs it here; numbers are not equal; the consumer raises."""


@dataclass(frozen=True)
class Row:
    """What became of one file at one consumer.

    Attributes:
        consumer: the consumer's name.
        artefact: the kind of file.
        model: the model's name.
        version: the packages that read it.
        verdict: one of the four above.
        error: the largest error of all outputs, as a share of the output's scale, in steps for integers; ``None`` where
            nothing was compared.
        note: what the consumer says, or what a user should know.
    """

    consumer: str
    artefact: str
    model: str
    version: str
    verdict: str
    error: float | None
    note: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What no other row has."""
        return self.consumer, self.artefact, self.model


def loaded(path: Path = RESULTS) -> list[Row]:
    """Return the rows of the file."""
    return [Row(**row) for row in json.loads(path.read_text())] if path.exists() else []


def saved(rows: Iterable[Row], known: Sequence[Consumer], path: Path = RESULTS) -> None:
    """Write rows, in the order of the consumers, of their files and of the models."""
    order = {(c.name, kind, model): None for c in known for kind, model in c.files()}
    by_key = {row.key: row for row in rows}
    lines = [json.dumps(dataclasses.asdict(by_key[key])) for key in order if key in by_key]
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n")


def page(text: str, rows: Sequence[Row], known: Sequence[Consumer]) -> str:
    """Return the text of the page with what stands between its marks made of the rows."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{markdown(rows, known)}\n{END}{after}"


def markdown(rows: Sequence[Row], known: Sequence[Consumer]) -> str:
    """Return the tables, one for each kind of file that has rows, and what is not right with what to do instead."""
    by_name = {consumer.name: consumer for consumer in known}
    lines: list[str] = []
    for kind, title in TITLES.items():
        of_kind = [row for row in rows if row.artefact == kind]
        if of_kind:
            lines += [f"## {title}", "", *_table(of_kind, by_name), "", *_notes(of_kind, by_name), ""]
    return "\n".join(lines).rstrip()


def _table(rows: Sequence[Row], by_name: Mapping[str, Consumer]) -> list[str]:
    models = [name for name in NAMES if any(row.model == name for row in rows)]
    lines = [_line(["consumer", *models]), _line(["---"] * (len(models) + 1))]
    for name, version in dict.fromkeys((row.consumer, row.version) for row in rows):
        cells = {row.model: _cell(row) for row in rows if (row.consumer, row.version) == (name, version)}
        label = f"{by_name[name].title} ({version})" if version else by_name[name].title
        lines.append(_line([label, *(cells.get(model, "") for model in models)]))
    return lines


def _cell(row: Row) -> str:
    if row.error is None:
        return row.verdict
    is_steps = row.artefact == "int8"
    number = f"{row.error:.0f} steps" if is_steps else f"{row.error:.0e}"
    return f"{row.verdict}, {number}"


def _notes(rows: Sequence[Row], by_name: Mapping[str, Consumer]) -> list[str]:
    """Return a line for each thing that a consumer says, of all models of which it says that."""
    told: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        advice = by_name[row.consumer].advice(row.model) if row.verdict in (DIFFERS, FAILS) else ""
        if row.note or advice:
            told.setdefault((row.consumer, row.note, advice), []).append(row.model)
    lines = [
        f"- **{by_name[name].title}**: {by_name[name].how}" for name in dict.fromkeys(row.consumer for row in rows)
    ]
    for (name, note, advice), models in told.items():
        which = "all" if len(models) == sum(row.consumer == name for row in rows) else ", ".join(models)
        told_so = f"{note.rstrip('.')}. Instead: {advice}" if advice else note
        lines.append(f"- {by_name[name].title}, {which}: {told_so}")
    return lines


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
