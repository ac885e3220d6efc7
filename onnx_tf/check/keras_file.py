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
from onnx_tf.errors import CheckError, OnnxTfError
from onnx_tf.own_process import call

__all__ = ["KerasFile"]

WAYS = ("called", "predict")
"""Ways to call a model: ``model(x)`` and ``model.predict_on_batch(x)``."""

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
        found = self.ways(feeds, ("called",))["called"]
        if isinstance(found, OnnxTfError):
            raise found
        return found

    def ways(
        self, feeds: Sequence[Mapping[str, Any]], ways: Sequence[str] = WAYS
    ) -> dict[str, list[dict[str, Any]] | OnnxTfError]:
        """Return for each way of calling a model the outputs for several feeds, or why there are none.

        Backends compile ``predict``: operations are merged there, and ways differ where that goes wrong.

        Raises:
            OnnxTfError: Keras cannot be started.
        """
        with tempfile.TemporaryDirectory() as folder:
            for index, feed in enumerate(feeds):
                flat = self.interface.flat(feed)
                np.savez(Path(folder) / f"inputs_{index}.npz", *(tensor.numpy() for tensor in flat.values()))
            weights = None if self.weights is None else str(self.weights)
            task = {"model": str(self.path), "weights": weights, "runs": len(feeds), "ways": list(ways)}
            (Path(folder) / "task.json").write_text(json.dumps(task))
            call("Keras", _RUN, str(Path(__file__).with_name("keras_process.py")), folder)
            done = json.loads((Path(folder) / "done.json").read_text())
            self.runtime = done["runtime"]
            return {way: self._found(Path(folder), way, done["errors"][way], len(feeds)) for way in ways}

    def _found(self, folder: Path, way: str, error: str, runs: int) -> list[dict[str, Any]] | OnnxTfError:
        if error:
            return CheckError(f"Keras {error}")
        found = []
        for index in range(runs):
            with np.load(folder / f"{way}_{index}.npz") as arrays:
                tensors = {name: tf.constant(arrays[f"arr_{i}"]) for i, name in enumerate(self.interface.outputs)}
            found.append(self.interface.whole(tensors))
        return found
