"""Run what may die or hang in a process of its own: there it is an error like any other."""

from __future__ import annotations

import os
import subprocess
import sys

from onnx_tf.errors import OnnxTfError

__all__ = ["call"]

MAX_SECONDS = 600.0
"""How long a run may take before it counts as hanging."""

_START = """
import sys
count = int(sys.argv[1])
sys.argv, sys.path[:] = ["-c", *sys.argv[2 : 2 + count]], sys.argv[2 + count :]
"""


def call(what: str, code: str, *arguments: str) -> None:
    """Run Python code with arguments (``sys.argv[1:]``), where packages are found as in this process.

    Args:
        what: who runs, for error messages.
        code: the code.
        arguments: its arguments.

    Raises:
        OnnxTfError: the process cannot be started, hangs or dies.
    """
    # It finds the packages that this process finds, and none that lies in the working directory.
    paths = [path or os.getcwd() for path in sys.path]
    command = [sys.executable, "-c", _START + code, str(len(arguments)), *arguments, *paths]
    try:
        done = subprocess.run(command, capture_output=True, timeout=MAX_SECONDS, check=False)
    except OSError as error:
        raise OnnxTfError(f"{what} cannot be started: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise OnnxTfError(f"{what} did not end within {MAX_SECONDS:.0f} s") from error
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [""]
        raise OnnxTfError(f"{what} died (exit code {done.returncode}) {last[0]}".strip())
