"""Run what may die or hang in a process of its own: there it is an error like any other."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence

from onnx_tf.errors import OnnxTfError

__all__ = ["ProcessDiedError", "call", "call_telling", "tell"]

MAX_SECONDS = 600.0
"""How long a run may take before it counts as hanging."""

_START = """
import sys
count = int(sys.argv[1])
sys.argv, sys.path[:] = ["-c", *sys.argv[2 : 2 + count]], sys.argv[2 + count :]
"""

_TOLD = "onnx-tf: "
"""How lines begin that a process tells: libraries write lines of their own."""


class ProcessDiedError(OnnxTfError):
    """A process ended with another exit code than 0."""


def call(what: str, code: str, *arguments: str) -> None:
    """Run Python code with arguments (``sys.argv[1:]``), where packages are found as in this process.

    Args:
        what: who runs, for error messages.
        code: the code.
        arguments: its arguments.

    Raises:
        OnnxTfError: the process cannot be started, hangs or dies.
    """
    try:
        done = subprocess.run(_command(code, arguments), capture_output=True, timeout=MAX_SECONDS, check=False)
    except OSError as error:
        raise OnnxTfError(f"{what} cannot be started: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise OnnxTfError(f"{what} did not end within {MAX_SECONDS:.0f} s") from error
    _refuse_death(what, done.returncode, done.stderr)


def call_telling(what: str, code: str, *arguments: str, told: Callable[[str], None]) -> None:
    """Run Python code as :func:`call` does, for as long as it takes, and hand on what it says by :func:`tell`.

    Raises:
        OnnxTfError: the process cannot be started.
        ProcessDiedError: it dies.
    """
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(_command(code, arguments), stdout=subprocess.PIPE, stderr=errors)
        except OSError as error:
            raise OnnxTfError(f"{what} cannot be started: {error}") from error
        with process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    text = line.decode(errors="replace").strip()
                    if text.startswith(_TOLD):
                        told(text[len(_TOLD) :])
            except BaseException:  # an interrupt ends the process too
                process.kill()
                raise
        errors.seek(0)
        _refuse_death(what, process.returncode, errors.read())


def tell(text: str) -> None:
    """Say something to who started this process."""
    print(f"{_TOLD}{text}", flush=True)


def _command(code: str, arguments: Sequence[str]) -> list[str]:
    # It finds the packages that this process finds, and none that lies in the working directory.
    paths = [path or os.getcwd() for path in sys.path]
    return [sys.executable, "-c", _START + code, str(len(arguments)), *arguments, *paths]


def _refuse_death(what: str, code: int, errors: bytes) -> None:
    if code:
        last = errors.decode(errors="replace").strip().splitlines()[-1:] or [""]
        raise ProcessDiedError(f"{what} died (exit code {code}) {last[0]}".strip())
