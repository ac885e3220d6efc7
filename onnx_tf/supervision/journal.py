"""What a process tells the one that watches it: which step runs, which files it begins, and which are in their places.

It tells before it does: whatever ends it, what is half done is known.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Journal", "is_watched", "tell", "telling_to"]

_LISTENER: ContextVar[int | None] = ContextVar("listener", default=None)


@contextlib.contextmanager
def telling_to(descriptor: int) -> Iterator[None]:
    """Write what :func:`tell` is given to a descriptor, for as long as the block runs."""
    token = _LISTENER.set(descriptor)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def is_watched() -> bool:
    """Return whether another process watches this one: what is left of it are files then, and what it told."""
    return _LISTENER.get() is not None


def tell(kind: str, *what: str | os.PathLike[str]) -> None:
    """Tell whoever watches this process something; where none does, nothing happens.

    Args:
        kind: ``progress``, ``step`` and ``node`` (what runs, ever finer), ``folder`` (is about to be made),
            ``temporary`` (likewise a file or folder that goes away), ``moving`` (complete files and folders, each
            with the place that it takes and its number in the file system), ``moved``, and ``done`` (with the exit
            code).
        what: names, texts or paths.
    """
    listener = _LISTENER.get()
    if listener is None:
        return
    line = json.dumps([kind, *(os.fspath(part) for part in what)]).encode() + b"\n"
    with contextlib.suppress(OSError):  # of a listener that is gone
        while line:
            line = line[os.write(listener, line) :]


@dataclass
class Journal:
    """What a process told.

    Attributes:
        progress: what it was doing, as people are shown it.
        step: which step of that it came to.
        node: which node, where the step takes nodes one after another.
        folders: what it was about to make, in order.
        temporary: files and folders that were to go away again.
        moving: what was being put in its place, and has not been for all that is known.
        written: what is complete and in its place.
        code: the exit code that it meant to end with, once all was done.
        heard: called with what it begins to do.
    """

    progress: str = ""
    step: str = ""
    node: str = ""
    folders: list[Path] = field(default_factory=list)
    temporary: list[Path] = field(default_factory=list)
    moving: list[tuple[Path, Path, int]] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)
    code: int | None = None
    heard: Callable[[str], None] = lambda _: None
    _rest: bytes = b""

    def read(self, content: bytes) -> None:
        """Take what came; a line that is not whole yet waits for the rest."""
        *lines, self._rest = (self._rest + content).split(b"\n")
        for line in lines:
            self._take(*json.loads(line))

    def _take(self, kind: str, *what: str) -> None:
        if kind == "progress":
            self.progress, self.step, self.node = what[0], "", ""
            self.heard(self.progress)
        elif kind == "step":
            self.step, self.node = what[0], ""
        elif kind == "node":
            self.node = what[0]
        elif kind == "temporary":
            self.temporary += map(Path, what)
        elif kind == "folder":
            self.folders += map(Path, what)
        elif kind == "moving":
            places = zip(what[::3], what[1::3], what[2::3], strict=True)
            self.moving = [(Path(new), Path(target), int(number)) for new, target, number in places]
        elif kind == "moved":
            self.written += [target for _, target, _ in self.moving]
            self.moving = []
        elif kind == "done":
            self.code = int(what[0])
