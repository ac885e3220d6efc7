"""The models that consumers are given, and the files that are made of them."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from onnx_tf import convert
from test.models import node_model
from test.reference import ort_outputs
from test.zoo.compare import MODELS
from test.zoo.materialize import make_inputs, materialize

CALIBRATING = 16
"""How many random samples integers are calibrated with."""


@dataclass(frozen=True)
class Sample:
    """A model and inputs for it.

    Attributes:
        name: what the table calls it.
        model: the model.
        feed: arrays by input name.
        expected: what ONNX Runtime makes of them.
        more: further feeds, for calibration.
    """

    name: str
    model: onnx.ModelProto
    feed: Mapping[str, np.ndarray]
    expected: Mapping[str, np.ndarray]
    more: Callable[[int], Mapping[str, np.ndarray]]

    @property
    def shapes(self) -> dict[str, list[int]]:
        """The shapes of the feed, which fix what the model leaves open."""
        return {name: list(array.shape) for name, array in self.feed.items()}


def named_model() -> onnx.ModelProto:
    """Return a model whose names are none of Python's, and differ in case alone."""
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("MatMul", ["a/b:0", "w"], ["m"]),
        helper.make_node("Add", ["m", "input.1"], ["sum/1:0"]),
        helper.make_node("Tanh", ["sum/1:0"], ["Sum/1:0"]),
        helper.make_node("Softmax", ["m"], ["class"]),
    ]
    weights = {"w": rng.normal(size=(4, 3)).astype(np.float32)}
    inputs = {"a/b:0": ["N", 4], "input.1": ["N", 3]}
    return node_model(nodes, inputs, ["sum/1:0", "Sum/1:0", "class"], weights)


ZOO = ("resnet18", "mobilevitv2", "bert_cls", "llama", "lstm_stateful_forecaster", "scripted_if_loop")
NAMES = (*ZOO, "named")


@functools.cache
def sample(name: str) -> Sample:
    """Return the sample of a name in ``NAMES``."""
    if name == "named":
        model = named_model()
        entries = [
            {"name": value.name, "dtype": "float32", "shape": [2, size], "low": -1, "high": 1}
            for value, size in zip(model.graph.input, (4, 3), strict=True)
        ]
    else:
        (entry,) = (e for e in json.loads((MODELS / "manifest.json").read_text()) if e["name"] == name)
        model, entries = materialize(MODELS / f"{name}.onnx"), entry["inputs"]

    def drawn(seed: int) -> dict[str, np.ndarray]:
        return {name: _of_pixels(array) for name, array in make_inputs(entries, seed).items()}

    feed = drawn(0)
    return Sample(name, model, feed, ort_outputs(model, feed), drawn)


def _of_pixels(array: np.ndarray) -> np.ndarray:
    """Return images as they are made of 8 bits, (k - 127.5) / 127.5, and all else as it is."""
    if array.ndim != 4:
        return array
    pixels = np.round(255 * (array - array.min()) / np.ptp(array))
    return ((pixels - 127.5) / 127.5).astype(array.dtype)


ARTEFACTS: dict[str, Mapping[str, Any]] = {
    "saved_model": {},
    "frozen": {"freeze": True},
    "fixed_frozen": {"freeze": True},
    "keras": {},
    "tflite": {},
    "fixed": {},
    "int8": {"tflite": ["full_integer_quant"]},
}
"""The kinds of files, and the options of ``convert`` that they are made with."""
FIXED = ("fixed_frozen", "fixed", "int8")
"""Those whose shapes are those of the feed."""

MODELS_OF = {
    "frozen": ("resnet18", "bert_cls", "lstm_stateful_forecaster", "named"),
    "fixed_frozen": ("resnet18", "bert_cls", "llama", "lstm_stateful_forecaster"),
    "keras": tuple(name for name in NAMES if name != "scripted_if_loop"),
    "int8": ("resnet18", "mobilevitv2", "bert_cls", "named"),
}
"""The models of a kind that not all are made into: .keras files and integers hold no loops and choices."""

TITLES = {
    "saved_model": "SavedModel",
    "frozen": "SavedModel, frozen",
    "fixed_frozen": "SavedModel, frozen, of fixed shapes",
    "keras": ".keras",
    "tflite": ".tflite",
    "fixed": ".tflite of fixed shapes",
    "int8": ".tflite of int8",
}


def artefact(one: Sample, kind: str, cache: Path, options: Mapping[str, Any] | None = None) -> Path:
    """Return the file of a kind made of a sample, from the cache if it is there.

    Raises:
        OnnxTfError: it cannot be made.
    """
    options = dict(options or {})
    label = "".join(f"-{key}" for key in options)
    suffix = {"saved_model": "", "frozen": "", "fixed_frozen": "", "keras": ".keras"}.get(kind, ".tflite")
    path = cache / f"{one.name}-{kind}{label}{suffix}"
    if path.exists():
        return path
    settings = dict(ARTEFACTS[kind]) | options
    if kind in FIXED:
        settings["input_shapes"] = one.shapes
    if kind == "int8":
        settings["data"] = [one.more(seed) for seed in range(CALIBRATING)]
    convert(one.model, path, **settings)
    return path


__all__ = ["ARTEFACTS", "MODELS_OF", "NAMES", "TITLES", "Sample", "artefact", "models_of", "named_model", "sample"]


def models_of(kind: str) -> tuple[str, ...]:
    """Return the names of the models that files of a kind are made of."""
    return MODELS_OF.get(kind, NAMES)
