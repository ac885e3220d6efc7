"""Virtual environments and folders of npm for consumers."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import SpecifierSet

from test.consumers.catalog import Consumer


@dataclass(frozen=True)
class Environment:
    """Where a consumer is installed.

    Attributes:
        python: the Python that runs its reader.
        modules: the ``node_modules`` of its npm packages, if it has any.
        version: the packages whose versions are told, as in ``openvino 2026.4.0``.
    """

    python: Path
    modules: Path | None
    version: str


class NotInstallableError(Exception):
    """A consumer cannot be installed; what the installer said."""


def environment(consumer: Consumer, cache: Path) -> Environment:
    """Return the environment of a consumer, made if the cache has none; consumers that need the same share it.

    Raises:
        NotInstallableError: pip or npm failed, or the running Python is none that it takes.
    """
    here = ".".join(map(str, sys.version_info[:3]))
    if consumer.dependencies and here not in SpecifierSet(consumer.python):
        raise NotInstallableError(f"Python {here} is none of {consumer.python}")
    wanted = json.dumps([sys.version_info[:2], consumer.dependencies, consumer.npm])
    folder = cache / hashlib.sha256(wanted.encode()).hexdigest()[:12]
    python = Path(sys.executable)
    if consumer.dependencies:
        python = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if not (folder / "ready").exists():
        folder.mkdir(parents=True, exist_ok=True)
        if consumer.dependencies:
            venv.create(folder / "venv", with_pip=True, clear=True)
            _installed([str(python), "-m", "pip", "install", "--quiet", *consumer.dependencies], folder)
        if consumer.npm:
            _installed(["npm", "install", "--silent", "--no-audit", "--no-fund", *consumer.npm], folder)
        (folder / "ready").touch()
    modules = folder / "node_modules" if consumer.npm else None
    return Environment(python, modules, _versions(consumer, python, modules))


def _installed(command: list[str], folder: Path) -> None:
    environment = os.environ | {"PYTHONPATH": "", "npm_config_prefix": str(folder)}
    (folder / "package.json").write_text("{}")
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotInstallableError((done.stderr or done.stdout).strip())


def _versions(consumer: Consumer, python: Path, modules: Path | None) -> str:
    code = "import sys, importlib.metadata as m; print(*(f'{n} {m.version(n)}' for n in sys.argv[1:]), sep=', ')"
    told = [name for name in consumer.told if modules is None or not (modules / name).exists()]
    found = []
    if told:
        found.append(subprocess.check_output([str(python), "-c", code, *told], text=True).strip())
    for name in consumer.told:
        if name not in told and modules is not None:
            package = json.loads((modules / name / "package.json").read_text())
            found.append(f"{name} {package['version']}")
    return ", ".join(found)
