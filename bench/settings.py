"""What a server can set: ``python -m bench.settings FOLDER NAME...`` prints a Markdown table.

Each model is exported once; each setting loads it in a process of its own, with its environment, and calls the
signature. Milliseconds are medians on the clock, those of the processor in brackets.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SETTINGS: dict[str, dict[str, str]] = {
    "as it is": {},
    "1 thread": {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"},
    "2 / 1 threads": {"TF_NUM_INTRAOP_THREADS": "2", "TF_NUM_INTEROP_THREADS": "1"},
    "memory kept": {"MALLOC_TRIM_THRESHOLD_": "1000000000", "MALLOC_MMAP_THRESHOLD_": "1000000000"},
    "oneDNN off": {"TF_ENABLE_ONEDNN_OPTS": "0"},
}
"""Environments by what they do; threads are those within an operation / of operations."""

WARM_UP = 5


def main() -> None:
    """Print a row for each model."""
    parser = argparse.ArgumentParser(prog="python -m bench.settings", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--runs", type=int, default=30, help="calls under a setting")
    arguments = parser.parse_args()
    print(f"| model | {' | '.join(SETTINGS)} |")
    print(f"|---|{'--:|' * len(SETTINGS)}", flush=True)
    for name in arguments.names:
        with tempfile.TemporaryDirectory() as temporary:
            _run(["export", str(arguments.folder), name, temporary], {})
            cells = []
            for setting in SETTINGS.values():
                told = _run(["call", str(arguments.folder), name, temporary, str(arguments.runs)], setting)
                wall, processor = json.loads(told.splitlines()[-1])
                cells.append(f"{wall:.2f} ({processor:.2f})")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def _run(command: list[str], setting: dict[str, str]) -> str:
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | setting
    done = subprocess.run(
        [sys.executable, "-m", "bench.settings", *command], capture_output=True, text=True, env=environment, check=True
    )
    return done.stdout


def _export(folder: str, name: str, target: str) -> None:
    from onnx_tf import prepare
    from test.zoo.materialize import materialize

    prepare(materialize(Path(folder) / f"{name}.onnx")).export_graph(f"{target}/model")


def _call(folder: str, name: str, target: str, runs: str) -> None:
    import tensorflow as tf

    from test.zoo.compare import manifest
    from test.zoo.materialize import make_inputs

    feed = make_inputs(manifest(Path(folder))[name]["inputs"])
    signature = tf.saved_model.load(f"{target}/model").signatures["serving_default"]
    tensors = {key: tf.constant(feed[key]) for key in signature.structured_input_signature[1]}
    times = []
    for _ in range(WARM_UP + int(runs)):
        wall, processor = time.perf_counter(), time.process_time()
        signature(**tensors)
        times.append((1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - processor)))
    print(json.dumps([statistics.median(column) for column in zip(*times[WARM_UP:], strict=True)]))


if __name__ == "__main__":
    steps = {"export": _export, "call": _call}
    if len(sys.argv) > 3 and sys.argv[1] in steps:
        steps[sys.argv[1]](*sys.argv[2:])
    else:
        main()
