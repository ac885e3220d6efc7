"""The process in which :class:`onnx_tf.check.keras_file.KerasFile` runs a file: nothing but Keras and numpy."""

from __future__ import annotations

import json
import runpy
import sys
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


def main(folder: Path) -> None:
    """Run the task of a folder: ``task.json`` and ``inputs_N.npz`` in, ``outputs_N.npz`` and ``done.json`` out."""
    task = json.loads((folder / "task.json").read_text())
    done: dict[str, Any] = {"runtime": "", "doing": "cannot load the file", "error": ""}
    try:
        import keras

        done["runtime"] = f"keras {keras.__version__} on {keras.backend.backend()}"
        model = load(task["model"], task["weights"])
        done["doing"] = "cannot run these inputs"
        for index in range(task["runs"]):
            with np.load(folder / f"inputs_{index}.npz") as arrays:
                inputs = [arrays[f"arr_{i}"] for i in range(len(arrays.files))]
            outputs = model(inputs[0] if len(inputs) == 1 else inputs, training=False)
            outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
            np.savez(folder / f"outputs_{index}.npz", *map(keras.ops.convert_to_numpy, outputs))
    except Exception as error:
        done["error"] = str(error).strip() or type(error).__name__
    (folder / "done.json").write_text(json.dumps(done))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
