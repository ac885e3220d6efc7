"""Build the wheel and try it in fresh environments: ``python -m test.packaging [--pythons 3.10,3.13]``.

For each Python there are two: with the oldest dependencies that setup.cfg allows, and with the newest.
"""

from __future__ import annotations

import argparse
import email
import shutil
import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

from test.packaging.pythons import installed

ROOT = Path(__file__).parents[2]
SOURCES = ("onnx_tf", "setup.cfg", "setup.py", "README.md", "LICENSE")
RESOLUTIONS = {"oldest": "lowest-direct", "newest": "highest"}
EXTRAS = ("check", "images", "litert", "yaml")
BIN = "Scripts" if sys.platform == "win32" else "bin"


def main(arguments: Sequence[str] | None = None) -> int:
    """Try all, print a line for each environment; return 1 where one fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pythons", help="versions, as in 3.10,3.13 (default: all that are installed)")
    parser.add_argument("--dependencies", choices=RESOLUTIONS, help="only these (default: both)")
    chosen = parser.parse_args(arguments)
    pythons = installed()
    if chosen.pythons:
        pythons = {version: pythons[version] for version in chosen.pythons.split(",")}
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tools = _tools(folder / "tools")
        wheel = _built(folder, tools)
        for version, python in pythons.items():
            for age in [chosen.dependencies] if chosen.dependencies else RESOLUTIONS:
                start = time.perf_counter()
                ok = _tried(folder / f"{version}_{age}", tools, python, wheel, RESOLUTIONS[age])
                verdict = "works" if ok else "FAILS"
                print(f"Python {version}, {age}: {verdict} ({time.perf_counter() - start:.0f} s)", flush=True)
                failed += not ok
    return 1 if failed or not pythons else 0


def _tools(place: Path) -> Path:
    venv.create(place, with_pip=True)
    tools = place / BIN
    _call(tools / "python", "-m", "pip", "install", "--quiet", "build", "twine", "uv")
    return tools


def _built(folder: Path, tools: Path) -> Path:
    """Build from a copy of what belongs to the package; return the wheel, which is made of the sdist."""
    copy, out = folder / "source", folder / "dist"
    copy.mkdir()
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy)
    _call(tools / "python", "-m", "build", "--outdir", out, copy, quiet=True)
    _call(tools / "python", "-m", "twine", "check", "--strict", *out.iterdir())
    (wheel,) = out.glob("*.whl")
    _check_content(wheel)
    return wheel


def _check_content(wheel: Path) -> None:
    """Require of a wheel each file of the package, and nothing else."""
    own = {path.relative_to(ROOT).as_posix() for path in (ROOT / "onnx_tf").rglob("*") if path.is_file()}
    own = {name for name in own if "__pycache__" not in name}
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert found == own, f"missing: {sorted(own - found)}, too many: {sorted(found - own)}"


def _requirements(wheel: Path) -> list[str]:
    """Return what a wheel requires, extras included."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    found = []
    for requirement in metadata.get_all("Requires-Dist", []):
        own, _, extra = requirement.partition(";")
        if not extra or any(f'extra == "{name}"' in extra for name in EXTRAS):
            found.append(own.strip())
    return found


def _tried(place: Path, tools: Path, python: Path, wheel: Path, resolution: str) -> bool:
    """Install the wheel in an environment of its own and run the smoke test in an empty folder."""
    place.mkdir()
    own = place / "venv"
    try:
        _call(tools / "uv", "venv", "--quiet", "--python", python, own)
        interpreter = own / BIN / "python"
        install = ("pip", "install", "--quiet", "--no-build", "--resolution", resolution, "--python", interpreter)
        # Of what is asked for itself, not of what that needs, the resolver takes the oldest.
        _call(tools / "uv", *install, wheel, *_requirements(wheel))
        shutil.copy(Path(__file__).with_name("smoke.py"), place)
        _call(interpreter, "smoke.py", cwd=place)
    except subprocess.CalledProcessError as error:
        print(error, error.stderr or "", sep="\n")
        return False
    finally:
        shutil.rmtree(own, ignore_errors=True)
    return True


def _call(program: Path, *arguments: object, cwd: Path | None = None, quiet: bool = False) -> None:
    command = [str(program), *map(str, arguments)]
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} if quiet else {}
    subprocess.run(command, check=True, cwd=cwd, **settings)


if __name__ == "__main__":
    raise SystemExit(main())
