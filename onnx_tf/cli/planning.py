"""``onnx-tf plan``: what a conversion would do, without writing anything."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnx_tf.cli import arguments as given
from onnx_tf.cli import as_json, console
from onnx_tf.telling import size

if TYPE_CHECKING:
    from onnx_tf.errors import UnsupportedNode
    from onnx_tf.planning import Plan, PlannedArtifact

_FEW = 3
_WIDE = 10_000
"""Columns of what is no terminal: nothing is folded there."""


def plan(arguments: argparse.Namespace) -> int:
    """Say of each artefact what would become of it; the exit code is 1 where one would be refused."""
    from onnx_tf.model.loading import load_model
    from onnx_tf.options import Options

    for_files = arguments.tflite is not None or arguments.target != "litert"
    formats = arguments.formats or ["tflite" if for_files else "saved_model"]
    with console.tensorflow_later(arguments) as terminal:
        options = Options.of(**given.edits(arguments), **given.forms(arguments))
        loaded = load_model(arguments.model, options.budget())
        given.ready(arguments, options, Path("model"), False, formats=formats, loaded=loaded, writes=False)
        terminal.import_tensorflow()
        from onnx_tf.planning import plan as plan_conversion

        planned = plan_conversion(arguments.model, **given.writing(arguments), progress=terminal.step)
    if arguments.json:
        print(as_json.text(_fields(planned)))
    else:
        _print(planned, arguments.model)
    return 0 if planned.fits else 1


def _fields(planned: Plan) -> dict[str, Any]:
    """Return what JSON tells of a plan."""
    artifacts = [
        {
            "format": artifact.format,
            "kind": artifact.kind,
            "fits": artifact.fits,
            "reason": _reason(artifact),
            "nodes": [vars(node) for node in artifact.refused],
            "flex": [vars(node) for node in artifact.flex],
            "custom": [vars(node) for node in artifact.custom],
            "elsewhere": [vars(node) for node in artifact.elsewhere],
            "approximated": [vars(each) for each in artifact.approximated],
            "changes": artifact.changes,
            "inputs": artifact.inputs,
            "outputs": artifact.outputs,
            "bytes": artifact.bytes,
            "memory": artifact.memory,
            "unknown": artifact.unknown,
        }
        for artifact in planned.artifacts
    ]
    return {"fits": planned.fits, "weights": planned.weights, "seconds": planned.seconds, "formats": artifacts}


def _reason(artifact: PlannedArtifact) -> str:
    return "" if artifact.error is None else artifact.error.for_command_line()


def _print(planned: Plan, model: str) -> None:
    """Print a table of the artefacts, and below it what there is to say of each."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    on_terminal = sys.stdout.isatty()
    screen = Console(highlight=False, markup=False, emoji=False, width=None if on_terminal else _WIDE)
    screen.print(Text(f"{model}: {size(planned.weights)} of weights"))
    screen.print(_table(planned, on_terminal))
    for artifact in planned.artifacts:
        lines = list(_lines(artifact))
        if lines:
            screen.print(Text(artifact.name, style="bold"))
        for style, line in lines:
            screen.print(Padding(Text(line, style=style), (0, 0, 0, 2), expand=False))


def _table(planned: Plan, on_terminal: bool) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD if on_terminal else None, pad_edge=False, header_style="bold")
    table.add_column("artefact", no_wrap=True)
    table.add_column("can be written", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("memory of a run", justify="right", no_wrap=True)
    for artifact in planned.artifacts:
        verdict = Text("yes", style="green") if artifact.fits else Text("no", style="red")
        if artifact.fits and (artifact.flex or artifact.custom):
            verdict = Text("not for LiteRT alone", style="yellow")
        table.add_row(artifact.name, verdict, _about(artifact.bytes), _about(artifact.memory))
    return table


def _about(count: int | None) -> str:
    return "" if count is None else size(count)


def _lines(artifact: PlannedArtifact) -> Iterator[tuple[str, str]]:
    """Yield what there is to say of an artefact, with the style of each line."""
    if artifact.error is not None:
        named = [*_grouped(artifact.refused)] if len(artifact.refused) > 1 else []
        yield from (("red", line) for line in named or _reason(artifact).splitlines())
    for nodes, what in ((artifact.flex, "TensorFlow's Flex delegate"), (artifact.custom, "custom operators")):
        yield from (("yellow", f"{what}: {line}") for line in _grouped(nodes))
    yield from (("yellow", line) for line in _grouped(artifact.elsewhere))
    for each in artifact.approximated:
        yield "yellow", f"approximated: {each.reason}" + (f": {_few(each.nodes)}" if each.nodes else "")
    for change in artifact.changes:
        yield "", f"signature: {change}"
    for text in artifact.unknown:
        yield "dim", f"not known before: {text}"


def _grouped(nodes: Iterable[UnsupportedNode]) -> Iterator[str]:
    """Yield a line for the nodes of one operator and reason."""
    found: dict[tuple[str, str], list[str]] = {}
    for node in nodes:
        operator = f"{node.domain or 'ai.onnx'}.{node.op_type}"
        found.setdefault((operator, node.reason), []).append(node.name)
    for (operator, reason), named in found.items():
        yield f"{operator}: {reason}: {_few(named)}"


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:_FEW]) + (f", ... ({len(names)})" if len(names) > _FEW else "")
