"""Whatever happens while an artefact is written: the old one lies there or the new one, never half of one."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from test.cli.test_cli import ROOT

FAULTS = "kill,interrupt,full,rights,short"
ENDS = {
    "kill": {"killed", "ended with 0"},
    "interrupt": {"interrupted", "done"},
    "full": {"refused", "done"},
    "rights": {"refused", "done"},
    "short": {"refused", "done"},
}
FORMATS = ["out", "model.tflite", "model.keras", "model.py", "model.weights.h5"]


def attempts(*arguments: str) -> list[tuple[str, str, int, bool, str, str]]:
    done = subprocess.run(
        [sys.executable, "-m", "test.supervision.faults", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": ROOT, "CUDA_VISIBLE_DEVICES": "-1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(row) for row in json.loads(done.stdout)]


def check(rows: list[tuple[str, str, int, bool, str, str]]) -> None:
    wrong = [row for row in rows if row[5] not in ("new", "old" if row[3] else "nothing") or row[4] not in ENDS[row[1]]]
    assert wrong == []
    assert not [row for row in rows if row[4] == "refused" and row[5] == "new"]


def test_files_and_folders_are_written_whole_or_not_at_all():
    rows = attempts("folder,pair", FAULTS, "1")
    check(rows)
    for name in ("folder", "pair"):
        assert {row[4] for row in rows if row[0] == name} == set().union(*ENDS.values())
        assert {(row[3], row[5]) for row in rows if row[:2] == (name, "kill")} == {
            (False, "nothing"),
            (False, "new"),
            (True, "old"),
            (True, "new"),
        }


def test_so_they_are_where_the_system_cannot_exchange_two_at_once():
    check(attempts("folder", FAULTS, "1", "plain"))
    check(attempts("pair", "kill", "1", "plain"))


def test_a_process_may_be_killed_while_it_writes():
    rows = attempts(",".join(FORMATS), "kill", "6")
    check(rows)
    assert {row[0] for row in rows} == set(FORMATS)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_at_every_step_of_every_format(name):
    rows = attempts(name, FAULTS, "1")
    check(rows)
    assert {row[1] for row in rows if row[4] not in ("done", "ended with 0")} == set(FAULTS.split(","))
