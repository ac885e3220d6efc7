"""The cases that older onnx releases carry in their wheels: they run older schema versions."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from onnx.backend.test.case.test_case import TestCase

RELEASES = {
    "1.5.0": "36",
    "1.8.1": "36",
    "1.12.0": "37",
    "1.15.0": "38",
    "1.18.0": "39",
    "1.20.0": "310",
}
"""Release -> a Python version for which the package index has a Linux wheel."""

PLATFORMS = [f"manylinux{tag}_x86_64" for tag in ("1", "2010", "2014", "_2_17", "_2_27", "_2_28")]
CACHE = Path.home() / ".cache" / "onnx_tf" / "onnx_releases"


def fetch_release(release: str, cache: Path = CACHE) -> Path:
    """Return the test data folder of a release, fetched with pip the first time.

    Raises:
        subprocess.CalledProcessError: pip could not fetch the wheel.
    """
    data = cache / release / "onnx" / "backend" / "test" / "data"
    if not data.exists():
        folder = cache / release
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--python-version", RELEASES[release], "--dest", str(folder), f"onnx=={release}"]
        subprocess.run(command + [f"--platform={platform}" for platform in PLATFORMS], check=True)
        (wheel,) = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder, [name for name in archive.namelist() if "/backend/test/data/" in name])
        wheel.unlink()
    return data


def load_release_cases(release: str, cache: Path = CACHE) -> dict[str, TestCase]:
    """Return the cases of a release by release, kind and name, such as ``1.5.0/node/test_abs``."""
    data = fetch_release(release, cache)
    return {
        f"{release}/{folder.parent.name}/{folder.name}": TestCase(
            name=folder.name,
            model_name=folder.name,
            url=None,
            model_dir=str(folder),
            model=None,
            data_sets=None,
            kind=folder.parent.name,
            rtol=1e-3,
            atol=1e-7,
        )
        for folder in sorted(path.parent for path in data.glob("*/test_*/model.onnx"))
    }
