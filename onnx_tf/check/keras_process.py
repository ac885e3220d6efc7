"""The process in which :class:`onnx_tf.check.keras_file.KerasFile` runs a file: nothing but Keras and numpy."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def load(path: str, weights: str | None) -> Any:
    """Return the model of a .keras file; of source, or of a model as JSON, with the weights of another file."""
    import keras

    if path.endswith(".py"):
        source = runpy.run_path(path)
        model = source["build_model"]()
        source["load_weights"](model, weights)
        return model
    if path.endswith(".json"):
        model = keras.models.model_from_json(Path(path).read_text())
        model.load_weights(weights)
        return model
    return keras.saving.load_model(path, compile=False, safe_mode=True)


def ways(model: Any) -> dict[str, Callable[[Any], Any]]:
    """Return the ways to call a model: as it is written, and compiled by its backend."""
    return {"called": lambda x: model(x, training=False), "predict": model.predict_on_batch}


def main(folder: Path) -> None:
    """Run the task of a folder: ``task.json`` and ``inputs_N.npz`` in, ``WAY_N.npz`` and ``done.json`` out."""
    task = json.loads((folder / "task.json").read_text())
    done: dict[str, Any] = {"runtime": "", "errors": dict.fromkeys(task["ways"], "")}
    try:
        import keras

        done["runtime"] = f"keras {keras.__version__} on {keras.backend.backend()}"
        model = load(task["model"], task["weights"])
    except Exception as error:
        done["errors"] = dict.fromkeys(task["ways"], f"cannot load the file: {_told(error)}")
    else:
        for way in task["ways"]:
            try:
                _run(folder, way, ways(model)[way], task["runs"])
            except Exception as error:
                done["errors"][way] = f"cannot run these inputs: {_told(error)}"
    (folder / "done.json").write_text(json.dumps(done))


def _run(folder: Path, way: str, call: Callable[[Any], Any], runs: int) -> None:
    import keras

    for index in range(runs):
        with np.load(folder / f"inputs_{index}.npz") as arrays:
            inputs = [arrays[f"arr_{i}"] for i in range(len(arrays.files))]
        outputs = call(inputs[0] if len(inputs) == 1 else inputs)
        outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        np.savez(folder / f"{way}_{index}.npz", *map(keras.ops.convert_to_numpy, outputs))


def _told(error: Exception) -> str:
    return str(error).strip() or type(error).__name__


if __name__ == "__main__":
    main(Path(sys.argv[1]))
