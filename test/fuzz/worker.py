"""The process in which cases are tried, one after another, until one ends it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import runpy
import shutil
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from onnx_tf.errors import OnnxTfError
from onnx_tf.supervision.journal import telling_to
from test.fuzz import of_bytes, of_feeds, of_files, of_names, of_schemas, of_structure
from test.fuzz.case import Case, Maker, lay
from test.fuzz.seeds import Seed

__all__ = ["KINDS", "Trier", "case_of", "serve"]

KINDS: dict[str, Maker] = {
    "bytes": of_bytes.make,
    "structure": of_structure.make,
    "crafted": of_schemas.make,
    "external": of_files.make,
    "runtime": of_feeds.make,
    "names": of_names.make,
}
EXPORTED = 25
"""Of the models that are converted, one of so many is written too."""

_READ = (
    "/proc/",
    "/sys/",
    "/usr/",
    "/lib",
    "/etc/ld",
    "/etc/local",
    os.path.expanduser("~/.keras"),
    sys.prefix,
    sys.base_prefix,
)
_WRITTEN = ("/dev/null",)


def case_of(kind: str, seed: int, number: int, seeds: Sequence[Seed]) -> Case:
    """Return a case: the same for the same kind, seed, number and models."""
    return KINDS[kind](random.Random(f"{kind} {seed} {number}"), seeds, number)


class Trier:
    """Tries cases in this process."""

    def __init__(self, folder: Path) -> None:
        """Watch which files are opened from here on.

        Args:
            folder: where cases are laid; temporary files are expected in it too.
        """
        self.folder = folder
        self.outside: list[str] = []
        self._reps: dict[str, Any] = {}
        self._root = Path(__file__).parents[2]
        sys.addaudithook(self._audit)

    def __call__(self, case: Case, number: int) -> dict[str, Any]:
        """Return the verdict of a case, and what it says."""
        place = self.folder / "case"
        shutil.rmtree(place, ignore_errors=True)
        path = lay(case, place)
        self.outside.clear()
        try:
            self._try(case, path, exported=number % EXPORTED == 0)
            found = {"verdict": "ran"}
        except OnnxTfError as error:
            found = {"verdict": "refused", "text": f"{type(error).__name__}: {error}"[:300]}
        except BaseException as error:
            found = {"verdict": "wrong error", "text": _signature(error), "trace": traceback.format_exc()[-4000:]}
        if self.outside:
            found = {"verdict": "outside", "text": self.outside[0]}
        return found

    def _try(self, case: Case, path: Path, *, exported: bool) -> None:
        from onnx_tf import prepare

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if case.form:
                self._write(case, path.parent.parent)
                return
            rep = self._reps.get(case.key)
            if rep is None:
                rep = prepare(path if case.files else case.content)
            self._reps = {case.key: rep} if case.key else {}
            if case.feed is not None:
                rep.run(list(case.feed))
            if exported:
                rep.export_graph(path.parent.parent / "target")

    def _write(self, case: Case, folder: Path) -> None:
        """Write a model, and run what is code of it."""
        from onnx_tf import convert

        target = folder / "target"
        done = convert(case.content, target, formats=[case.form], check=False)  # type: ignore[list-item]
        if case.form == "keras_source":
            source = runpy.run_path(str(done.path))
            source["load_weights"](source["build_model"](), done.path.with_suffix(".npz"))
        beside = set(os.listdir(folder)) - {"target", "model", "secret.bin"}
        if beside:
            self.outside.append(f"it wrote {sorted(beside)}")

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in ("open", "os.mkdir", "os.rename", "os.symlink", "os.remove"):
            return
        if not isinstance(arguments[0], (str, bytes, os.PathLike)):
            return
        path = os.path.realpath(os.fsdecode(arguments[0]))
        writes = event != "open" or (isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR))
        if f"{path}{os.sep}".startswith(f"{self.folder}{os.sep}") and not path.endswith("secret.bin"):
            return
        if path.startswith(_WRITTEN) or path.endswith(".pyc") or "__pycache__" in path:
            return
        if not writes and path.startswith((*map(str, _READ), str(self._root))):
            return
        self.outside.append(f"{event} {'writes' if writes else 'reads'} {re.sub('[0-9]+', 'N', path)[:120]}")


def _signature(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/onnx_tf/" in frame.filename] or frames
    place = f"{own[-1].filename.rpartition('/onnx_tf/')[2]}:{own[-1].lineno}"
    message = re.sub(r"\d+", "N", str(error)).strip().split("\n")[0][:100]
    return f"{type(error).__name__} at {place}: {message}"


def serve(
    kind: str, seed: int, seeds: Sequence[Seed], folder: Path, commands: int, answers: int, warm: Callable[[], None]
) -> None:
    """Try the cases whose numbers come, and answer each with a line of JSON; the first line says that it begins."""
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    os.chdir(folder)
    warm()
    trier = Trier(folder)
    with os.fdopen(commands) as numbers, telling_to(answers):
        _answer(answers, {"verdict": "ready"})
        for line in numbers:
            case = case_of(kind, seed, int(line), seeds)
            before = memory()
            with contextlib.suppress(OSError):
                Path("/proc/self/clear_refs").write_text("5")  # sets the peak back
            found = trier(case, int(line))
            found["memory"] = memory("VmHWM") - before
            _answer(answers, found)


def _answer(answers: int, found: dict[str, Any]) -> None:
    os.write(answers, json.dumps(["result", found]).encode() + b"\n")


def memory(what: str = "VmRSS", pid: int | str = "self") -> int:
    """Return the bytes of memory that a process holds, or held at its peak (``VmHWM``)."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(what):
                return int(line.split()[1]) * 1024
    return 0
