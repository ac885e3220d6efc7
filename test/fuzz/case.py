"""A case: a model, the files beside it, and what it is given; made of a kind, a seed and a number alone."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from test.fuzz.seeds import Seed

__all__ = ["Case", "Maker", "lay"]


@dataclass(frozen=True)
class Case:
    """One attempt.

    Attributes:
        title: what was done to which model.
        content: the model.
        feed: what it is run with, by position or by name; ``None`` where it is not run.
        files: what lies beside it: a kind (``file``, ``link``, ``folder``, ``pipe``), a path, and bytes or a target.
        form: the format that it is written in; ``""`` where it is prepared and run.
        key: of cases that share their model, the same: it is converted once for them.
    """

    title: str
    content: bytes
    feed: Any = None
    files: tuple[tuple[str, str, Any], ...] = ()
    form: str = ""
    key: str = ""


Maker = Callable[[random.Random, Sequence[Seed], int], Case]
"""Makes the case of a number."""


def lay(case: Case, folder: Path) -> Path:
    """Write a case into ``folder/model``, beside a file that it must not read; return the model's path."""
    inner = folder / "model"
    inner.mkdir(parents=True)
    (folder / "secret.bin").write_bytes(bytes(range(256)) * 16)
    path = inner / "model.onnx"
    path.write_bytes(case.content)
    for kind, name, what in case.files:
        place = inner / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if kind == "file":
            place.write_bytes(what)
        elif kind == "link":
            os.symlink(what, place)
        elif kind == "pipe":
            os.mkfifo(place)
        else:
            place.mkdir(exist_ok=True)
    return path
