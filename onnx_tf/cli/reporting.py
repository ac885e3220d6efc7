"""How commands end: exit codes, and errors on the screen and in JSON."""

from __future__ import annotations

import contextlib
import errno
import sys
import traceback
import warnings
from collections.abc import Iterator
from typing import Any

from onnx_tf.cli import as_json as json_text
from onnx_tf.cli.usage import UsageError
from onnx_tf.errors import FileError, InputError, OnnxTfError, OptionError, PathError, WriteError

FAILURE, USAGE, INTERRUPTED = 1, 2, 130
"""A model or a verdict; wrong names, files and options; Ctrl-C."""

_WRONG_USAGE = (UsageError, OptionError, InputError, FileError, PathError)
OUTSIDE = "outside-error"
"""The code of errors that are raised by the operating system, by Python or by TensorFlow."""

_OF_THE_DISK = frozenset({errno.ENOSPC, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC)})


def exit_code(error: BaseException) -> int:
    """Return the exit code that says what kind of error it is."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, WriteError):
        return FAILURE if getattr(error.__cause__, "errno", None) in (None, *_OF_THE_DISK) else USAGE
    return USAGE if isinstance(error, _WRONG_USAGE) else FAILURE


def is_expected(error: Exception) -> bool:
    """Return whether an error is told in a line; others are bugs, with a traceback."""
    return isinstance(error, (OnnxTfError, OSError, MemoryError)) or type(error).__module__.startswith("tensorflow.")


def report(error: BaseException, *, as_json: bool, program: str = "onnx-tf", verbose: bool = False) -> None:
    """Print an error to standard error, and if asked for as JSON to standard output.

    Args:
        error: the error.
        as_json: whether JSON was asked for.
        program: what the line begins with.
        verbose: whether the traceback is shown besides.
    """
    if verbose:
        traceback.print_exception(error)
    message = _message(error)
    print(f"{program}: {message}", file=sys.stderr)
    if as_json:
        content = {"type": type(error).__name__, "code": OUTSIDE, "message": message}
        if isinstance(error, OnnxTfError):
            content |= {"code": error.code, "advice": error.advice_for_command_line(), **error.fields()}
        with contextlib.suppress(OSError):  # it may be standard output itself that failed
            print(json_text.text({"error": content}), flush=True)


@contextlib.contextmanager
def plain_warnings() -> Iterator[None]:
    """Show warnings as one line each, without the place in the code that they come from."""
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        yield


def _show_warning(message: Warning | str, *_place: Any, **_settings: Any) -> None:
    print(f"onnx-tf: warning: {message}", file=sys.stderr)


def _message(error: BaseException) -> str:
    if isinstance(error, OnnxTfError):
        return error.for_command_line().strip()
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
