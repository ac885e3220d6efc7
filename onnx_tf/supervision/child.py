"""What a process does that another one watches."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

from onnx_tf.supervision.journal import tell, telling_to

__all__ = ["supervised"]

_GRACE = 5.0
"""Seconds that a process has to clean up once the one that watches it is gone."""


def supervised(run: Callable[[], int]) -> NoReturn:
    """Run the work of a watched process and end with the exit code that it returns.

    The first two arguments (``sys.argv[1:3]``) are descriptors: one to tell things to, and one that ends when the
    process that watches does; they are taken away. Temporary files lie in a folder that goes away with the process.
    """
    listener, lifeline = int(sys.argv.pop(1)), int(sys.argv.pop(1))
    _take_one_interrupt()
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    with telling_to(listener):
        code = 1  # of an error that Python prints
        try:
            with _temporary_folder():
                code = run()
        except SystemExit as wanted:
            code = wanted.code if isinstance(wanted.code, int) else int(wanted.code is not None)
            raise
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            tell("done", str(code))
    os._exit(code)  # taking TensorFlow down module by module takes most of a second


def _take_one_interrupt() -> None:
    """Let the first interrupt end the work; what cleans up after it is left alone.

    A terminal interrupts the process that watches as well, which hands it on.
    """

    def first(_number: int, _frame: Any) -> NoReturn:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, first)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _end_with(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(_GRACE)
    os._exit(1)


@contextlib.contextmanager
def _temporary_folder() -> Any:
    folder = os.path.join(tempfile.gettempdir(), f"onnx-tf-{secrets.token_hex(8)}")
    tell("temporary", folder)
    os.mkdir(folder, 0o700)
    os.environ["TMPDIR"] = tempfile.tempdir = folder  # of what it starts too
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
