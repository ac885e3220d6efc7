"""The ways in which an official case is run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import onnx

from onnx_tf import TensorflowRep, pipeline, prepare
from onnx_tf.check.artifacts import SavedModel
from onnx_tf.check.interface import Interface
from onnx_tf.export.tflite import tflite_files
from onnx_tf.options import Options
from onnx_tf.pipeline import lower
from onnx_tf.targets import KERAS, LITERT
from test.layout.forcing import forced_channels_last
from test.litert.served import ServedLiteRT


def through_run(model: onnx.ModelProto, inputs: list[Any]) -> list[Any]:
    """``prepare(model).run(inputs)``."""
    return list(prepare(model).run(inputs))


def through_export(model: onnx.ModelProto, inputs: list[Any]) -> list[Any]:
    """``prepare(model).export_graph(...)``, loaded and called by signature."""
    rep = prepare(model)
    with tempfile.TemporaryDirectory() as folder:
        rep.export_graph(folder)
        outputs = SavedModel(folder, Interface.of(rep)).run(dict(zip(rep.inputs, inputs, strict=True)))
    return list(outputs.values())


def through_channels_last(model: onnx.ModelProto, inputs: list[Any]) -> list[Any]:
    """``prepare(model).run(inputs)`` with everything channels-last that has a rule for it."""
    with mock.patch.multiple(pipeline, optimize_layout=forced_channels_last, **_AS_WRITTEN):
        return through_run(model, inputs)


def through_litert(model: onnx.ModelProto, inputs: list[Any]) -> list[Any]:
    """A .tflite file in LiteRT's interpreter, without its delegate, which computes in a process of its own."""
    rep = TensorflowRep(lower(model, Options(target=LITERT)))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.tflite"
        for _, content in tflite_files(rep.tf_module):
            file.write_bytes(content)
        outputs = ServedLiteRT(file, Interface.of(rep), xnnpack=False).run(dict(zip(rep.inputs, inputs, strict=True)))
    return list(outputs.values())


def through_keras(model: onnx.ModelProto, inputs: list[Any]) -> list[Any]:
    """A .keras file, written, loaded and called.

    Raises:
        UnsupportedError: Keras has no form of a node.
        ExportError: Keras has no such inputs.
    """
    return _through_keras(model, inputs, lambda loaded, x: loaded(x, training=False))


def through_keras_predict(model: onnx.ModelProto, inputs: list[Any]) -> list[Any]:
    """As :func:`through_keras`, and compiled by TensorFlow, which merges operations."""
    return _through_keras(model, inputs, lambda loaded, x: loaded.predict_on_batch(x))


def _through_keras(model: onnx.ModelProto, inputs: list[Any], call: Callable[[Any, Any], Any]) -> list[Any]:
    import keras  # for this way alone

    from onnx_tf.export.keras import build, write_keras

    rep = build(model, Options(target=KERAS))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.keras"
        write_keras(rep.model, file)
        loaded = keras.saving.load_model(file, compile=False, safe_mode=True)
    tensors = list(rep.interface.flat(dict(zip(rep.inputs, inputs, strict=True))).values())
    found = call(loaded, tensors[0] if len(tensors) == 1 else tensors)
    found = found if isinstance(found, list) else [found]
    return list(rep.interface.whole(dict(zip(rep.outputs, found, strict=True))).values())


_AS_WRITTEN = {
    name: lambda _: False
    for name in ("fold_batch_normalization", "fuse_group_normalization", "lower_batch_normalization")
}


RUNS: dict[str, Callable[[onnx.ModelProto, list[Any]], list[Any]]] = {
    "run": through_run,
    "export": through_export,
    "channels_last": through_channels_last,
    "litert": through_litert,
    "keras": through_keras,
    "keras_predict": through_keras_predict,
}
