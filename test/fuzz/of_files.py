"""Weights in files of their own that are not there, not theirs, not whole, or no files."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from onnx import TensorProto

from test.fuzz.case import Case
from test.fuzz.of_structure import number
from test.fuzz.seeds import Seed
from test.models import text_model

__all__ = ["make"]

LOCATIONS = (
    "w.bin",
    "./w.bin",
    "sub/w.bin",
    "sub/../w.bin",
    "../secret.bin",
    "sub/../../secret.bin",
    "/etc/hostname",
    "/dev/zero",
    "/dev/null",
    "/proc/self/mem",
    "link",
    "chain",
    "loop",
    "far/secret.bin",
    "pipe",
    "sub",
    ".",
    "..",
    "",
    "/",
    "w\0.bin",
    "w.bin/",
    "C:\\w.bin",
    "..\\secret.bin",
    "%2e%2e/secret.bin",
    "file:///etc/hostname",
    "n" * 5000,
    "model.onnx",
)
FILES = (
    ("folder", "sub", None),
    ("file", "sub/w.bin", bytes(64)),
    ("link", "link", "../secret.bin"),
    ("link", "chain", "link"),
    ("link", "loop", "loop"),
    ("link", "far", ".."),
    ("pipe", "pipe", None),
)


def make(rng: random.Random, _seeds: Sequence[Seed], _number: int) -> Case:
    """Return a model x + w whose weight lies somewhere else."""
    model = text_model("g (float[4, 4] x) => (float[4, 4] y) { y = Add(x, w) }", ir_version=rng.choice((8, 10)))
    tensor = model.graph.initializer.add(
        name="w", data_type=rng.choice((TensorProto.FLOAT,) * 5 + (TensorProto.STRING,))
    )
    tensor.dims.extend([4, 4] if rng.random() < 0.8 else [number(rng), 4])
    tensor.data_location = TensorProto.EXTERNAL
    entries = {"location": rng.choice(LOCATIONS), "offset": "0", "length": "64"}
    for key in ("offset", "length"):
        chance = rng.random()
        if chance < 0.3:
            entries[key] = rng.choice((str(number(rng)), "", "x", "1.5", "0x10", "64 ", "-1", "9" * 30))
        elif chance < 0.4:
            del entries[key]
    if rng.random() < 0.1:
        del entries["location"]
    if rng.random() < 0.1:
        entries["checksum"] = rng.choice(("", "0" * 40))
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    if rng.random() < 0.1:
        tensor.external_data.add(key="location", value=rng.choice(LOCATIONS))
    if rng.random() < 0.1:
        tensor.raw_data = bytes(64)
    own = ("file", "w.bin", bytes(rng.choice((0, 1, 63, 64, 64, 64, 65, 4096))))
    title = ", ".join(f"{key}={value[:40]}" for key, value in entries.items())
    feed = (np.ones((4, 4), np.float32),)
    return Case(title, model.SerializeToString(), feed, (*FILES, own))
