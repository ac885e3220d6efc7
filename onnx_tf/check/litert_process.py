"""The process in which :class:`onnx_tf.check.litert.LiteRT` runs the interpreter; it never imports TensorFlow first."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np


def main(folder: Path) -> None:
    """Run the task of a folder: ``task.json`` and ``inputs_N.npz`` in, ``outputs_N.npz`` and ``done.json`` out."""
    task = json.loads((folder / "task.json").read_text())
    done: dict[str, Any] = {"runtime": "", "doing": "refuses the file", "error": "", "outputs": []}
    try:
        module, done["runtime"] = _interpreter_module()
        interpreter = _interpreter(module, task["model"], task["xnnpack"])
        done["doing"] = "cannot run these inputs"
        for index, names in enumerate(task["inputs"]):
            with np.load(folder / f"inputs_{index}.npz", allow_pickle=True) as arrays:  # strings need it
                feed = {name: arrays[f"arr_{i}"] for i, name in enumerate(names)}
            outputs = _outputs(interpreter, feed)
            np.savez(folder / f"outputs_{index}.npz", *outputs.values())
            done["outputs"].append(list(outputs))
    except Exception as error:
        done["error"] = str(error).strip() or type(error).__name__
    (folder / "done.json").write_text(json.dumps(done))


def _interpreter_module() -> tuple[Any, str]:
    try:
        from ai_edge_litert import interpreter
    except ImportError:
        import tensorflow as tf

        return tf.lite, f"tensorflow {tf.__version__}"
    from importlib.metadata import version

    return interpreter, f"ai-edge-litert {version('ai-edge-litert')}"


def _interpreter(module: Any, path: str, xnnpack: bool) -> Any:
    resolvers = getattr(module, "OpResolverType", None) or module.experimental.OpResolverType
    resolver = resolvers.AUTO if xnnpack else resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    return module.Interpreter(model_path=path, experimental_op_resolver_type=resolver, num_threads=2)


def _outputs(interpreter: Any, feed: dict[str, Any]) -> dict[str, Any]:
    if "self" in feed:  # Python keeps that keyword for the runner itself
        return _outputs_by_index(interpreter, feed)
    runner = interpreter.get_signature_runner(next(iter(interpreter.get_signature_list())))
    try:
        return dict(runner(**feed))
    except ValueError as error:
        if "Invalid tensor size" not in str(error):
            raise
    # It has run, but gives no tensor without elements to Python: all that there is of one is its shape.
    details = runner.get_output_details()
    return {
        name: np.zeros(d["shape"], d["dtype"]) if 0 in d["shape"] else interpreter.get_tensor(d["index"])
        for name, d in details.items()
    }


def _outputs_by_index(interpreter: Any, feed: dict[str, Any]) -> dict[str, Any]:
    indices = {detail["name"]: detail["index"] for detail in interpreter.get_input_details()}
    for name, array in feed.items():
        interpreter.resize_tensor_input(indices[name], array.shape)
    interpreter.allocate_tensors()
    for name, array in feed.items():
        interpreter.set_tensor(indices[name], array)
    interpreter.invoke()
    return {detail["name"]: interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
