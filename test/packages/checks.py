"""What is tried on a trained model: ``run``, a SavedModel, the command line."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from onnx_tf import prepare
from onnx_tf.check.artifacts import OnnxRuntime, Prepared, SavedModel
from onnx_tf.check.compare import Comparison, compare
from onnx_tf.check.inputs import drawn_inputs
from onnx_tf.check.interface import Interface
from onnx_tf.cli import main as command_line
from onnx_tf.model.loading import load_model
from test.packages.fetching import model_files
from test.packages.manifest import TrainedModel, packages
from test.packages.table import Row
from test.zoo.materialize import make_inputs

RIGHT = "right"


@dataclass
class Attempt:
    """What became of the steps: ``right``, ``differs`` or ``fails`` each, and why not right."""

    steps: dict[str, str] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)

    def judge(self, step: str, compared: Callable[[], Comparison]) -> None:
        """Compare, and keep what comes out."""
        try:
            found = compared()
        except Exception as error:  # whatever it is, the next model is tried
            self.note(step, "fails", f"{type(error).__name__}: {error}")
            return
        self.note(step, RIGHT if found.fits else "differs", "" if found.fits else str(found))

    def judge_command_line(self, path: Path, model: TrainedModel, feed: Mapping[str, Any], folder: Path) -> None:
        """Call ``onnx-tf convert --check``, with the feed only where the manifest says so."""
        words = ["convert", str(path), "-o", str(folder / "converted"), "--check", "--json"]
        if model.check == "given":
            np.savez(folder / "feed.npz", **feed)
            words += ["--input", str(folder / "feed.npz")]
        with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.redirect_stderr(io.StringIO()):
            code = command_line(words)
        answer = json.loads(output.getvalue())
        if "error" in answer:
            self.note("check", "fails", answer["error"]["message"].rpartition("not verified: ")[2])
        elif code:
            wrong = [output for output in answer["check"]["outputs"] if not output["fits"]]
            self.note("check", "differs", "; ".join(f"{output['name']}: {_short(output)}" for output in wrong))
        else:
            self.note("check", RIGHT, "")

    def note(self, step: str, verdict: str, reason: str) -> None:
        """Keep the verdict of a step; a reason that others gave before is kept once."""
        self.steps[step] = verdict
        text = " ".join(reason.split())[:300]
        if text and text not in self.notes:
            self.notes.append(text)


def _short(output: Mapping[str, Any]) -> str:
    return output["reason"] or f"{output['error']:.1e} (tolerance {output['tolerance']:.0e}), at {output['at']}"


def draw(path: Path, inputs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return inputs for the model at a path, drawn as its entry in the manifest says."""
    graph = load_model(path).graph
    values = [value for value in graph.inputs if value.name not in graph.initializers]
    unknown = set(inputs) - {value.name for value in values}
    if unknown:
        raise ValueError(f"{path.name} has no inputs {sorted(unknown)}, it has {[value.name for value in values]}")
    entries = [
        {"name": given.name, "dtype": given.dtype.numpy().name, "shape": list(given.dims), "low": 0, "high": 1}
        | inputs.get(given.name, {})
        for given in drawn_inputs(values)
    ]
    return make_inputs(entries)


def attempt(path: Path, model: TrainedModel, folder: Path) -> Attempt:
    """Try a model; ``folder`` is for what is written."""
    result = Attempt()
    feed = draw(path, model.inputs)
    expected = OnnxRuntime(path).run(feed)
    made: list[Any] = []

    def run() -> Comparison:
        made.append(prepare(path))
        return compare(expected, Prepared(made[0]).run(feed))

    def export() -> Comparison:
        rep = made[0] if made else prepare(path)
        rep.export_graph(folder / "exported")
        return compare(expected, SavedModel(folder / "exported", Interface.of(rep)).run(feed))

    result.judge("run", run)
    result.judge("export", export)
    result.judge_command_line(path, model, feed, folder)
    return result


def described(path: Path) -> dict[str, str]:
    """Return what the table says of the file itself."""
    model = onnx.load(path, load_external_data=False)
    ops = [node.op_type for node in _nodes(model.graph)]
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), "")
    return {"nodes": str(len(ops)), "operators": str(len(set(ops))), "opset": str(opset)}


def _nodes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    nodes = []
    for node in graph.node:
        nodes.append(node)
        for attribute in node.attribute:
            for inner in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
                nodes += _nodes(inner)
    return nodes


def main(name: str, cache: str, results: str) -> None:
    """Try the models of one package and write a JSON list of rows; a process of its own."""
    package = next(package for package in packages() if package.name == name)
    rows = []
    for path, model in zip(model_files(package, Path(cache)), package.models, strict=True):
        with tempfile.TemporaryDirectory() as folder:
            tried = attempt(path, model, Path(folder))
        row = Row(
            package=package.name,
            version=package.version,
            model=model.file,
            **described(path),
            **tried.steps,
            note="; ".join(tried.notes),
        )
        print(f"{row.package} {row.model}: {row.run}, {row.export}, {row.check} {row.note}", flush=True)
        rows.append(dataclasses.asdict(row))
    Path(results).write_text(json.dumps(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
