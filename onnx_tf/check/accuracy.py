"""``--check``: compare a SavedModel with ONNX Runtime's results for the ONNX model that it came from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from onnx_tf.check.artifacts import SavedModel
from onnx_tf.check.compare import Comparison, Difference, compare
from onnx_tf.check.inputs import accepted_inputs, described, drawn_inputs
from onnx_tf.check.interface import Interface, in_artifact_order, in_onnx_order
from onnx_tf.check.known_differences import explanations
from onnx_tf.check.onnx_runtime import OnnxRuntime
from onnx_tf.errors import OnnxTfError
from onnx_tf.model.loading import ModelSource, load_model
from onnx_tf.runtime.feeding import to_numpy

if TYPE_CHECKING:
    from onnx_tf.backend_rep import TensorflowRep

__all__ = ["Accuracy", "compare_saved_model"]


@dataclass(frozen=True)
class Accuracy(Comparison):
    """How far a SavedModel is from ONNX Runtime.

    Attributes:
        outputs: the difference of each output.
        inputs: dtype and shape of what both were fed, by name, in the SavedModel's memory order.
        known: for each output that differs, what is known of ONNX Runtime's own ways on the
            operators that it comes from.
    """

    inputs: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def compare_saved_model(
    path: str | os.PathLike[str], rep: TensorflowRep, model: ModelSource, feed: Mapping[str, Any] | None = None
) -> Accuracy:
    """Load a SavedModel, call it, and compare its outputs with those of ONNX Runtime.

    Args:
        path: the SavedModel's folder.
        rep: the rep that wrote it.
        model: the ONNX model: a path, bytes, a ``ModelProto`` or an ``onnx_ir.Model``.
        feed: inputs by ONNX name, as the SavedModel takes them; by default random ones, in shapes
            that ONNX Runtime accepts.

    Raises:
        OnnxTfError: ONNX Runtime is not installed, or cannot run the model on these inputs.
    """
    interface = Interface.of(rep)
    moved = interface.channels_last_inputs
    try:
        reference = OnnxRuntime(model)
        if feed is None:
            given, expected = accepted_inputs(drawn_inputs(interface.inputs, moved), reference)
        else:
            bound = interface.bound(feed)
            dtypes = {str(value.name): value.dtype for value in interface.inputs}
            given = in_onnx_order({name: to_numpy(value, dtypes[name]) for name, value in bound.items()}, moved)
            expected = reference.run(given)
    except OnnxTfError as error:
        known = explanations(load_model(model))
        if not known:
            raise
        raise type(error)("\n".join([str(error), *known])) from error
    comparison = compare(expected, SavedModel(path, interface).run(given))
    shown = {name: described(value) for name, value in in_artifact_order(given, moved).items()}
    return Accuracy(comparison.outputs, shown, _known(model, comparison.outputs))


def _known(model: ModelSource, outputs: tuple[Difference, ...]) -> dict[str, tuple[str, ...]]:
    differing = [output.name for output in outputs if not output.fits]
    if not differing:
        return {}
    loaded = load_model(model)
    found = {name: tuple(explanations(loaded, name)) for name in differing}
    return {name: sentences for name, sentences in found.items() if sentences}
