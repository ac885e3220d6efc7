"""What a whole conversion takes: ``python -m bench.conversion MODEL.onnx ...`` prints a Markdown table.

Each conversion is ``onnx-tf convert MODEL -o DIR``, with ``--tflite`` of a .tflite file, in processes of its own,
without and with the comparison; seconds are those of the processor, of all processes together, MB the largest peak.
``--against`` is another version of onnx-tf, which converts the same models in turn.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]


def main() -> None:
    """Print what importing TensorFlow takes, then a row for each model."""
    parser = argparse.ArgumentParser(prog="python -m bench.conversion", description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--against", type=Path, default=None, help="the folder of another version")
    parser.add_argument("--tflite", action="store_true", help="write .tflite files")
    arguments = parser.parse_args()
    name = "out.tflite" if arguments.tflite else "out"
    seconds, peak = taken(HERE, ["-c", "import tensorflow"])
    print(f"import tensorflow: {seconds:.1f} s, {peak:.0f} MB\n")
    print("| model | file MB | s | MB | compared s | MB | the other s | MB | ratio |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for model in arguments.models:
        cells = [f"{model.stat().st_size / 1e6:.0f}"]
        seconds, peak = _converted(HERE, model, name, ["--no-check"])
        cells += [f"{seconds:.1f}", f"{peak:.0f}"]
        compared = _converted(HERE, model, name, [])
        cells += [f"{compared[0]:.1f}", f"{compared[1]:.0f}"]
        if arguments.against is None:
            cells += [""] * 3
        else:
            other = _converted(arguments.against, model, name, [])
            cells += [f"{other[0]:.1f}", f"{other[1]:.0f}", f"{seconds / other[0]:.2f}"]
        print(f"| {model.stem} | {' | '.join(cells)} |", flush=True)


def _converted(folder: Path, model: Path, name: str, options: Sequence[str]) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as temporary:
        command = ["-m", "onnx_tf", "convert", os.fspath(model.resolve()), "-o", f"{temporary}/{name}", *options]
        return taken(folder, command)


def taken(folder: Path, command: Sequence[str]) -> tuple[float, float]:
    """Return the processor's seconds and the peak in MB of a run of Python with the modules of a folder.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    environment = os.environ | {"PYTHONPATH": os.fspath(folder), "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(
        [sys.executable, *command], cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return used.ru_utime + used.ru_stime, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


if __name__ == "__main__":
    main()
