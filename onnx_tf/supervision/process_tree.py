"""A process and all that it started: what memory they hold, and their end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

__all__ = ["can_measure", "end", "resident"]

_PROC = Path("/proc")


def can_measure() -> bool:
    """Return whether the system tells which processes there are."""
    try:
        return bool(_processes())
    except OSError:
        return False


def resident(root: int) -> int:
    """Return how many bytes of memory a process and all that it started hold, as ``ps`` and ``top`` count them."""
    processes = _processes()
    return sum(processes[pid][1] for pid in _tree(root, processes))


def end(root: int) -> None:
    """End a process and all that it started, at once.

    They are stopped first, so that none starts another meanwhile.
    """
    with contextlib.suppress(OSError):
        stopped: set[int] = set()
        while new := _tree(root, _processes()) - stopped:
            for pid in new:
                _send(pid, signal.SIGSTOP)
            stopped |= new
        for pid in stopped - {root}:
            _send(pid, signal.SIGKILL)
    _send(root, signal.SIGKILL)


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _tree(root: int, processes: dict[int, tuple[int, int]]) -> set[int]:
    children: dict[int, list[int]] = {}
    for pid, (parent, _) in processes.items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    waiting = [root] if root in processes else []
    while waiting:
        found.add(pid := waiting.pop())
        waiting += [child for child in children.get(pid, ()) if child not in found]
    return found


def _processes() -> dict[int, tuple[int, int]]:
    """Return the parent of each process, and the bytes that it holds.

    Raises:
        OSError: the system does not tell.
    """
    return _of_linux() if (_PROC / "self" / "stat").exists() else _of_ps()


def _of_linux() -> dict[int, tuple[int, int]]:
    page, found = os.sysconf("SC_PAGE_SIZE"), {}
    for name in filter(str.isdecimal, os.listdir(_PROC)):
        with contextlib.suppress(OSError):  # one that has just ended
            # The name of the program, in brackets, may hold spaces and brackets.
            fields = (_PROC / name / "stat").read_bytes().rpartition(b")")[2].split()
            found[int(name)] = int(fields[1]), int(fields[21]) * page
    return found


def _of_ps() -> dict[int, tuple[int, int]]:
    command = ["ps", "-A", "-o", "pid=,ppid=,rss="]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    rows = [list(map(int, line.split())) for line in done.stdout.splitlines()]
    return {pid: (parent, kilobytes * 1024) for pid, parent, kilobytes in rows}
