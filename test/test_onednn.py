"""TensorFlow's oneDNN kernels, which are on by default where the processor has VNNI, in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from test.ledger import ledger

ROOT = Path(__file__).parent.parent
FILES = [
    "test/handlers/test_convolution.py",
    "test/handlers/test_linear_algebra.py",
    "test/handlers/test_activations.py",
    "test/layout/test_nets.py",
    "test/test_merging.py",
]


ENVIRONMENT = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "1"}


def test_handlers_under_onednn(tmp_path):
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", "-m", "not slow", "-p", "no:cacheprovider", f"--junitxml={report}"]
    done = subprocess.run([*command, *FILES], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout[-2000:] + done.stderr[-2000:]
    cases = ElementTree.parse(report).iter("testcase")
    failed = {f"{case.get('classname')}::{case.get('name')}" for case in cases if case.find("failure") is not None}
    assert failed == set(ledger("onednn")), done.stdout[-4000:]


@pytest.mark.parametrize("shard", ["0/2", "1/2"])
def test_frozen_models_under_onednn(shard):
    """Constants merge with what follows, which variables do not."""
    command = [sys.executable, "-m", "test.zoo", "--frozen", "--shard", shard]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
