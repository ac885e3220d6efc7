"""Run what may die or hang in a process of its own: there it is an error like any other."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence

from onnx_tf.errors import CrashError

__all__ = ["ProcessDiedError", "call", "call_telling", "python", "tell"]

MAX_SECONDS = 600.0
"""How long a run may take before it counts as hanging."""

_START = """
import sys
count = int(sys.argv[1])
sys.argv, sys.path[:] = ["-c", *sys.argv[2 : 2 + count]], sys.argv[2 + count :]
"""

_END_TOO = """
import os, threading
threading.Thread(target=lambda: (os.read(0, 1), os._exit(1)), daemon=True).start()
"""
"""Nothing comes by standard input; its end is that of the process that waits for this one."""

_TOLD = "onnx-tf: "
"""How lines begin that a process tells: libraries write lines of their own."""


class ProcessDiedError(CrashError):
    """A process ended with another exit code than 0."""


def call(what: str, code: str, *arguments: str) -> None:
    """Run Python code with arguments (``sys.argv[1:]``), where packages are found as in this process.

    It ends with this process, whatever ends that.

    Args:
        what: who runs, for error messages.
        code: the code.
        arguments: its arguments.

    Raises:
        CrashError: the process cannot be started, hangs or dies.
    """
    try:
        with _lifeline() as stdin:
            command = python(_END_TOO + code, arguments)
            done = subprocess.run(command, stdin=stdin, capture_output=True, timeout=MAX_SECONDS, check=False)
    except OSError as error:
        raise CrashError(f"{what} cannot be started: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise CrashError(f"{what} did not end within {MAX_SECONDS:.0f} s") from error
    _refuse_death(what, done.returncode, done.stderr)


def call_telling(what: str, code: str, *arguments: str, told: Callable[[str], None]) -> None:
    """Run Python code as :func:`call` does, for as long as it takes, and hand on what it says by :func:`tell`.

    Raises:
        CrashError: the process cannot be started.
        ProcessDiedError: it dies.
    """
    with tempfile.TemporaryFile() as errors, _lifeline() as stdin:
        command = python(_END_TOO + code, arguments)
        try:
            process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=errors)
        except OSError as error:
            raise CrashError(f"{what} cannot be started: {error}") from error
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


def python(code: str, arguments: Sequence[str]) -> list[str]:
    """Return the command that runs Python code with arguments, where packages are found as in this process."""
    # Those that this process finds, and none that lies in the working directory.
    paths = [path or os.getcwd() for path in sys.path]
    return [sys.executable, "-c", _START + code, str(len(arguments)), *arguments, *paths]


@contextlib.contextmanager
def _lifeline() -> Iterator[int]:
    """Yield a descriptor to read from that ends when this process does."""
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(reading)
        os.close(writing)


def _refuse_death(what: str, code: int, errors: bytes) -> None:
    if code:
        last = errors.decode(errors="replace").strip().splitlines()[-1:] or [""]
        raise ProcessDiedError(f"{what} died (exit code {code}) {last[0]}".strip())
