"""The ways in which an official case is run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any
from unittest import mock

import onnx
import tensorflow as tf

from onnx_tf import pipeline, prepare
from onnx_tf.export.saved_model import input_specs
from onnx_tf.feeding import bind_inputs, to_numpy
from onnx_tf.signature import flat_tensors, regrouped
from test.layout.forcing import forced_channels_last


def through_run(model: onnx.ModelProto, inputs: list[Any]) -> list[Any]:
    """``prepare(model).run(inputs)``."""
    return list(prepare(model).run(inputs))


def through_export(model: onnx.ModelProto, inputs: list[Any]) -> list[Any]:
    """``prepare(model).export_graph(...)``, loaded and called by signature."""
    rep = prepare(model)
    with tempfile.TemporaryDirectory() as folder:
        rep.export_graph(folder)
        signature = tf.saved_model.load(folder).signatures["serving_default"]
        tensors = bind_inputs(rep.tf_module.graph.inputs, inputs, {})
        flat = signature(**flat_tensors(dict(zip(rep.inputs, tensors, strict=True)), input_specs(rep)))
    results = regrouped(rep.signatures["serving_default"].structured_outputs, flat)
    return [to_numpy(results[value.name], value.dtype) for value in rep.tf_module.graph.outputs]


def through_channels_last(model: onnx.ModelProto, inputs: list[Any]) -> list[Any]:
    """``prepare(model).run(inputs)`` with everything channels-last that has a rule for it."""
    with mock.patch.multiple(pipeline, optimize_layout=forced_channels_last, **_AS_WRITTEN):
        return through_run(model, inputs)


_AS_WRITTEN = {
    name: lambda _: False
    for name in ("fold_batch_normalization", "fuse_group_normalization", "lower_batch_normalization")
}


RUNS: dict[str, Callable[[onnx.ModelProto, list[Any]], list[Any]]] = {
    "run": through_run,
    "export": through_export,
    "channels_last": through_channels_last,
}
