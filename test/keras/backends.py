"""Run .keras files of the zoo on several backends: ``python -m test.keras.backends NAME=PYTHON... [--models GLOB...]``.

Each backend is a Python that has it and Keras: ``tensorflow=.venv/bin/python jax=/path/to/python torch=...``. A file is
written once and loaded by one process for each of them, which cannot import onnx_tf; the outputs are compared with ONNX
Runtime's, on a second batch too where it is open. A process that ends, or takes too long, is begun again for the next
file. With ``--results FILE`` each model is a line of JSON there, and those that have one already are not run again.
"""

from __future__ import annotations

import argparse
import collections
import fnmatch
import gc
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from onnx_tf.check import keras_file
from onnx_tf.errors import ExportError, UnsupportedError
from onnx_tf.export.keras import KerasRep, build, write_keras
from onnx_tf.options import Options
from onnx_tf.targets import KERAS
from test.zoo.__main__ import everything
from test.zoo.checks import Reference, feeds_of
from test.zoo.materialize import materialize

TWO_STEPS = 2 / 255
"""How far off outputs of quantised models may be, of their scale: backends round numbers on ties as their sums fall."""

SERVE = """
import runpy, sys
from pathlib import Path
sys.modules["onnx_tf"] = None
run = runpy.run_path(sys.argv[1])["main"]
for line in sys.stdin:
    run(Path(line.strip()))
    sys.modules["keras"].backend.clear_session()
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
    print("done", flush=True)
"""


class Served:
    """A process of another Python that loads files and runs them."""

    def __init__(self, backend: str, python: str, limit: float) -> None:
        self.backend = backend
        self._python, self._limit = python, limit
        self._process = self._begun()

    def _begun(self) -> subprocess.Popen[str]:
        script = str(Path(keras_file.__file__).with_name("keras_process.py"))
        environment = os.environ | {"KERAS_BACKEND": self.backend, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": ""}
        return subprocess.Popen(
            [self._python, "-c", SERVE, script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )

    def run(self, folder: Path) -> None:
        """Do the task of a folder, see :mod:`onnx_tf.check.keras_process`.

        Raises:
            RuntimeError: the process ended, or took longer than its limit; the next task has another one.
        """
        if self._process.poll() is not None:
            self._process = self._begun()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        (folder / "done.json").unlink(missing_ok=True)
        timer = threading.Timer(self._limit, self._process.kill)
        timer.start()
        try:
            self._process.stdin.write(f"{folder}\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline().strip()
        finally:
            timer.cancel()
        if answer != "done":
            raise RuntimeError(f"the process of {self.backend} ended with status {self._process.wait()}")

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m test.keras.backends", description=__doc__)
    parser.add_argument("backends", nargs="+", metavar="NAME=PYTHON")
    parser.add_argument("--models", nargs="*", default=["*"])
    parser.add_argument("--results", type=Path, help="a file of JSON lines to add to")
    parser.add_argument("--limit", type=float, default=600.0, help="how many seconds one file may take")
    arguments = parser.parse_args()
    served = [Served(*backend.split("=", 1), limit=arguments.limit) for backend in arguments.backends]
    known = _known(arguments.results)
    right: collections.Counter[str] = collections.Counter()
    count = 0
    for path, entry in sorted(everything(), key=lambda pair: pair[1].get("ort_ms", 0.0)):
        name = entry["name"]
        if entry["family"] == "classic_ml" or not any(fnmatch.fnmatch(name, p) for p in arguments.models):
            continue
        count += 1
        try:
            verdicts = known.get(name) or _verdicts(path, entry, served)
        except Exception as error:
            verdicts = dict.fromkeys((s.backend for s in served), f"FAIL {type(error).__name__}: {_short(error)}")
        right.update(backend for backend, verdict in verdicts.items() if verdict.startswith("ok"))
        print(f"{name:40s} " + "  ".join(f"{b}: {v}" for b, v in verdicts.items()), flush=True)
        if name in known:
            continue
        if arguments.results:
            with arguments.results.open("a") as file:
                file.write(json.dumps({"model": name, "verdicts": verdicts}) + "\n")
        keras.backend.clear_session()
        gc.collect()
    for each in served:
        each.close()
    print(", ".join(f"{each.backend}: {right[each.backend]} of {count}" for each in served))
    return 0 if all(right[each.backend] >= 0.95 * count for each in served) else 1


def _known(results: Path | None) -> dict[str, dict[str, str]]:
    lines = results.read_text().splitlines() if results is not None and results.exists() else []
    return {found["model"]: found["verdicts"] for found in map(json.loads, lines)}


def _short(error: object) -> str:
    return " ".join(str(error).split())[:300]


def _verdicts(path: Path, entry: Mapping[str, Any], served: Sequence[Served]) -> dict[str, str]:
    model = materialize(path)
    try:
        rep = build(model, Options(target=KERAS))
    except (UnsupportedError, ExportError) as error:
        return {each.backend: f"refused {_short(error)}" for each in served}
    found = {}
    feeds = feeds_of(entry, (3,))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            write_keras(rep.model, folder / "model.keras")
        except ExportError as error:
            return {each.backend: f"refused {_short(error)}" for each in served}
        for index, feed in enumerate(feeds.values()):
            flat = rep.interface.flat(feed)
            np.savez(folder / f"inputs_{index}.npz", *(tensor.numpy() for tensor in flat.values()))
        task = {"model": str(folder / "model.keras"), "weights": None, "runs": len(feeds)}
        (folder / "task.json").write_text(json.dumps(task))
        of_scale = TWO_STEPS if entry["family"] == "quantized" else 0.0
        references = [Reference(entry, model, feed, of_scale) for feed in feeds.values()]
        for each in served:
            try:
                each.run(folder)
                found[each.backend] = _verdict(folder, rep, references)
            except Exception as error:
                found[each.backend] = f"FAIL {type(error).__name__}: {_short(error)}"
    return found


def _verdict(folder: Path, rep: KerasRep, references: Sequence[Reference]) -> str:
    done = json.loads((folder / "done.json").read_text())
    if done["error"]:
        return f"FAIL {done['doing']}: {_short(done['error'])}"
    worst = None
    for index, reference in enumerate(references):
        with np.load(folder / f"outputs_{index}.npz") as arrays:
            tensors = {name: tf.constant(arrays[f"arr_{i}"]) for i, name in enumerate(rep.outputs)}
        narrow = {name: _as_stated(tensor, rep.interface.outputs[name].dtype) for name, tensor in tensors.items()}
        for difference in reference.comparison(rep.interface.whole(narrow)).outputs:
            if worst is None or (not difference.fits, difference.error) > (not worst.fits, worst.error):
                worst = difference
    return f"{'ok' if worst is None or worst.fits else 'FAIL'} {worst}"


def _as_stated(tensor: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Return integers as wide as the model states them: JAX has 32 bits unless it is told otherwise."""
    is_narrow = tensor.dtype.is_integer and dtype.is_integer and tensor.dtype.size < dtype.size
    return tf.cast(tensor, dtype) if is_narrow else tensor


if __name__ == "__main__":
    raise SystemExit(main())
