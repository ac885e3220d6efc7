"""What the commands show: progress on a terminal, and nothing of TensorFlow's own log."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator


def import_tensorflow() -> None:
    """Import TensorFlow without the lines that it writes to the screen.

    Some of them come from C++ before any log level is read: they are kept away by closing
    standard error for as long as the import takes.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "tensorflow" not in sys.modules:
        with _no_stderr():
            import tensorflow as tf

            tf.config.list_physical_devices()
            tf.get_logger().setLevel("ERROR")
        logging.getLogger("onnx_ir").setLevel("ERROR")


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


@contextlib.contextmanager
def tensorflow_with_progress() -> Iterator[Callable[[str], None]]:
    """Import TensorFlow, then yield a function that shows which step is running: on a terminal only."""
    if not sys.stderr.isatty():
        import_tensorflow()
        yield lambda _: None
        return
    from rich.console import Console

    # A descriptor of its own: the import closes number 2 for a while.
    with (
        os.fdopen(os.dup(2), "w") as terminal,
        Console(file=terminal, force_terminal=True).status("Starting TensorFlow ...") as status,
    ):
        import_tensorflow()
        yield lambda step: status.update(f"{step} ...")


@contextlib.contextmanager
def progress(step: str) -> Iterator[None]:
    """Show on a terminal that a step is running."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(f"{step} ..."):
        yield


def size(count: float) -> str:
    """Return a number of bytes as in ``1.5 MB``."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
