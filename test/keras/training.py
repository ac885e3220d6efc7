"""Fine-tune a model of the zoo for some steps and tell what moved: ``python -m test.keras.training [NAME...]``."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

import onnx_tf
from test.zoo.compare import MODELS, SHARED, manifest
from test.zoo.materialize import make_inputs, materialize

NAMES = ("resnet18", "mixnet_s", "bert_cls", "vit", "lstm_stateful_forecaster")
STEPS = 20


@dataclass(frozen=True)
class Tuned:
    """What became of a model.

    Attributes:
        losses: the loss of each step.
        moved: the share of the trainable weights that are others than before.
        statistics: how many of the weights that only BatchNormalization moves did, and how many there are.
        saved: how far the outputs of the saved and loaded model are from the model's, of their scale.
        tflite: how far those of the .tflite file are.
    """

    losses: tuple[float, ...]
    moved: float
    statistics: tuple[int, int]
    saved: float
    tflite: float

    @property
    def fits(self) -> bool:
        """Whether the loss fell, weights and statistics moved, and the files agree with the model."""
        learns = min(self.losses[-3:]) < self.losses[0] and self.moved >= 0.95
        return learns and self.statistics[0] == self.statistics[1] and self.saved < 1e-5 and self.tflite < 1e-3


def fine_tune(name: str, *, steps: int = STEPS, rate: float = 1e-3) -> Tuned:
    """Convert a model for training, fit it to a target, save it and write it as a .tflite file."""
    folder = MODELS if name in manifest() else SHARED / "zoo" / "dev"
    entry = manifest(folder)[name]
    model = onnx_tf.to_keras(materialize(folder / f"{name}.onnx"), training=True)
    inputs = _batch(entry, model)
    before = [keras.ops.convert_to_numpy(weight).copy() for weight in model.weights]
    losses = _fitted(model, inputs, steps, rate)
    after = [keras.ops.convert_to_numpy(weight) for weight in model.weights]
    trainable = {id(weight) for weight in model.trainable_weights}
    changed = [bool((a != b).any()) for a, b in zip(after, before, strict=True)]
    moves = [c for c, weight in zip(changed, model.weights, strict=True) if id(weight) in trainable]
    statistics = [c for c, w in zip(changed, model.weights, strict=True) if w.name.startswith("moving_")]
    with tempfile.TemporaryDirectory() as place:
        saved, tflite = _written(model, inputs, Path(place))
    return Tuned(tuple(losses), sum(moves) / len(moves), (sum(statistics), len(statistics)), saved, tflite)


def _batch(entry: Mapping[str, Any], model: keras.Model) -> list[np.ndarray]:
    """Return the inputs of a model; two of each where the batch is open."""
    feeds = [list(make_inputs(entry["inputs"], seed=seed).values()) for seed in (0, 1)]
    if any(tensor.shape[0] is not None for tensor in model.inputs):
        return feeds[0]
    return [np.concatenate(pair) for pair in zip(*feeds, strict=True)]


def _alone(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def _fitted(model: keras.Model, inputs: list[np.ndarray], steps: int, rate: float) -> list[float]:
    """Return the losses of steps towards outputs that are others than the model's, each by its own scale."""
    outputs = [np.asarray(output) for output in _listed(model(_alone(inputs), training=False))]
    rng = np.random.default_rng(0)
    targets = [(o + o.std() * rng.normal(size=o.shape)).astype(o.dtype) for o in outputs]
    model.compile(keras.optimizers.Adam(rate), _alone(["mse"] * len(outputs)))
    return [float(np.ravel(model.train_on_batch(_alone(inputs), _alone(targets)))[0]) for _ in range(steps)]


def _listed(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


def _written(model: keras.Model, inputs: list[np.ndarray], folder: Path) -> tuple[float, float]:
    expected = [np.asarray(output) for output in _listed(model(_alone(inputs), training=False))]
    model.save(folder / "model.keras")
    loaded = keras.saving.load_model(folder / "model.keras", safe_mode=True)
    saved = _distance(expected, [np.asarray(output) for output in _listed(loaded(_alone(inputs), training=False))])
    to_tflite(loaded, folder / "model.tflite")
    return saved, _distance(expected, run_tflite(folder / "model.tflite", model, inputs))


def to_tflite(model: keras.Model, path: Path) -> None:
    """Write a .tflite file the way that Keras has, or by TensorFlow's converter where it has none."""
    try:
        model.export(path, format="litert", verbose=False)
    except ValueError:  # of Keras before 3.13
        import tensorflow as tf

        path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())


def run_tflite(path: Path, model: keras.Model, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """Return the outputs of the .tflite file of a model in order."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    feed = {tensor.name: array for tensor, array in zip(model.inputs, inputs, strict=True)}
    indices = {detail["name"].split("_", 2)[2].rsplit(":", 1)[0]: detail for detail in interpreter.get_input_details()}
    for name, array in feed.items():
        interpreter.resize_tensor_input(indices[name]["index"], array.shape)
    found = interpreter.get_signature_runner()(**feed)
    return [found[name] for name in sorted(found, key=lambda name: int(name.rsplit("_", 1)[1]))]


def _distance(expected: list[np.ndarray], found: list[np.ndarray]) -> float:
    return max(float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-12)) for a, b in zip(expected, found, strict=True))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m test.keras.training", description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES)
    failed = 0
    for name in parser.parse_args().names:
        found = fine_tune(name)
        failed += not found.fits
        first, last = found.losses[0], found.losses[-1]
        moved, (own, count) = f"{found.moved:.1%} of the weights moved", found.statistics
        print(
            f"{name:28s} {'ok  ' if found.fits else 'FAIL'} loss {first:.4g} to {last:.4g}, {moved}, {own} of {count} "
            f"statistics; saved {found.saved:.1e}, .tflite {found.tflite:.1e}",
            flush=True,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
