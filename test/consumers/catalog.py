"""The consumers: each is a module of ``readers/`` that says in its first comment what it needs (PEP 723)."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from test.consumers.samples import NAMES, models_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

READERS = Path(__file__).with_name("readers")
BLOCK = re.compile(r"^# /// script\n((?:#.*\n)+?)# ///$", re.MULTILINE)


@dataclass(frozen=True)
class Consumer:
    """A program that reads what this project writes.

    Attributes:
        name: the module of ``readers/``.
        title: what the program is called.
        artefacts: the kinds that it is given, see :mod:`test.consumers.samples`.
        how: what it is called with.
        dependencies: what pip installs; where there is nothing, it runs in this process's own environment.
        python: the versions of Python that it runs on.
        npm: what npm installs.
        told: the packages whose versions are told.
        models: the models that it is given, where that is not all of them.
        options: options of ``convert``, by kind, with which its files are made besides those of the kind.
        instead: what to do where it does not get numbers right, by model; ``*`` stands for all others.
    """

    name: str
    title: str
    artefacts: tuple[str, ...]
    how: str
    dependencies: tuple[str, ...] = ()
    python: str = ""
    npm: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    instead: Mapping[str, str] = field(default_factory=dict)

    def files(self) -> list[tuple[str, str]]:
        """Return what it is given: kinds of files and models."""
        return [
            (kind, model) for kind in self.artefacts for model in models_of(kind) if model in (self.models or NAMES)
        ]

    def advice(self, model: str) -> str:
        """Return what to do where a model is not read."""
        return self.instead.get(model, self.instead.get("*", ""))


def script_metadata(path: Path) -> dict[str, Any] | None:
    """Return what a script says of itself in its first comment; ``None`` where it says nothing."""
    block = BLOCK.search(path.read_text())
    if block is None:
        return None
    return tomllib.loads("".join(line[2:] or "\n" for line in block[1].splitlines(keepends=True)))


def consumers() -> list[Consumer]:
    """Return all of them, by name."""
    return [_consumer(path.stem, stated) for path in sorted(READERS.glob("*.py")) if (stated := script_metadata(path))]


def _consumer(name: str, stated: Mapping[str, Any]) -> Consumer:
    own = dict(stated["tool"]["consumer"])
    own |= {key: " ".join(own[key].split()) for key in ("how",)}
    lists = {key: tuple(own.pop(key)) for key in ("artefacts", "npm", "told", "models") if key in own}
    return Consumer(
        name=name,
        dependencies=tuple(stated.get("dependencies", ())),
        python=stated.get("requires-python", ""),
        **own,
        **lists,
    )
