"""From a model to files in one call: what ``onnx-tf convert`` does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from onnx_tf.backend import prepare
from onnx_tf.backend_rep import TensorflowRep
from onnx_tf.check.accuracy import Accuracy, compare_saved_model
from onnx_tf.edits import edited_source
from onnx_tf.model.loading import ModelSource
from onnx_tf.options import Layout, Options

__all__ = ["Conversion", "convert"]


@dataclass(frozen=True)
class Conversion:
    """What a conversion made.

    Attributes:
        rep: the model, to run or to export again.
        path: the folder of the SavedModel.
        seconds: how long loading, converting and writing took.
        timings: how long each step took, by its name, in seconds; the check included.
        bytes: the size of the SavedModel.
        accuracy: the comparison with ONNX Runtime, if it was asked for.
    """

    rep: TensorflowRep
    path: Path
    seconds: float
    timings: Mapping[str, float]
    bytes: int
    accuracy: Accuracy | None = None


def convert(
    model: ModelSource,
    path: str | os.PathLike[str],
    *,
    layout: Layout = "auto",
    channels_last_inputs: Sequence[str] | Literal["all"] = (),
    channels_last_outputs: Sequence[str] | Literal["all"] = (),
    batch_size: int | None = None,
    input_shapes: Mapping[str, Sequence[int | str | None]] | None = None,
    input_names: Sequence[str] = (),
    output_names: Sequence[str] = (),
    freeze: bool = False,
    overwrite: bool = True,
    check: bool | Mapping[str, Any] = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Conversion:
    """Convert a model and write it as a SavedModel.

    Args:
        model: see :func:`onnx_tf.prepare`, which also takes the options up to ``output_names``.
        path: the SavedModel's folder.
        layout: see :func:`onnx_tf.prepare`.
        channels_last_inputs: see :func:`onnx_tf.prepare`.
        channels_last_outputs: see :func:`onnx_tf.prepare`.
        batch_size: see :func:`onnx_tf.prepare`.
        input_shapes: see :func:`onnx_tf.prepare`.
        input_names: see :func:`onnx_tf.prepare`.
        output_names: see :func:`onnx_tf.prepare`.
        freeze: bake the weights into the graph as constants.
        overwrite: replace a SavedModel that is there already.
        check: load the SavedModel and compare it with ONNX Runtime: on random inputs, in shapes
            that ONNX Runtime accepts, if true; on the given inputs (by name) if a mapping.
        progress: called with a word or two whenever a step begins.

    Raises:
        OnnxTfError: the model, an operator or the path is not fit for it; nothing was written.
    """
    start = time.perf_counter()
    path = Path(path)
    progress("Converting")
    edits: dict[str, Any] = {
        "batch_size": batch_size,
        "input_shapes": input_shapes,
        "input_names": input_names,
        "output_names": output_names,
    }
    rep = prepare(
        model,
        layout=layout,
        channels_last_inputs=channels_last_inputs,
        channels_last_outputs=channels_last_outputs,
        **edits,
    )
    progress("Writing")
    writing = time.perf_counter()
    rep.export_graph(path, freeze=freeze, overwrite=overwrite)
    checking = time.perf_counter()
    timings = rep.timings | {"write": checking - writing}
    accuracy = None
    if check is not False:
        progress("Checking")
        reference = edited_source(model, Options.of(**edits))
        accuracy = compare_saved_model(path, rep, reference, None if check is True else check)
        timings["check"] = time.perf_counter() - checking
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return Conversion(rep, path, checking - start, timings, size, accuracy)
