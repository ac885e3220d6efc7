"""Give files to a consumer and compare what it makes of them with ONNX Runtime."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from onnx_tf.check.compare import Comparison, OfScale, compare
from onnx_tf.errors import OnnxTfError
from test.consumers.catalog import Consumer
from test.consumers.environment import Environment
from test.consumers.integers import STEPS, quantized
from test.consumers.readers.reading import array_entry, array_of
from test.consumers.samples import Sample, artefact, sample
from test.consumers.table import DIFFERS, FAILS, READS, RIGHT, Row

ROOT = Path(__file__).parents[2]
LIMIT = 1200.0
"""How many seconds a consumer may take for one file."""
LONGEST = 400
"""How much of an error is kept."""


def tried(consumer: Consumer, place: Environment, kind: str, models: Sequence[str], cache: Path) -> list[Row]:
    """Return a row for each model."""
    folders: dict[str, Path] = {}
    refused: dict[str, str] = {}
    for model in models:
        try:
            folders[model] = _job(consumer, place, kind, sample(model), cache)
        except OnnxTfError as error:
            refused[model] = f"not converted: {error}"
    _read(consumer, place, list(folders.values()))
    rows = []
    for model in models:
        verdict, error, note = (
            (FAILS, None, refused[model]) if model in refused else _judged(kind, sample(model), folders[model])
        )
        rows.append(Row(consumer.name, kind, model, place.version, verdict, error, _short(note, cache)))
    return rows


def _job(consumer: Consumer, place: Environment, kind: str, one: Sample, cache: Path) -> Path:
    file = artefact(one, kind, cache / "files", consumer.options.get(kind))
    folder = cache / "jobs" / f"{consumer.name}-{kind}-{one.name}"
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("*.bin"), *folder.glob("*.json")]:
        old.unlink()
    feed: Mapping[str, np.ndarray] = one.feed
    if kind == "int8":
        feed = quantized(file, feed, "inputs")
    job = {
        "artefact": str(file),
        "kind": kind,
        "model": one.name,
        "inputs": [array_entry(folder, name, array) for name, array in feed.items()],
        "outputs": list(one.expected),
        "modules": place.modules and str(place.modules),
    }
    (folder / "job.json").write_text(json.dumps(job))
    return folder


def _read(consumer: Consumer, place: Environment, folders: Sequence[Path]) -> None:
    """Run the reader until every folder has a result: where it dies, that is the result of the file that it read."""
    waiting = list(folders)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    while waiting:
        command = [str(place.python), "-m", f"test.consumers.readers.{consumer.name}", *map(str, waiting)]
        log = waiting[0] / "log.txt"
        with log.open("w") as output:
            try:
                limit = LIMIT * len(waiting)
                done = subprocess.run(
                    command, env=environment, stdout=output, stderr=output, timeout=limit, check=False
                )
                ended = f"the process ended with status {done.returncode}"
            except subprocess.TimeoutExpired:
                ended = f"more than {limit:.0f} seconds"
        waiting = [folder for folder in waiting if not (folder / "result.json").exists()]
        if waiting:
            said = log.read_text(errors="replace").strip().splitlines()
            result = {"error": f"{ended}: {said[-1] if said else ''}", "notes": []}
            (waiting.pop(0) / "result.json").write_text(json.dumps(result))


def _judged(kind: str, one: Sample, folder: Path) -> tuple[str, float | None, str]:
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    notes = list(result["notes"])
    if result.get("error"):
        return FAILS, None, "; ".join([*notes, result["error"]])
    if result["outputs"] is None:
        return READS, None, "; ".join(notes)
    found = {entry["name"]: array_of(folder, entry) for entry in result["outputs"]}
    expected = one.expected
    tolerance: Any = OfScale()
    if kind == "int8":
        stated = json.loads((folder / "job.json").read_text())
        expected = quantized(Path(stated["artefact"]), expected, "outputs")
        tolerance = STEPS
    missing = [name for name in expected if name not in found]
    if missing:
        notes.append(f"without {', '.join(missing)}")
    narrow = {name: _as_stated(found[name], array) for name, array in expected.items() if name in found}
    notes += _dtypes(found, expected)
    compared = compare({name: expected[name] for name in narrow}, narrow, tolerance)
    if missing or not compared.fits:
        return DIFFERS, _largest(compared), "; ".join([*notes, *([] if compared.fits else [str(compared)])])
    return RIGHT, _largest(compared), "; ".join(notes)


def _largest(compared: Comparison) -> float | None:
    errors = [output.error for output in compared.outputs if np.isfinite(output.error)]
    return float(f"{max(errors):.1e}") if errors else None


def _as_stated(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return integers as wide as the model states them, where a consumer has 32 bits alone."""
    is_integer = found.dtype.kind in "iu" and expected.dtype.kind in "iu"
    return found.astype(expected.dtype) if is_integer else found


def _dtypes(found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> list[str]:
    changed = [
        f"{name} is {found[name].dtype}, not {array.dtype}"
        for name, array in expected.items()
        if name in found and found[name].dtype != array.dtype
    ]
    return [", ".join(changed)] if changed else []


def _short(text: str, cache: Path) -> str:
    words = " ".join(text.replace(str(cache), "...").replace(str(ROOT), "...").split())
    return words if len(words) <= LONGEST else words[:LONGEST] + " ..."
