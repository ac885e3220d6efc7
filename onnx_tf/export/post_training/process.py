"""The process in which :mod:`onnx_tf.export.post_training.files` quantises: TensorFlow's quantiser may end it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from onnx_tf.export.file_graph import FileGraph
from onnx_tf.export.post_training.calibrating import calibrated, quantized, ranges_of, with_ranges
from onnx_tf.export.post_training.finite import bounded, finite, unclipped
from onnx_tf.export.post_training.floats import coarse, computing_floats, unsafe
from onnx_tf.export.post_training.kept import kept_in_floats, label
from onnx_tf.export.post_training.running import Running
from onnx_tf.export.post_training.sixteen_bits import quantized_beside_integers, with_ends
from onnx_tf.export.post_training.tuning import MAX_ROUNDS, closest, tuned
from onnx_tf.own_process import tell

TUNED_WITH = 4
"""How many samples layers are judged with, at most."""
JUDGED_WITH = 16
"""With how many samples it is judged which ranges are the better ones, at most."""
FAILED = "LiteRT's kernel does not take these integers"


class _Samples:
    """The samples of a folder, read one after another."""

    def __init__(self, folder: Path, names: list[str], count: int) -> None:
        self.folder, self.names, self.count = folder, names, count

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        with np.load(self.folder / f"sample_{index}.npz") as arrays:
            return {name: arrays[f"arr_{place}"] for place, name in enumerate(self.names)}

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        for index in range(self.count):
            tell(f"Calibrating with sample {index + 1} of {self.count}")
            yield self[index]


def main(folder: Path) -> None:
    """Run the task of a folder: ``task.json``, ``float.tflite`` and samples in, a file a kind and ``done.json`` out."""
    task = json.loads((folder / "task.json").read_text())
    done: dict[str, Any] = {"error": "", "left": {}, "kept": {}, "coarse": {}, "tuned": {}}
    try:
        _run(folder, task, done)
    except Exception as error:
        done["error"] = str(error).strip() or type(error).__name__
    (folder / "done.json").write_text(json.dumps(done))


def _run(folder: Path, task: Mapping[str, Any], done: dict[str, Any]) -> None:
    content = (folder / "float.tflite").read_bytes()
    samples = _Samples(folder, task["names"], task["count"])
    full = [how for how in task["kinds"] if how["full"]]
    if full:  # what is refused is refused before all data are read
        tell("Trying which operators have integer kernels")
        first, *_ = _with_ranges(content, [samples[0]])
        for how in full:
            _, left, _ = _quantized(first, how, {}, samples[0])
            if left:
                done["left"][how["kind"]] = left
        if done["left"]:
            return
    bases = _with_ranges(content, samples)
    judges = [samples[index] for index in range(min(task["count"], JUDGED_WITH))]
    for how in task["kinds"]:
        tell(f"Quantising ({how['kind']})")
        keep = {} if how["full"] else dict(task["keep"])
        base, (result, left, kept) = bases[0], _quantized(bases[0], how, keep, samples[0])
        if left:  # kernels may fail on numbers alone
            done["left"][how["kind"]] = left
            continue
        if not how["wide"]:
            tried = [(base, result, kept)]
            for other in bases[1:]:
                result, left, kept = _quantized(other, how, keep, samples[0])
                tried += [] if left else [(other, result, kept)]
            base, result, kept = tried[closest([result for _, result, _ in tried], content, judges)]
        if how["tune"] or how["per_layer"]:
            feeds = [samples[index] for index in range(min(task["count"], TUNED_WITH))]
            rounds = MAX_ROUNDS if how["tune"] else 0
            result, kept, done["tuned"][how["kind"]] = tuned(result, base, kept, feeds, rounds)
        (folder / f"{how['kind']}.tflite").write_bytes(result)
        done["kept"][how["kind"]] = kept
        done["coarse"][how["kind"]] = coarse(base, wide=how["wide"]) if how["full"] else {}


def _with_ranges(content: bytes, samples: Any) -> list[bytes]:
    """Return a calibrated file, whose numbers are finite, and others whose ranges are narrower."""
    base, narrower = calibrated(content, samples)
    without = finite(content, ranges_of(base))
    if without is not None:
        base, narrower = calibrated(without, samples)
    seen = ranges_of(base)
    base = with_ranges(base, unclipped(base, seen))
    base = with_ranges(base, bounded(ranges_of(base)))
    changed = {index for index, found in ranges_of(base).items() if found != seen[index]}
    kept = [{index: found for index, found in ranges.items() if index not in changed} for ranges in narrower]
    return list(dict.fromkeys([base, *(with_ranges(base, ranges) for ranges in kept)]))


def _quantized(
    base: bytes, how: Mapping[str, Any], kept: dict[str, str], sample: Mapping[str, np.ndarray]
) -> tuple[bytes, list[tuple[str, str, str]], dict[str, str]]:
    """Return a file, what of it computes with floats where none may, and what does where it may, with the reasons."""
    whole = with_ends(quantized_beside_integers(base, how), how) if how["wide"] else quantized(base, how)
    if not how["full"]:
        risky = {name: reason for name, _, reason in unsafe(base, wide=how["wide"])}
        kept = {**coarse(base, wide=how["wide"]), **risky, **kept}
    while True:
        result = kept_in_floats(whole, base, kept)
        failing = _failing(result, sample)
        if how["full"]:
            left = [(name, kind, "has no integer kernel") for name, kind in computing_floats(result)]
            left += [(name, kind, reason) for name, kind, reason in unsafe(base, wide=how["wide"])]
            return result, left + [(name, failing, FAILED) for name in _of_kind(base, failing)], kept
        more = {name: FAILED for name in _of_kind(base, failing) if name not in kept}
        if not more:
            return result, [], kept
        kept = {**kept, **more}


_FAILURE = re.compile(r"Node number \d+ \((\w+)\) failed to")


def _failing(content: bytes, sample: Mapping[str, np.ndarray]) -> str:
    """Return the kind of operator that LiteRT does not compute in a file, an empty one if it computes all."""
    try:
        Running(content).outputs(sample)
    except (RuntimeError, ValueError) as error:
        found = _FAILURE.search(str(error))
        return found[1] if found else ""
    return ""


def _of_kind(content: bytes, kind: str) -> list[str]:
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    files = [FileGraph(model, part) for part in model.subgraphs]
    return [label(file, operator) for file in files for operator in file.graph.operators if file.kind(operator) == kind]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
