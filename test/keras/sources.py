"""Ten models as sources, with inputs and ONNX Runtime's outputs: ``python -m test.keras.sources FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from onnx_tf.export.keras import build
from onnx_tf.export.keras_files import write_files
from onnx_tf.options import Options
from onnx_tf.targets import KERAS
from test.keras.networks import bert, resnet18
from test.reference import ort_outputs
from test.zoo.compare import MODELS, manifest
from test.zoo.materialize import make_inputs, materialize

ZOO = (
    "centernet_topk",
    "dcgan_generator",
    "gcn_scatter",
    "lstm_stateful_forecaster",
    "pfpcnet",
    "pointnet",
    "silu_mlp_mixer",
    "vqvae",
)


def write_source(name: str, model: onnx.ModelProto, feed: dict[str, Any], folder: Path) -> str:
    """Write the source of a model with what ``run_sources.py`` reads, and return it."""
    rep = build(model, Options(target=KERAS))
    files = [folder / f"{name}.py", folder / f"{name}.npz"]
    write_files("keras_source", rep, files, lambda: model, files[0].name)
    np.savez(folder / f"{name}_inputs.npz", *(feed[own] for own in rep.inputs))
    outputs = ort_outputs(model, feed)
    np.savez(folder / f"{name}_outputs.npz", *(outputs[own] for own in rep.outputs))
    return files[0].read_text()


def write_sources(folder: Path) -> dict[str, str]:
    """Write ten sources, and return them by name."""
    rng = np.random.default_rng(1)
    image = {"image": rng.normal(size=(2, 3, 32, 32)).astype(np.float32)}
    words = {"input_ids": rng.integers(0, 20, (2, 6)), "attention_mask": np.array([[1] * 6, [1] * 4 + [0] * 2])}
    found = {
        "resnet18": write_source("resnet18", resnet18(), image, folder),
        "bert": write_source("bert", bert(), words, folder),
    }
    entries = manifest(MODELS)
    for name in ZOO:
        feed = make_inputs(entries[name]["inputs"])
        found[name] = write_source(name, materialize(MODELS / f"{name}.onnx"), feed, folder)
    return found


if __name__ == "__main__":
    write_sources(Path(sys.argv[1]))
