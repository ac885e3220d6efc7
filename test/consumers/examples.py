"""The examples that need more than this project: each says what in its first comment (PEP 723)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from test.consumers.catalog import Consumer, script_metadata
from test.consumers.environment import environment

ROOT = Path(__file__).parents[2]


def needy_examples() -> list[Path]:
    """Return the examples that need other packages, in order."""
    return [path for path in sorted((ROOT / "example").glob("*.py")) if script_metadata(path) is not None]


def run_examples(cache: Path) -> list[str]:
    """Run each in one environment with all that they need, and return those that failed."""
    examples = needy_examples()
    needed = {name for path in examples for name in (script_metadata(path) or {})["dependencies"]} - {"onnx-tf"}
    consumer = Consumer("examples", "", (), "", dependencies=(str(ROOT), *sorted(needed)))
    python = environment(consumer, cache / "environments").python
    failed = []
    for path in examples:
        print(f"{path.name}:", flush=True)
        environ = os.environ | {"PYTHONPATH": "", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
        done = subprocess.run([str(python), str(path)], env=environ, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            print(done.stderr[-2000:])
            failed.append(path.name)
    return failed
