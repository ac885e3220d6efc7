"""The interpreters of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

MINORS = (10, 11, 12, 13)
"""Python 3.10 and newer, as setup.cfg states them."""


def installed(minors: Sequence[int] = MINORS) -> dict[str, Path]:
    """Return an interpreter that runs for each version, as far as there is one: on the path, or of pyenv."""
    found = {}
    for minor in minors:
        own = next((path for path in _candidates(minor) if _version(path) == f"3.{minor}"), None)
        if own is not None:
            found[f"3.{minor}"] = own
    return found


def _candidates(minor: int) -> Iterator[Path]:
    on_path = shutil.which(f"python3.{minor}")
    if on_path is not None:
        yield Path(on_path)
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted((root / "versions").glob(f"3.{minor}.*/bin/python"))


def _version(python: Path) -> str:
    code = "import sys, ensurepip; print(*sys.version_info[:2], sep='.')"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip()
