"""Walk through README.md and doc/ as a new user does: type each line, in order, in a folder of its own for each page.

Run it with ``python -m test.walk [PAGE...]``, or ``make walk``. Shell lines run in a shell and must say nothing on
standard error; the Python of a page runs in one process. What is not typed is said, with the reason.
"""

from __future__ import annotations

import argparse
import base64
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from test.test_docs import BLOCK, PAGES, ROOT, write_models

NOT_TYPED = {
    "make test": "the tests, of which this is one",
    "make test-all": "hours",
    "make demo": "it is `python example/demo.py`, which is typed",
    "make walk": "this",
    "make lint": "for who changes the code",
    "make bench": "half an hour",
    "make ops-table": "it rewrites the documents",
    "make test-packages": "it fetches packages from the network",
    "make test-consumers": "it fetches packages from the network",
    "pip install": "the package is installed already",
    "git ": "the clone is there already",
    "python -m pytest": "the tests",
    "python -m bench": "minutes for each model",
    "python -m test": "the tests",
}
INSTEAD = {"make demo": "python example/demo.py"}

_SESSION = """
import base64, os, sys, traceback
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what is printed is none
namespace = {"__name__": "__main__"}
for line in sys.stdin:
    try:
        exec(compile(base64.b64decode(line).decode(), "snippet", "exec"), namespace)
        print("done", file=answers, flush=True)
    except BaseException:
        traceback.print_exc()
        print("failed", file=answers, flush=True)
"""


class Session:
    """A Python process that blocks of a page are typed into, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the process)
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SESSION],
            cwd=folder,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def type(self, code: str) -> str:
        """Run a block; return what is wrong, ``""`` if nothing is."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(base64.b64encode(code.encode()).decode() + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        self.errors.seek(0)
        return "" if answer == "done" else self.errors.read().decode(errors="replace")[-1500:] or "the process ended"

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(60)
        self.errors.close()


def environment() -> dict[str, str]:
    """Return the environment of a user who has installed the package."""
    bins = str(Path(sys.executable).parent)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("TF_", "PYTEST_"))}
    return kept | {"PYTHONPATH": str(ROOT), "PATH": f"{bins}{os.pathsep}{os.environ.get('PATH', '')}"}


def walk(page: Path) -> Iterator[tuple[str, str, str]]:
    """Yield each line or block of a page, why it was not typed, and what went wrong with it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_models(folder)
        session = Session(folder)
        try:
            for language, code in BLOCK.findall(page.read_text(encoding="utf-8")):
                if language == "python":
                    yield code.splitlines()[0] + " ...", "", session.type(code)
                for line in code.splitlines() if language == "sh" else ():
                    typed = INSTEAD.get(line.split("#")[0].strip(), line)
                    reason = next((why for start, why in NOT_TYPED.items() if typed.startswith(start)), "")
                    yield typed, reason, "" if reason else _typed(typed, folder)
        finally:
            session.close()


def _typed(line: str, folder: Path) -> str:
    command = line.replace("onnx-tf ", f"{sys.executable} -m onnx_tf ", 1) if line.startswith("onnx-tf ") else line
    where = ROOT if "example/" in line else folder
    if "example/" in line:
        command += f" {folder}"
    done = subprocess.run(
        command, shell=True, cwd=where, env=environment(), capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode:
        return f"exit code {done.returncode}: {done.stderr[-1500:]}"
    return done.stderr[-1500:] if line.startswith("onnx-tf ") else ""


def main() -> int:
    """Walk; return 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="*", help="names of pages, as in cli.md; all by default")
    wanted = parser.parse_args().pages
    surprises = 0
    for page in PAGES:
        if wanted and page.name not in wanted:
            continue
        print(page.relative_to(ROOT))
        for line, reason, problem in walk(page):
            surprises += bool(problem)
            mark = "SURPRISE" if problem else "not typed" if reason else "ok"
            print(f"  {mark:9s} {line}{f' ({reason})' if reason else ''}", flush=True)
            if problem:
                print("    " + problem.strip().replace("\n", "\n    "))
    print(f"{surprises} surprises")
    return 1 if surprises else 0


if __name__ == "__main__":
    raise SystemExit(main())
