"""Write artefacts while something goes wrong at every step: ``python -m test.supervision.faults NAME FAULT EVERY``.

Each attempt is a process of its own, forked before TensorFlow has begun anything. Something goes wrong there at the
n-th time that Python touches a file of the target's folder: the process is killed or interrupted, or the operating
system refuses. What lies there afterwards must be the old artefact or the new one, and nothing else.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from onnx_tf.errors import WriteError
from onnx_tf.export import replacing
from onnx_tf.export.writing import refused, written_files, written_whole
from onnx_tf.supervision.journal import Journal, telling_to
from onnx_tf.supervision.settling import settle
from test.models import text_model

MODEL = "g (float[N, 64] x) => (float[N, 64] y) <float[64] w> { t = Mul(x, w) y = Relu(t) }"
EVENTS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.listdir", "os.scandir", "shutil.rmtree"}
WRITING = {"open", "os.mkdir", "os.rename"}
FAULTS = ("kill", "interrupt", "full", "rights", "short")
LIMITS = (0, 1, 100, 1000, 2000, 4000, 8000)
"""Sizes that no file may exceed, where the disk is short."""

LARGE = {"out": ["saved_model.pb", "variables/variables.index"], "folder": ["part", "saved_model.pb"]}
"""The folders that are written, and some files in them."""


def write(target: Path) -> None:
    """Write an artefact of a format; a file without a suffix, or a folder, is of this test's own."""
    if target.name == "folder":
        with refused(target), written_whole(target) as folder:
            (folder / "part").write_bytes(b"new" * 1000)
            (folder / "saved_model.pb").write_bytes(b"new")
    elif target.name == "pair":
        with refused(target), written_files(_files(target)) as files:
            for file in files:
                file.write_bytes(b"new" * 1000)
    else:
        from onnx_tf.conversion import convert

        convert(_model(), target, check=False)


def _model() -> bytes:
    model = text_model(MODEL.replace("<float[64] w>", ""))
    weight = model.graph.initializer.add(name="w", data_type=1, dims=[64])
    weight.raw_data = bytes(256)
    return model.SerializeToString()


def _files(target: Path) -> list[Path]:
    if target.name == "pair":
        return [target, target.with_suffix(".npz")]
    if target.name.endswith((".py", ".weights.h5")):
        return [target, target.with_suffix(".npz")]
    return [target]


def _lay(target: Path) -> None:
    """Lay an old artefact at the target."""
    if target.name in LARGE:
        for name in (*LARGE[target.name], "old"):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(b"old")
    else:
        for file in _files(target):
            file.write_bytes(b"old")


def state(target: Path) -> str:
    """Return what lies in the folder of a target: ``old``, ``new``, ``nothing``, or what is wrong with it."""
    known = {file.name for file in _files(target)}
    others = sorted(set(os.listdir(target.parent)) - known)
    if others:
        return f"left: {others}"
    if target.name in LARGE:
        if not target.exists():
            return "nothing"
        found = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
        is_old = "old" in found
        whole = set(LARGE[target.name]) <= found
        return ("old" if is_old else "new") if whole else f"half: {sorted(found)}"
    kinds = {_kind(file) for file in _files(target)}
    return kinds.pop() if len(kinds) == 1 else f"half: {sorted(kinds)}"


def _kind(file: Path) -> str:
    if not file.exists():
        return "nothing"
    if file.read_bytes() == b"old":
        return "old"
    if file.suffix in (".keras", ".npz") and file.stem != "pair":
        with zipfile.ZipFile(file) as archive:
            return "new" if archive.testzip() is None else "half a file"
    return "new" if file.stat().st_size > 500 else "half a file"


def attempt(target: Path, fault: str, number: int) -> tuple[str, bool]:
    """Write while something goes wrong at the n-th chance; return how it ended, and whether it went wrong."""
    reading, telling = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        code = 5
        try:
            code = _attempt(target, fault, number, telling)
        finally:
            os._exit(code)
    os.close(telling)
    journal = Journal()
    with open(reading, "rb") as told:
        journal.read(told.read())
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if fault == "kill":
        settle(journal)
        return ("killed" if status == -signal.SIGKILL else f"ended with {status}"), status == -signal.SIGKILL
    ends = {0: "done", 3: "refused", 4: "interrupted"}
    return ends.get(status, f"ended with {status}"), status != 0


def _attempt(target: Path, fault: str, number: int, telling: int) -> int:
    if fault == "short":
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMITS[number - 1], LIMITS[number - 1]))
    else:
        sys.addaudithook(_hook(target.parent, fault, number))
    try:
        with telling_to(telling):
            write(target)
        return 0
    except WriteError:
        return 3
    except KeyboardInterrupt:
        return 4
    except BaseException:
        traceback.print_exc()
        return 5


def _hook(folder: Path, fault: str, number: int) -> Callable[[str, tuple[object, ...]], None]:
    left = [number]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        wanted = EVENTS if fault in ("kill", "interrupt") else WRITING
        if event not in wanted or not isinstance(arguments[0], (str, os.PathLike)):
            return
        if not os.path.abspath(arguments[0]).startswith(f"{folder}{os.sep}"):
            return
        if event == "open" and fault in ("full", "rights") and "w" not in str(arguments[1]):
            return
        left[0] -= 1
        if left[0] > 0 or (left[0] < 0 and (fault in ("kill", "interrupt") or event == "os.rename")):
            return  # a disk that is full stays so
        if fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif fault == "interrupt":
            raise KeyboardInterrupt
        else:
            code = errno.ENOSPC if fault == "full" else errno.EACCES
            raise OSError(code, os.strerror(code), arguments[0])

    return hook


def attempts(target: Path, fault: str, every: int) -> Iterator[tuple[int, bool, str, str]]:
    """Yield for each chance its number, whether an old artefact lay there, how it ended, and what lies there then."""
    for has_old in (False, True):
        for number in range(1, 1000, every):
            shutil.rmtree(target.parent, ignore_errors=True)
            target.parent.mkdir()
            if has_old:
                _lay(target)
            ended, went_wrong = attempt(target, fault, number)
            yield number, has_old, ended, state(target)
            if not went_wrong or (fault == "short" and number + every > len(LIMITS)):
                break


def main(names: str, faults: str, every: str, *ways: str) -> None:
    """Print each attempt as JSON; ``plain`` is a way without what exchanges two folders at once."""
    if set(names.split(",")) - {"folder", "pair"}:
        import tensorflow  # noqa: F401

        import onnx_tf.conversion
        import onnx_tf.handlers  # noqa: F401
    if ways:
        replacing._exchange = lambda *_: False
    rows = []
    for name, fault in itertools.product(names.split(","), faults.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder).resolve() / "place" / name
            rows += [(name, fault, *row) for row in attempts(target, fault, int(every))]
    print(json.dumps(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
