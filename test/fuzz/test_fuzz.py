"""Some broken models and inputs of every kind; ``make fuzz`` tries thousands."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from test.cli.test_cli import ROOT
from test.fuzz.case import Case, lay
from test.fuzz.driving import Outcome, table
from test.fuzz.seeds import few
from test.fuzz.worker import KINDS, case_of

CASES = {"names": 6, **dict.fromkeys(("bytes", "structure", "crafted", "external", "runtime"), 25)}


def test_none_ends_the_process_or_raises_another_error(tmp_path):
    for cases in sorted(set(CASES.values())):
        kinds = [kind for kind in KINDS if CASES[kind] == cases]
        counts = tried("--few", "--cases", str(cases), "--keep", str(tmp_path), *(f"--kind={kind}" for kind in kinds))
        assert list(counts) == kinds
        assert all(sum(row) == cases for row in counts.values())
        assert sum(row[0] for row in counts.values()) >= cases // 2  # enough of them are computed


def tried(*arguments: str) -> dict[str, list[int]]:
    """Return how often each verdict was, by kind."""
    environment = os.environ | {"PYTHONPATH": ROOT, "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, "-m", "test.fuzz", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    rows = [row.split() for row in done.stdout.splitlines()]
    return {row[0]: list(map(int, row[1:8])) for row in rows if row and row[0] in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_cases_are_the_same_again(kind):
    seeds = few()
    one, other = (case_of(kind, 7, number, seeds) for number in (3, 3))
    assert (one.title, one.content, one.files) == (other.title, other.content, other.files)
    assert len({case_of(kind, 7, number, seeds).title for number in range(50)}) > 5


FAULTY = {
    "crash": "import os, signal; os.kill(os.getpid(), signal.SIGABRT)",
    "slow": "import time; time.sleep(600)",
    "memory": "import time; held = bytes(range(256)) * 8_000_000; time.sleep(600)",
    "wrong error": "raise KeyError('x')",
    "outside": "open('/etc/hosts').close()",
    "refused": "from onnx_tf import OnnxTfError; raise OnnxTfError('no')",
    "ran": "pass",
}


@pytest.mark.parametrize("verdict", FAULTY)
def test_what_is_wrong_is_found(verdict):
    """The process that is forked here tries a stand-in for ``prepare``."""
    seconds = 2.0 if verdict == "slow" else 30.0
    code = f"""
import sys
from test.fuzz import driving, worker
from test.fuzz.seeds import few
def tried(self, case, path, *, exported):
    {FAULTY[verdict]}
worker.Trier._try = tried
driving._warm = lambda: None
driving.MAX_SECONDS, driving.MAX_WAIT = {seconds}, {2 * seconds}
print([outcome.verdict for outcome in driving.drive("bytes", 0, range(2), few())])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout.strip() == str([verdict] * 2), done.stderr


def test_the_table_puts_together_what_is_alike():
    outcomes = [Outcome("bytes", 1, "ran"), *(Outcome("bytes", n, "crash", "SIGSEGV in step 'x'") for n in (2, 3))]
    text = table(outcomes, {"bytes": 1.0})
    assert "    2  crash: SIGSEGV in step 'x'  (bytes 2)" in text.splitlines()


def test_what_lies_beside_a_model(tmp_path):
    files = (("link", "link", "../secret.bin"), ("file", "a/b", b"x"), ("folder", "c", None), ("pipe", "p", None))
    path = lay(Case("", b"content", files=files), tmp_path / "case")
    assert path.read_bytes() == b"content"
    assert (path.parent / "link").read_bytes() == (tmp_path / "case" / "secret.bin").read_bytes()
    assert (path.parent / "a" / "b").read_bytes() == b"x"
    assert (path.parent / "p").is_fifo()
