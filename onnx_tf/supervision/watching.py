"""A process that does the work, and the eye on it: how it ends, what it takes, what it told."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence

from onnx_tf.errors import CrashError, ProcessLimitError, either, option
from onnx_tf.own_process import python
from onnx_tf.supervision.journal import Journal
from onnx_tf.supervision.limits import Limits
from onnx_tf.supervision.process_tree import end, resident
from onnx_tf.supervision.settling import settle
from onnx_tf.telling import size

__all__ = ["Watched"]

_LOOK_EVERY = 0.1
"""Seconds between two looks at what the process takes."""


class Watched:
    """A process that runs Python code; the code calls :func:`onnx_tf.supervision.child.supervised`.

    Attributes:
        journal: what the process told.
    """

    def __init__(
        self, what: str, code: str, arguments: Sequence[str], heard: Callable[[str], None] = lambda _: None
    ) -> None:
        """Start the process, with the streams of this one.

        Args:
            what: what it does, for error messages, as in ``the conversion``.
            code: Python code, whose first two arguments are for ``supervised``.
            arguments: those after them.
            heard: called with what it begins to do.

        Raises:
            CrashError: it cannot be started.
        """
        self.what, self.journal = what, Journal(heard=heard)
        self._began, self._next_look = time.monotonic(), 0.0
        self._told, telling = os.pipe()
        lifeline, self._alive = os.pipe()
        command = python(code, [str(telling), str(lifeline), *arguments])
        # An interrupt while Python starts would be a traceback: the process takes it once it is ready to.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process = subprocess.Popen(command, pass_fds=(telling, lifeline))
        except OSError as error:
            self._close()
            raise CrashError(f"{what} cannot be started: {error}") from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            os.close(telling)
            os.close(lifeline)

    def wait(self, limits: Limits) -> int:
        """Wait for the end of the process, and return the exit code that it meant.

        What it leaves is settled: files and folders are the old ones or the new ones.

        Raises:
            ProcessLimitError: it took more than it may, and was ended.
            CrashError: something ended it.
        """
        try:
            while self._process.poll() is None:
                self._listen(_LOOK_EVERY)
                self._refuse_more_than(limits)
        finally:  # an interrupt ends the process too
            self.end()
        if self.journal.code is None:
            raise self._crash(self._process.returncode)
        return self.journal.code

    def interrupt(self) -> None:
        """Ask the process to end as Ctrl-C does."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def end(self) -> None:
        """End the process and all that it started, if it has not ended, and settle what it leaves."""
        if self._process.poll() is None:
            end(self._process.pid)
            self._process.wait()
        if self._told >= 0:
            while self._listen(0):
                pass
            settle(self.journal)
            self._close()

    def _listen(self, seconds: float) -> bool:
        """Take what the process tells within some seconds; tell whether there was something."""
        if not select.select([self._told], [], [], seconds)[0]:
            return False
        content = os.read(self._told, 1 << 16)
        self.journal.read(content)
        if not content and self._process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        return bool(content)

    def _refuse_more_than(self, limits: Limits) -> None:
        seconds = time.monotonic() - self._began
        if limits.seconds is not None and seconds > limits.seconds:
            self.end()
            raise self._limit(f"took longer than {option('timeout')} allows ({limits.seconds:g} s)", "time")
        if limits.memory is not None and seconds >= self._next_look:
            taken = resident(self._process.pid)
            self._next_look = seconds + _LOOK_EVERY
            if taken > limits.memory:
                self.end()
                allowed = f"{option('max_memory')} allows {size(limits.memory)}"
                raise self._limit(f"took {size(taken)} of memory, {allowed}", "memory")

    def _limit(self, text: str, what: str) -> ProcessLimitError:
        name = {"time": "timeout", "memory": "max_memory"}[what]
        return ProcessLimitError(
            f"{self.what} {text}{self._where()}: {self._left()}; give it more {what}, or leave out {option(name)}",
            advice=f"give it more {what}, or leave out {option(name)}",
            step=self.journal.step or None,
        )

    def _crash(self, code: int) -> CrashError:
        if code == -signal.SIGKILL:
            how = "was ended from outside (SIGKILL), most often because the system has too little memory"
        elif code < 0:
            how = f"ended inside a library ({_signal_name(-code)})"
        else:
            how = f"was ended inside a library (exit code {code})"
        step = either("its standard error may tell more", "--verbose shows what the library writes")
        return CrashError(f"{self.what} {how}{self._where()}: {self._left()}; {step}", step=self.journal.step or None)

    def _where(self) -> str:
        told = self.journal
        places = [f"step {told.step!r}"] * bool(told.step) + [told.node] * bool(told.node)
        during = f" while it was {told.progress[0].lower()}{told.progress[1:]}" if told.progress else ""
        return during + (f", in {', '.join(places)}" if places else "")

    def _left(self) -> str:
        written = ", ".join(map(str, self.journal.written))
        return (
            f"only {written} {'is' if len(self.journal.written) == 1 else 'are'} written"
            if written
            else ("nothing is written")
        )

    def _close(self) -> None:
        os.close(self._told)
        os.close(self._alive)
        self._told = self._alive = -1


def _signal_name(number: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"
