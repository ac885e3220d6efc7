"""Compare a SavedModel with ONNX Runtime's results for the ONNX model that it came from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import tensorflow as tf

from onnx_tf.dtypes import to_tf
from onnx_tf.errors import InputError, OnnxTfError
from onnx_tf.export.saved_model import input_specs
from onnx_tf.feeding import bind_inputs, to_numpy
from onnx_tf.signature import flat_tensors, regrouped

__all__ = ["Accuracy", "OutputDifference", "compare_saved_model", "random_inputs"]

TOLERANCE = 1e-3
HALF_TOLERANCE = 2e-2


@dataclass(frozen=True)
class OutputDifference:
    """How far one output is from ONNX Runtime's.

    Attributes:
        name: the output's ONNX name.
        error: the largest absolute difference relative to the output's largest magnitude; for
            integers, booleans and strings the share of elements that differ; infinite where
            shape or dtype differ.
        tolerance: what counts as equal.
    """

    name: str
    error: float
    tolerance: float

    @property
    def fits(self) -> bool:
        """Whether the difference is within the tolerance."""
        return self.error <= self.tolerance


@dataclass(frozen=True)
class Accuracy:
    """The differences of all outputs."""

    outputs: tuple[OutputDifference, ...]

    @property
    def fits(self) -> bool:
        """Whether every output is within its tolerance."""
        return all(output.fits for output in self.outputs)


def compare_saved_model(
    path: str | os.PathLike[str], rep: Any, model: Any, feed: Mapping[str, Any] | None = None
) -> Accuracy:
    """Load a SavedModel, call it, and compare its outputs with those of ONNX Runtime.

    Args:
        path: the SavedModel's folder.
        rep: the ``TensorflowRep`` that wrote it.
        model: the ONNX model: a path, bytes, a ``ModelProto`` or an ``onnx_ir.Model``.
        feed: inputs by ONNX name, as the SavedModel takes them; random ones by default.

    Raises:
        OnnxTfError: ONNX Runtime is not installed, or cannot run the model on these inputs.
    """
    values = rep.tf_module.graph.inputs
    feed = dict(random_inputs(values) if feed is None else feed)
    tensors = bind_inputs(values, feed, {})
    given = {name: to_numpy(tensor) for name, tensor in zip(rep.inputs, tensors, strict=True)}
    for name in rep.layout_report.channels_last_inputs:
        given[name] = np.moveaxis(given[name], -1, 1)
    expected = _onnxruntime_outputs(model, given)
    for name in rep.layout_report.channels_last_outputs:
        expected[name] = np.moveaxis(expected[name], 1, -1)
    signature = tf.saved_model.load(os.fspath(path)).signatures["serving_default"]
    flat = signature(**flat_tensors(dict(zip(rep.inputs, tensors, strict=True)), input_specs(rep)))
    results = regrouped(rep.signatures["serving_default"].structured_outputs, flat)
    return Accuracy(tuple(_difference(name, expected[name], to_numpy(results[name])) for name in rep.outputs))


def random_inputs(values: tuple[ir.Value, ...], seed: int = 0) -> dict[str, np.ndarray]:
    """Return one random array per graph input; unknown dimensions are 1, integers 0 or 1.

    Raises:
        InputError: an input's rank is unknown, or it is not numeric.
    """
    rng = np.random.default_rng(seed)
    feed = {}
    for value in values:
        if value.shape is None or value.dtype is None or value.dtype is ir.DataType.STRING:
            raise InputError(f"no random numbers can stand for input {value.name!r}: pass your own inputs")
        shape = [dim if isinstance(dim, int) else 1 for dim in value.shape]
        dtype = to_tf(value.dtype)
        array = rng.uniform(0.0, 1.0, shape) if dtype.is_floating else rng.integers(0, 2, shape)
        feed[str(value.name)] = array.astype(dtype.as_numpy_dtype)
    return feed


def _onnxruntime_outputs(model: Any, feed: dict[str, Any]) -> dict[str, Any]:
    try:
        import onnxruntime
    except ImportError as error:
        raise OnnxTfError("the check needs ONNX Runtime: pip install 'onnx-tf[check]'") from error
    if isinstance(model, ir.Model):
        model = ir.to_proto(model)
    source = model.SerializeToString() if isinstance(model, onnx.ModelProto) else model
    if isinstance(source, (str, os.PathLike)):
        source = str(Path(source))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # Products of 8-bit integers saturate on some processors otherwise.
    options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, feed), strict=True))
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        raise OnnxTfError(f"ONNX Runtime cannot run the model on these inputs: {reason}") from error


def _difference(name: str, expected: Any, actual: Any) -> OutputDifference:
    if isinstance(expected, (list, dict)):
        return OutputDifference(name, _nested_error(expected, actual), TOLERANCE)
    expected = np.asarray(expected)
    half = expected.dtype.kind != "f" or expected.dtype.itemsize > 2
    return OutputDifference(name, _error(expected, np.asarray(actual)), TOLERANCE if half else HALF_TOLERANCE)


def _nested_error(expected: Any, actual: Any) -> float:
    if isinstance(expected, dict):
        if not isinstance(actual, dict) or expected.keys() != actual.keys():
            return float("inf")
        return max((_nested_error(expected[key], actual[key]) for key in expected), default=0.0)
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(expected) != len(actual):
            return float("inf")
        return max((_nested_error(e, a) for e, a in zip(expected, actual, strict=True)), default=0.0)
    return _error(np.asarray(expected), np.asarray(actual))


def _error(expected: np.ndarray, actual: np.ndarray) -> float:
    if expected.shape != actual.shape or expected.dtype != actual.dtype:
        return float("inf")
    if expected.dtype.kind != "f":
        return float(np.mean(expected != actual)) if expected.size else 0.0
    wide, other = expected.astype(np.float64), actual.astype(np.float64)
    same = (wide == other) | (np.isnan(wide) & np.isnan(other))
    if same.all():
        return 0.0
    with np.errstate(invalid="ignore"):
        gap = np.where(same, 0.0, np.abs(wide - other)).max()
    scale = np.abs(wide[np.isfinite(wide)]).max(initial=0.0)
    return float("inf") if np.isnan(gap) else float(gap / max(scale, 1e-12))
