"""Check a model's .tflite file against ONNX Runtime, in LiteRT's interpreter, with XNNPACK and without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

from onnx_tf import TensorflowRep
from onnx_tf.check.compare import OfScale, Tolerance, compare
from onnx_tf.check.interface import Interface
from onnx_tf.export.flatbuffer import foreign_operators, operators
from onnx_tf.export.tflite import tflite_files
from onnx_tf.options import Options
from onnx_tf.pipeline import lower
from onnx_tf.targets import LITERT, Target
from test.litert.served import ServedLiteRT
from test.reference import ort_outputs

STRICT = OfScale(single=1e-5, half=1e-2)


def written(model: onnx.ModelProto, file: Path, target: Target = LITERT, **options: Any) -> Interface:
    """Write a model's .tflite file and return its interface."""
    rep = TensorflowRep(lower(model, Options.of(target=target, **options)))
    ((_, content),) = tflite_files(rep.tf_module)
    file.write_bytes(content)
    return Interface.of(rep)


def check_tflite(
    model: onnx.ModelProto,
    feeds: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    folder: Path,
    *,
    tolerance: Tolerance = STRICT,
    expected: Sequence[Mapping[str, Any]] | None = None,
    **options: Any,
) -> dict[str, int]:
    """Check the outputs for every feed, and return how often each operator is in the file.

    Args:
        model: the model.
        feeds: inputs by name, or several of them: one for each shape to be tried.
        folder: where the file goes.
        tolerance: what counts as equal.
        expected: the outputs for each feed, by default ONNX Runtime's.
        options: of ``prepare``.
    """
    feeds = [feeds] if isinstance(feeds, Mapping) else feeds
    file = folder / "model.tflite"
    interface = written(model, file, **options)
    wanted = [ort_outputs(model, feed) for feed in feeds] if expected is None else expected
    for xnnpack in (True, False):
        for outputs, found in zip(wanted, ServedLiteRT(file, interface, xnnpack=xnnpack).runs(feeds), strict=True):
            comparison = compare(outputs, found, tolerance)
            assert comparison.fits, f"XNNPACK {xnnpack}: {comparison}"
    found_operators = operators(file.read_bytes())
    assert not foreign_operators(found_operators)
    return dict(found_operators)
