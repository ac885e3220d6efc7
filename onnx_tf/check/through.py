"""The values inside a model as its SavedModel, .tflite file, .keras file or frozen graph computes them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx_ir as ir

from onnx_tf.check.artifacts import SavedModel
from onnx_tf.check.frozen_graph import FrozenGraph
from onnx_tf.check.interface import Interface, in_onnx_order
from onnx_tf.check.keras_file import KerasFile
from onnx_tf.check.litert import LiteRT
from onnx_tf.conversion import convert
from onnx_tf.export.paths import Format
from onnx_tf.model.loading import ModelSource, load_model
from onnx_tf.passes.infer_shapes import infer_shapes

__all__ = ["ThroughFiles"]

_NAMES = {
    "saved_model": "saved_model",
    "tflite": "model.tflite",
    "keras": "model.keras",
    "frozen_graph": "model.pb",
}


class ThroughFiles:
    """Writes a model with values inside it as outputs besides its own, and runs what was written.

    It computes as the file does that has the model's outputs alone, but that what is an output cannot be fused
    with what follows.

    Attributes:
        value_names: the tensors that the nodes of the main graph compute.
    """

    def __init__(self, kind: Format, model: ModelSource, channels_last_inputs: Sequence[str] = (), **options: Any):
        """Say what is written.

        Args:
            kind: ``"saved_model"``, ``"tflite"``, ``"keras"`` or ``"frozen_graph"``.
            model: the ONNX model: a path, bytes, a ``ModelProto`` or an ``onnx_ir.Model``.
            channels_last_inputs: the names of the inputs that are given so.
            options: further ones of :func:`onnx_tf.convert`.
        """
        self.kind, self.model, self.options, self._moved = kind, model, options, channels_last_inputs
        loaded = load_model(model).clone()
        infer_shapes(loaded, implied=False)
        graph = loaded.graph
        self.value_names = [str(v.name) for node in graph for v in node.outputs if isinstance(v.type, ir.TensorType)]
        self._outputs = [str(value.name) for value in graph.outputs]

    def intermediate_values(self, inputs: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
        """Return values by ONNX name, in ONNX order; see :meth:`onnx_tf.TensorflowRep.intermediate_values`.

        Raises:
            OnnxTfError: the model cannot be written so, or the file cannot be run.
        """
        outputs = list(dict.fromkeys([*self._outputs, *names]))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / _NAMES[self.kind]
            moved = list(self._moved)
            done = convert(
                self.model, path, check=False, output_names=outputs, channels_last_inputs=moved, **self.options
            )
            found = self._artifact(done.path, done.rep).run(in_onnx_order(inputs, self._moved))
        return {name: found[name] for name in names}

    def _artifact(self, path: Path, rep: Any) -> SavedModel | LiteRT | KerasFile | FrozenGraph:
        if self.kind == "keras":
            return KerasFile(path, rep.interface)
        kinds: dict[str, Any] = {"tflite": LiteRT, "frozen_graph": FrozenGraph}
        artifact: LiteRT | FrozenGraph | SavedModel = kinds.get(self.kind, SavedModel)(path, Interface.of(rep))
        return artifact
