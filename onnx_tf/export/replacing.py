"""Put files and folders in the place of others, each at once wherever the system can."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from onnx_tf.supervision.journal import tell

__all__ = ["Move", "beside", "put", "removed"]

Move = tuple[Path, Path]
"""What is new and complete, and the place that it takes."""

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD of linux/fcntl.h, RENAME_EXCHANGE of linux/fs.h


def beside(target: Path) -> Path:
    """Return a path in the same folder that nothing has, for what is there for a while."""
    path = target.with_name(f".{target.name}.{secrets.token_hex(8)}{''.join(target.suffixes)}")
    tell("temporary", path)
    return path


def put(moves: Sequence[Move]) -> None:
    """Put each of several new things in its place; where one cannot be, those before it go back.

    What was in the places lies where the new things lay, or is gone.

    Raises:
        OSError: the operating system refuses it.
    """
    tell("moving", *(part for new, target in moves for part in (new, target, str(new.stat().st_ino))))
    backs: list[Callable[[], object]] = []
    try:
        for new, target in moves:
            # A file takes the place of another in one step; where more come, there must be a way back.
            if not target.exists():
                backs.append(partial(os.replace, target, new))
            elif (new.is_dir() or len(moves) > 1) and _exchange(new, target):
                backs.append(partial(_exchange, new, target))
                continue
            _replace(new, target)
    except BaseException:
        for back in reversed(backs):
            with contextlib.suppress(FileNotFoundError):  # that move was not made
                back()
        raise
    tell("moved")


def _replace(new: Path, target: Path) -> None:
    """Let something take a place; of a folder what was there must go away first."""
    if not (new.is_dir() and target.exists()):
        os.replace(new, target)
        return
    old = beside(target)
    try:
        os.replace(target, old)
        os.replace(new, target)
    finally:
        if not target.exists():
            os.replace(old, target)
        removed(old)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange what two paths lead to, at once; tell whether the system can."""
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    return rename is not None and rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0


def removed(path: Path) -> None:
    """Remove a file or a folder with all that is in it, if it is there and can be removed."""
    try:
        _remove(path)
    except BaseException:  # an interrupt
        _remove(path)
        raise


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        path.unlink()
