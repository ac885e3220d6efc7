"""The trained models of ``manifest.toml``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MANIFEST = Path(__file__).with_name("manifest.toml")


@dataclass(frozen=True)
class TrainedModel:
    """An .onnx file inside of a package.

    Attributes:
        file: its path there.
        inputs: how to draw an input, by its name: ``shape``, ``low``, ``high``, each only where needed.
        check: whether ``--check`` draws its inputs or is given these.
        reason: why it is not right in all ways, if it is not.
    """

    file: str
    inputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    check: str = "drawn"
    reason: str = ""


@dataclass(frozen=True)
class Package:
    """A package of PyPI.

    Attributes:
        name: its name there.
        version: the version that is taken.
        license: what its metadata state.
        models: the files that are tried.
        pip: what ``pip download`` must be told besides.
    """

    name: str
    version: str
    license: str
    models: tuple[TrainedModel, ...]
    pip: tuple[str, ...] = ()


def packages() -> list[Package]:
    """Return the packages of the manifest, in its order."""
    entries = tomllib.loads(MANIFEST.read_text())["package"]
    return [
        Package(
            entry["name"],
            entry["version"],
            entry["license"],
            tuple(TrainedModel(**model) for model in entry["model"]),
            tuple(entry.get("pip", ())),
        )
        for entry in entries
    ]


def reasons(known: Iterable[Package]) -> dict[str, str]:
    """Return why models are not right, by their files."""
    return {model.file: model.reason for package in known for model in package.models if model.reason}
