"""What the commands show: progress on a terminal, and nothing of TensorFlow's own log."""

from __future__ import annotations

import argparse
import contextlib
import functools
import gc
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator

from onnx_tf.supervision.journal import tell


def import_tensorflow(*, verbose: bool = False) -> None:
    """Import TensorFlow without the lines that it writes to the screen, unless all is to be shown.

    Some of them come from C++ before any log level is read: they are kept away by closing
    standard error for as long as the import takes.
    """
    if verbose:
        import tensorflow as tf

        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "tensorflow" not in sys.modules:
        with _no_stderr(), _no_collections():
            import tensorflow as tf

            tf.config.list_physical_devices()
            tf.get_logger().setLevel("ERROR")
        logging.getLogger("onnx_ir").setLevel("ERROR")


@contextlib.contextmanager
def _no_collections() -> Iterator[None]:
    """Look for no garbage while modules are imported, which make next to none: it takes a quarter of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def _no_stderr() -> Iterator[None]:
    sys.stderr.flush()
    saved = os.dup(2)
    devnull = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(devnull, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(devnull)


@contextlib.contextmanager
def no_native_output() -> Iterator[None]:
    """Keep away what C++ writes to the screen: LiteRT's converter has notes and traces for every failure.

    What Python writes, warnings among it, is shown.
    """
    with contextlib.ExitStack() as stack:
        for name, number in (("stdout", 1), ("stderr", 2)):
            stack.enter_context(_python_only(name, number))
        yield


@contextlib.contextmanager
def _python_only(name: str, number: int) -> Iterator[None]:
    stream = getattr(sys, name)
    with contextlib.suppress(OSError, ValueError, AttributeError):
        stream.flush()
    try:
        saved = os.dup(number)
    except OSError:  # closed by who started this program
        yield
        return
    own = os.fdopen(saved, "w", buffering=1, encoding=getattr(stream, "encoding", None), errors="backslashreplace")
    with own, open(os.devnull, "w") as devnull:
        os.dup2(devnull.fileno(), number)
        is_python_s = _descriptor(stream) == number
        if is_python_s:
            setattr(sys, name, own)
        try:
            yield
        finally:
            os.dup2(saved, number)
            if is_python_s:
                setattr(sys, name, stream)


def _descriptor(stream: object) -> int | None:
    try:
        number: int = stream.fileno()  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):  # of tests and notebooks
        return None
    return number


class Terminal:
    """What a person sees while a command runs, and how long each part of it takes."""

    def __init__(self, show: Callable[[str], None], began: float, *, verbose: bool = False) -> None:
        self._show, self._verbose = show, verbose
        self._native = contextlib.ExitStack()
        self._began, self._part = began, "reading"
        self._seconds: dict[str, float] = {}

    def import_tensorflow(self) -> None:
        """Import TensorFlow, and keep what C++ writes off the screen from here on, unless all is to be shown."""
        self._enter("TensorFlow")
        tell("progress", "Starting TensorFlow")
        self._show("Starting TensorFlow")
        import_tensorflow(verbose=self._verbose)
        if not self._verbose:
            self._native.enter_context(no_native_output())

    def step(self, name: str) -> None:
        """Say which step of the command begins."""
        self._enter("checks" if name.startswith("Checking") else "conversion")
        tell("progress", name)
        self._show(name)

    def seconds(self) -> dict[str, float]:
        """Return how long each part took so far, in seconds: together they are what a person waited."""
        self._enter(self._part)
        return {part: seconds for part, seconds in self._seconds.items() if seconds}

    def close(self) -> None:
        """Show again what C++ writes."""
        self._native.close()

    def _enter(self, part: str) -> None:
        now = time.perf_counter()
        self._seconds[self._part] = self._seconds.get(self._part, 0.0) + now - self._began
        self._began, self._part = now, part


@contextlib.contextmanager
def tensorflow_later(arguments: argparse.Namespace) -> Iterator[Terminal]:
    """Yield what shows progress and imports TensorFlow once all that needs none is done.

    Progress is shown on a terminal only, and not if ``--quiet`` is given; with ``--verbose`` it is lines.
    """
    with contextlib.ExitStack() as stack:
        show: Callable[[str], None] = _nowhere
        if arguments.verbose:
            show = functools.partial(_line, arguments.began)
        elif sys.stderr.isatty() and not arguments.quiet:
            from rich.console import Console

            # A descriptor of its own: the import closes number 2 for a while.
            screen = stack.enter_context(os.fdopen(os.dup(2), "w"))
            status = stack.enter_context(Console(file=screen, force_terminal=True).status("Reading ..."))
            show = lambda step: status.update(f"{step} ...")  # noqa: E731
        terminal = Terminal(show, arguments.began, verbose=arguments.verbose)
        stack.callback(terminal.close)
        yield terminal


def _nowhere(_step: str) -> None: ...


def _line(began: float, step: str) -> None:
    print(f"{time.perf_counter() - began:8.2f} s  {step}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def progress(step: str) -> Iterator[None]:
    """Show on a terminal that a step is running."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(f"{step} ..."):
        yield
