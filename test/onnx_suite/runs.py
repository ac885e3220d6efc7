"""The ways in which an official case is run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any
from unittest import mock

import onnx

from onnx_tf import pipeline, prepare
from onnx_tf.check.artifacts import SavedModel
from onnx_tf.check.interface import Interface
from test.layout.forcing import forced_channels_last


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


_AS_WRITTEN = {
    name: lambda _: False
    for name in ("fold_batch_normalization", "fuse_group_normalization", "lower_batch_normalization")
}


RUNS: dict[str, Callable[[onnx.ModelProto, list[Any]], list[Any]]] = {
    "run": through_run,
    "export": through_export,
    "channels_last": through_channels_last,
}
