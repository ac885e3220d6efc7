"""A .keras file or a model's source, loaded and called in a process of its own that cannot import this package."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from onnx_tf.check.interface import Interface
from onnx_tf.errors import CheckError
from onnx_tf.own_process import call

__all__ = ["KerasFile"]

_RUN = """
import runpy
sys.modules["onnx_tf"] = None
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""


class KerasFile:
    """A .keras file, or what stands for one together with a file of weights, called with its inputs in order.

    Attributes:
        interface: its inputs and outputs.
        runtime: the version of Keras and its backend, once it has run.
    """

    def __init__(
        self, path: str | os.PathLike[str], interface: Interface, weights: str | os.PathLike[str] | None = None
    ) -> None:
        self.path, self.interface, self.weights = Path(path), interface, weights
        self.runtime = ""

    def run(self, feed: Mapping[str, Any]) -> dict[str, Any]:
        """See :class:`onnx_tf.check.artifacts.Artifact`.

        Raises:
            OnnxTfError: Keras does not load the file, or the model fails on the inputs.
        """
        (outputs,) = self.runs([feed])
        return outputs

    def runs(self, feeds: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the outputs for several feeds, one after another in one process; see :meth:`run`."""
        names = list(self.interface.outputs)
        with tempfile.TemporaryDirectory() as folder:
            for index, feed in enumerate(feeds):
                flat = self.interface.flat(feed)
                np.savez(Path(folder) / f"inputs_{index}.npz", *(tensor.numpy() for tensor in flat.values()))
            weights = None if self.weights is None else str(self.weights)
            task = {"model": str(self.path), "weights": weights, "runs": len(feeds)}
            (Path(folder) / "task.json").write_text(json.dumps(task))
            call("Keras", _RUN, str(Path(__file__).with_name("keras_process.py")), folder)
            done = json.loads((Path(folder) / "done.json").read_text())
            self.runtime = done["runtime"]
            if done["error"]:
                raise CheckError(f"Keras {done['doing']}: {done['error']}")
            found = []
            for index in range(len(feeds)):
                with np.load(Path(folder) / f"outputs_{index}.npz") as arrays:
                    tensors = {name: tf.constant(arrays[f"arr_{i}"]) for i, name in enumerate(names)}
                found.append(self.interface.whole(tensors))
            return found
