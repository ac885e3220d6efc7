"""``onnx-tf`` as it is started from a shell: another process does the work, this one says how it ended.

Whatever that process does, its end is an exit code and at most a line, and nothing half-written stays.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from onnx_tf.cli.parser import memory
from onnx_tf.errors import OnnxTfError
from onnx_tf.supervision.limits import Limits, can_watch
from onnx_tf.supervision.watching import Watched

_WORK = "from onnx_tf.cli.main import work; work()"
_DEADLY = ("SIGTERM", "SIGHUP", "SIGQUIT")
_GRACE = 5.0
"""Seconds that an interrupted process may take to clean up."""

_SHOW_CURSOR = "\r\x1b[2K\x1b[?25h"
"""Takes away the line that shows the progress, and shows the cursor again."""


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add the options that limit what a command may take."""
    group = parser.add_argument_group("limits")
    group.add_argument(
        "--max-memory", type=memory, metavar="SIZE", help="end with an error where it takes more memory, as in 4G"
    )
    group.add_argument("--timeout", type=float, metavar="SECONDS", help="end with an error where it takes longer")


def is_supervised(arguments: argparse.Namespace, *, is_program: bool) -> bool:
    """Return whether a command is to run in another process.

    Args:
        arguments: the arguments of the command.
        is_program: whether this process is the program ``onnx-tf``, not one that calls its functions.

    Raises:
        OptionError: limits are asked for that cannot be held here.
    """
    if not hasattr(arguments, "timeout"):  # a command that reads no model
        return False
    limits = Limits.of(arguments.max_memory, arguments.timeout)
    return limits != Limits() or (is_program and can_watch())


def supervise(argv: Sequence[str], arguments: argparse.Namespace) -> int:
    """Run a command in another process and return its exit code.

    Raises:
        KeyboardInterrupt: it was interrupted, and did not say so itself.
        OnnxTfError: it died, or took more than it may.
    """
    limits = Limits.of(arguments.max_memory, arguments.timeout)
    watched = Watched(arguments.command, _WORK, argv)
    try:
        with _handed_on(watched):
            return watched.wait(limits)
    except (OnnxTfError, KeyboardInterrupt):
        if sys.stderr.isatty():
            print(_SHOW_CURSOR, end="", file=sys.stderr, flush=True)
        raise


@contextlib.contextmanager
def _handed_on(watched: Watched) -> Iterator[None]:
    """Hand an interrupt on; end the process with a second one, where it does not end, and where this one is to."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupted: list[float] = []

    def interrupt(_number: int, _frame: Any) -> None:
        interrupted.append(time.monotonic())
        if len(interrupted) > 1:
            raise KeyboardInterrupt
        watched.interrupt()
        signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, _GRACE)

    def die(number: int, _frame: Any) -> None:
        watched.end()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    numbers = [getattr(signal, name) for name in _DEADLY]
    handlers: dict[int, Any] = {signal.SIGINT: interrupt, **dict.fromkeys(numbers, die)}
    before = {number: signal.getsignal(number) for number in handlers}
    try:
        for number, handler in handlers.items():
            if before[number] is not signal.SIG_IGN:
                signal.signal(number, handler)
        yield
    except OnnxTfError as error:
        if interrupted:  # which is why it died
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
