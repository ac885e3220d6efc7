"""What becomes of the files of a process that died: each is the old one or the new one, none is half of one."""

from __future__ import annotations

import contextlib
from pathlib import Path

from onnx_tf.export.replacing import put, removed
from onnx_tf.supervision.journal import Journal

__all__ = ["settle"]


def settle(journal: Journal) -> None:
    """Finish the replacing that was begun, and take away what was to go away again."""
    with contextlib.suppress(OSError):  # of a disk that is gone: there is nothing more to be done
        put([(new, target) for new, target, number in journal.moving if not _is(target, number)])
        journal.written += [target for _, target, _ in journal.moving]
        journal.moving = []
    for path in journal.temporary:
        removed(path)
    for folder in reversed(journal.folders):
        with contextlib.suppress(OSError):  # it holds something
            folder.rmdir()


def _is(path: Path, number: int) -> bool:
    return path.exists() and path.stat().st_ino == number
