"""The process of :mod:`onnx_tf.export.post_training.recipes`: Google's quantiser is imported here alone."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from onnx_tf.own_process import tell

AT_ONCE = 16
"""How many samples are in memory together: the quantiser makes a list of what it is given."""


def main(folder: Path) -> None:
    """Run the task of a folder: ``task.json``, ``float.tflite`` and samples in, ``done.json`` and a file out.

    Without samples and a file it is only found out what the recipe is.
    """
    task = json.loads((folder / "task.json").read_text())
    done: dict[str, Any] = {"error": "", "known": []}
    try:
        if (folder / "float.tflite").exists():
            _quantize(folder, task)
        else:
            done |= _looked_at(task["package"], task["rules"])
    except Exception as error:
        done["error"] = str(error).strip() or type(error).__name__
    (folder / "done.json").write_text(json.dumps(done))


def _looked_at(package: str, rules: Any) -> dict[str, Any]:
    """Return what a recipe, or the name of one, comes to."""
    if isinstance(rules, str):
        try:
            rules = importlib.import_module(f"{package}.utils.recipe_utils").resolve_recipe(rules)
        except ValueError:
            return {"known": _known(package)}
    if not isinstance(rules, list):
        return {"error": "it is for the parts of a LiteRT-LM file, and not for one model"}
    manager = importlib.import_module(f"{package}.recipe_manager").RecipeManager()
    try:
        manager.load_quantization_recipe(rules)
        return {"rules": rules, "is_static": manager.need_calibration()}
    except KeyError as error:
        return {"error": f"a rule has no {error}"}


def _known(package: str) -> list[str]:
    """Return the names of the recipes that a package has for single models."""
    module = importlib.import_module(f"{package}.recipe")
    makers = inspect.getmembers(module, inspect.isfunction)
    return [name for name, make in makers if not name.startswith("_") and isinstance(make(), list)]


def _quantize(folder: Path, task: Mapping[str, Any]) -> None:
    quantizer = importlib.import_module(f"{task['package']}.quantizer").Quantizer(str(folder / "float.tflite"))
    quantizer.load_quantization_recipe(task["rules"])
    result = None
    if quantizer.need_calibration:
        for start in range(0, task["count"], AT_ONCE):
            tell(f"Calibrating with sample {start + 1} of {task['count']}")
            several = [_sample(folder, task["names"], place) for place in range(task["count"])[start : start + AT_ONCE]]
            threads = os.cpu_count() or 1
            result = quantizer.calibrate({_signature(folder): several}, result, num_threads=threads)
    tell("Quantising by a recipe")
    made = quantizer.quantize(result, enable_progress_bar=False, enable_progress_report=False)
    (folder / "quantized.tflite").write_bytes(made.quantized_model)


def _sample(folder: Path, names: list[str], place: int) -> dict[str, np.ndarray]:
    with np.load(folder / f"sample_{place}.npz") as arrays:
        return {name: arrays[f"arr_{index}"] for index, name in enumerate(names)}


def _signature(folder: Path) -> str:
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(str(folder / "float.tflite"))
    (name,) = interpreter.get_signature_list()
    return str(name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
