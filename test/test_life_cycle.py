"""Reps in threads, many of them one after another, and what is written twice."""

from __future__ import annotations

import filecmp
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from onnx_tf import prepare
from test.models import POOLED, text_model

FEEDS = [np.random.default_rng(seed).normal(size=(2, 3, 8, 8)).astype(np.float32) / 9 for seed in range(8)]

WRITE = """
import sys
from onnx_tf import convert
from test.models import text_model
from test.models import POOLED
formats = ["saved_model", "tflite", "keras", "keras_source", "weights"]
convert(text_model(POOLED), sys.argv[1], formats=formats, check=False)
"""

CYCLES = """
import gc
import numpy as np
from onnx_tf import prepare
from test.models import text_model
from test.models import POOLED
from test.test_life_cycle import FEEDS

def held():
    gc.collect()
    with open("/proc/self/statm") as sizes:
        return int(sizes.read().split()[1]) * 4096

model = text_model(POOLED)
for _ in range(20):
    prepare(model).run(FEEDS[0])
before = held()
for _ in range(100):
    rep = prepare(model)
    rep.run(FEEDS[0])
    del rep
print(held() - before)
"""


def child(code: str, *arguments: str, **environment: str) -> str:
    root = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", code, *arguments]
    settings = os.environ | {"PYTHONPATH": root} | environment
    return subprocess.run(command, capture_output=True, text=True, check=True, env=settings).stdout


def test_one_rep_in_many_threads():
    rep = prepare(text_model(POOLED))
    expected = [rep.run(feed) for feed in FEEDS]
    with ThreadPoolExecutor(8) as threads:
        for found, wanted in zip(threads.map(rep.run, FEEDS * 4), expected * 4, strict=True):
            for name, value in found.items():
                np.testing.assert_array_equal(value, wanted[name])


def test_many_reps_made_in_threads():
    model = text_model(POOLED)
    expected = prepare(model).run(FEEDS[0])
    with ThreadPoolExecutor(4) as threads:
        for found in threads.map(lambda _: prepare(model).run(FEEDS[0]), range(8)):
            for name, value in found.items():
                np.testing.assert_array_equal(value, expected[name])


def test_two_processes_write_the_same_bytes(tmp_path):
    folders = [tmp_path / str(seed) / "net" for seed in (1, 2)]
    for folder in folders:
        child(WRITE, str(folder), PYTHONHASHSEED=folder.parent.name)
    names = [str(file.relative_to(folders[0])) for file in sorted(folders[0].rglob("*")) if file.is_file()]
    assert len(names) == 11
    assert filecmp.cmpfiles(*folders, names, shallow=False) == (names, [], [])


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is read from /proc")
def test_a_hundred_cycles_keep_their_memory():
    assert int(child(CYCLES)) < 20 << 20
