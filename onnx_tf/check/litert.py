"""A .tflite file, run by LiteRT's interpreter in a process of its own."""

from __future__ import annotations

import functools
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
from onnx_tf.export.flatbuffer import read_metadata
from onnx_tf.own_process import call

__all__ = ["LiteRT"]

_RUN = """
import runpy
runpy.run_module("onnx_tf.check.litert_process", run_name="__main__")
"""


class LiteRT:
    """A .tflite file, called by its signature.

    The interpreter is that of ``ai-edge-litert``, TensorFlow's own where that is not installed. It
    runs in a process of its own: one that dies is an error like any other.

    Attributes:
        interface: its inputs and outputs.
        xnnpack: whether the XNNPACK delegate computes what it can, as it does by default.
        runtime: the interpreter's package, once it has run.
    """

    def __init__(self, path: str | os.PathLike[str], interface: Interface, *, xnnpack: bool = True) -> None:
        self.path, self.interface, self.xnnpack = Path(path), interface, xnnpack
        self.runtime = ""

    def run(self, feed: Mapping[str, Any]) -> dict[str, Any]:
        """See :class:`onnx_tf.check.artifacts.Artifact`.

        Raises:
            OnnxTfError: the interpreter refuses the file or the inputs, or it dies.
        """
        (outputs,) = self.runs([feed])
        return outputs

    def runs(self, feeds: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the outputs for several feeds, one after another in one process; see :meth:`run`."""
        flat = [self._given(feed) for feed in feeds]
        return [self.interface.whole(self._tensors(arrays)) for arrays in self._computed(flat)]

    def _given(self, feed: Mapping[str, Any]) -> dict[str, np.ndarray]:
        carried = self._carried["inputs"]
        return {n: _as(tensor.numpy(), carried.get(n), 1) for n, tensor in self.interface.flat(feed).items()}

    @functools.cached_property
    def _carried(self) -> Mapping[str, Mapping[str, Sequence[str]]]:
        """The dtypes of inputs and outputs that stand for others, as the file says."""
        try:
            told = read_metadata(self.path.read_bytes()).get("carried")
        except Exception:  # the interpreter says what is wrong with such a file
            told = None
        return told or {"inputs": {}, "outputs": {}}

    def _computed(self, feeds: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        with tempfile.TemporaryDirectory() as folder:
            task = {"model": str(self.path), "xnnpack": self.xnnpack, "inputs": [list(feed) for feed in feeds]}
            (Path(folder) / "task.json").write_text(json.dumps(task))
            for index, feed in enumerate(feeds):
                np.savez(Path(folder) / f"inputs_{index}.npz", *feed.values())
            self._call(folder)
            done = json.loads((Path(folder) / "done.json").read_text())
            self.runtime = done["runtime"]
            if done["error"]:
                raise CheckError(f"LiteRT's interpreter {done['doing']}: {done['error']}")
            return [_loaded(Path(folder) / f"outputs_{i}.npz", names) for i, names in enumerate(done["outputs"])]

    def _call(self, folder: str) -> None:
        call("LiteRT's interpreter", _RUN, folder)

    def _tensors(self, arrays: Mapping[str, np.ndarray]) -> dict[str, tf.Tensor]:
        carried = self._carried["outputs"]
        return {name: tf.constant(_as(array, carried.get(name), 0)) for name, array in arrays.items()}


def _as(array: np.ndarray, dtypes: Sequence[str] | None, which: int) -> np.ndarray:
    return array if dtypes is None else array.astype(dtypes[which])


def _loaded(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=True) as arrays:  # strings need it
        return {name: arrays[f"arr_{index}"] for index, name in enumerate(names)}
