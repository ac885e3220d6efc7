"""A .tflite file in TensorFlow's own interpreter, which the quantiser has loaded anyway."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.python.interpreter import Interpreter, OpResolverType

from onnx_tf.export.file_graph import FileGraph, Steps

__all__ = ["Running"]


class Running:
    """A file that takes and gives floats, whatever its own dtypes are, in LiteRT's kernels without delegates.

    Args:
        content: the file, with one signature.
        keeps: whether the numbers of all tensors can be read after a run.
    """

    def __init__(self, content: bytes, *, keeps: bool = False) -> None:
        model = schema.ModelT.InitFromPackedBuf(content, 0)
        self.file = FileGraph(model, model.subgraphs[0])
        signature = model.signatureDefs[0]
        self._inputs = {entry.name.decode(): int(entry.tensorIndex) for entry in signature.inputs}
        self._outputs = {entry.name.decode(): int(entry.tensorIndex) for entry in signature.outputs}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it moves to another package
            self._interpreter = Interpreter(
                model_content=content,
                experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
                experimental_preserve_all_tensors=keeps,
                num_threads=os.cpu_count(),
            )

    def outputs(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs by name.

        Raises:
            RuntimeError: LiteRT does not compute an operator; the message names it.
        """
        for name, array in feed.items():
            self._interpreter.resize_tensor_input(self._inputs[name], array.shape)
        self._interpreter.allocate_tensors()
        for name, array in feed.items():
            index = self._inputs[name]
            self._interpreter.set_tensor(index, self._in_steps(index, array))
        self._interpreter.invoke()
        return {name: self._number(index) for name, index in self._outputs.items()}

    def floats(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield place and numbers of each tensor of floats that is read, after a run; others may have no memory."""
        given = map(int, self.file.graph.inputs)
        for index in dict.fromkeys([*given, *self.file.producers]):
            if self.file.is_float(index) and (self.file.readers.get(index) or self.file.is_result(index)):
                array = self._interpreter.get_tensor(index)
                if array.size:
                    yield index, array

    def values(self, labels: Iterable[str]) -> dict[str, np.ndarray]:
        """Return the numbers of tensors after a run, by their names as far as there are such."""
        wanted = set(labels)
        found = {}
        for index, tensor in enumerate(self.file.graph.tensors):
            name = (tensor.name or b"").decode()
            if name in wanted and index in self.file.producers:
                found[name] = self._number(index)
        return found

    def _in_steps(self, index: int, array: np.ndarray) -> np.ndarray:
        steps, dtype = self.file.steps(index), self.file.dtype(index)
        if steps is None or dtype is None or dtype.kind == "f" or array.dtype.kind != "f":
            return array
        limits = np.iinfo(dtype)
        return steps.quantized(array, limits.min, limits.max).astype(dtype)

    def _number(self, index: int) -> np.ndarray:
        array, steps = self._interpreter.get_tensor(index), self.file.steps(index)
        return array if steps is None or array.dtype.kind == "f" else _floats(array, steps)


def _floats(array: np.ndarray, steps: Steps) -> np.ndarray:
    scale, zero_point = steps.spread(array.ndim)
    floats: Any = (array.astype(np.float64) - zero_point) * scale
    return np.asarray(floats, np.float32)
