"""What the readers of TensorFlow.js share: its converter, and Node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from test.consumers.readers.reading import Job, array_of


def converted(job: Job, given: str, wanted: str) -> Path:
    """Convert the artefact of a job, and return the folder of what was made.

    Raises:
        RuntimeError: the converter failed; its last line.
    """
    folder = job.folder / "tfjs"
    shutil.rmtree(folder, ignore_errors=True)
    converter = Path(sys.executable).with_name("tensorflowjs_converter")
    command = [str(converter), f"--input_format={given}", f"--output_format={wanted}", str(job.artefact), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not (folder / "model.json").exists():
        raise RuntimeError((done.stderr or done.stdout).strip().splitlines()[-1])
    if wanted == "tfjs_graph_model":
        names = _tensors(job, json.loads((folder / "model.json").read_text())["signature"])
        (job.folder / "names.json").write_text(json.dumps(names))
    return folder


def _tensors(job: Job, signature: dict[str, Any]) -> dict[str, list[str]]:
    """Return the tensors of inputs and outputs: the converter keeps names where dtype and shape tell them apart."""
    inputs, outputs = signature["inputs"], signature["outputs"]
    for side, entries, names in (("inputs", inputs, job.inputs), ("outputs", outputs, job.outputs)):
        if set(entries) != set(names):
            job.notes.append(f"{side} are called {', '.join(sorted(entries))}")
    given = []
    for index, name in enumerate(job.inputs):
        found = next(key for key in (name, f"{name}:0", f"input_{index}:0") if key in inputs)
        given.append(inputs[found]["name"])
    identities = [f"Identity_{index}:0" if index else "Identity:0" for index in range(len(job.outputs))]
    at = dict(zip(sorted(job.outputs), identities, strict=True))
    return {"inputs": given, "outputs": [at[name] for name in job.outputs]}


def run_in_node(job: Job, folder: Path) -> dict[str, np.ndarray]:
    """Run a converted model in Node.

    Raises:
        RuntimeError: Node failed; what it wrote last.
    """
    assert job.modules is not None
    environment = os.environ | {"NODE_PATH": str(job.modules)}
    command = ["node", str(Path(__file__).with_name("tfjs.cjs")), str(job.folder), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "Error:" in line]
        raise RuntimeError(said[0] if said else f"node ended with status {done.returncode}")
    return {entry["name"]: array_of(job.folder, entry) for entry in json.loads(done.stdout.splitlines()[-1])}
