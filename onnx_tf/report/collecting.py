"""Collect what a report tells of a conversion, the comparison of values inside included."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from onnx_tf.backend_rep import TensorflowRep
from onnx_tf.check.compare import NARROW_PRODUCTS
from onnx_tf.check.onnx_runtime import has_onnx_runtime
from onnx_tf.check.values import Values, check_values
from onnx_tf.errors import OnnxTfError
from onnx_tf.model.loading import ModelSource
from onnx_tf.options import Options
from onnx_tf.pipeline import lower
from onnx_tf.report.content import ModelFacts, Report
from onnx_tf.targets import SAVED_MODEL

if TYPE_CHECKING:
    from onnx_tf.artifacts import Written

__all__ = ["Converted", "collected", "compared_values"]


class Converted(Protocol):
    """What a conversion made, as :class:`onnx_tf.conversion.Conversion` has it."""

    @property
    def rep(self) -> Any:
        """The model."""

    @property
    def artifacts(self) -> tuple[Written, ...]:
        """What was written."""

    @property
    def seconds(self) -> float:
        """How long it took, without comparisons."""

    @property
    def timings(self) -> Mapping[str, float]:
        """How long each step took."""


def collected(
    done: Converted,
    model: ModelSource,
    options: Options,
    reference: Callable[[], ModelSource],
    check: bool | Mapping[str, Any] | None,
    progress: Callable[[str], None],
) -> Report:
    """Return the report of a conversion.

    Args:
        done: what it made.
        model: the ONNX model.
        options: how it was converted.
        reference: gives what ONNX Runtime loads to compute the same.
        check: ``False`` leaves the comparison of values out; inputs by name are what is compared with.
        progress: called with what is done.
    """
    start = time.perf_counter()
    values, reason = None, "comparisons were left out"
    if check is not False:
        feed = check if isinstance(check, Mapping) else None
        values, reason = compared_values(done.rep, model, options, reference, feed, progress)
    timings = {**done.timings, "compare values": time.perf_counter() - start}
    return Report(
        ModelFacts.of(model, options),
        done.rep.inputs.as_json(),
        done.rep.outputs.as_json(),
        done.artifacts,
        values,
        reason,
        done.rep.layout_report,
        timings if values is not None else done.timings,
        done.seconds,
    )


def compared_values(
    rep: Any,
    model: ModelSource,
    options: Options,
    reference: Callable[[], ModelSource],
    feed: Mapping[str, Any] | None,
    progress: Callable[[str], None],
) -> tuple[Values | None, str]:
    """Return the comparison of every value inside, or ``None`` and why there is none.

    A Keras model gives no values inside: the model is converted for a SavedModel then.
    """
    if not has_onnx_runtime():
        return None, "ONNX Runtime is not installed"
    progress("Checking values")
    try:
        if not isinstance(rep, TensorflowRep):
            rep = TensorflowRep(lower(model, replace(options, target=SAVED_MODEL)))
        tolerance = NARROW_PRODUCTS.get(str(options.rewriting.compute))
        values = check_values(
            reference(), rep, feed, tolerance=tolerance, progress=lambda text: progress(f"Checking: {text}")
        )
        return values, ""
    except OnnxTfError as error:
        return None, str(error)
