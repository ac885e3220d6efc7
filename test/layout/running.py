"""Run the pass on a model and the rewritten model in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from onnx_tf.check.compare import OfScale, compare
from onnx_tf.check.onnx_runtime import OnnxRuntime
from onnx_tf.layout import LayoutReport
from onnx_tf.loading import load_model
from onnx_tf.passes import optimize, simplify
from test.layout.lower import lower


def has_handler(domain: str, op_type: str, version: int) -> bool:  # noqa: ARG001
    return op_type not in ("SequenceMap",)


def simplified(proto: onnx.ModelProto) -> ir.Model:
    """Return a model as the pass gets it."""
    return simplify(load_model(proto), has_handler=has_handler)


def optimized(proto: onnx.ModelProto, **options: Any) -> tuple[ir.Model, LayoutReport]:
    """Return a model after the pass, and the report; its BatchNormalizations stay, to be tested with the others."""
    model = simplified(proto)
    return model, optimize(model, training=True, **options)


def run(proto: onnx.ModelProto, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return ONNX Runtime's outputs by name, of the graph as it is written."""
    return OnnxRuntime(proto, optimized=False, threads=1).run(feed)


def assert_same_numbers(proto: onnx.ModelProto, model: ir.Model, feed: Mapping[str, np.ndarray]) -> None:
    """Assert that a rewritten model gives what the original gives."""
    expected, actual = run(proto, feed), run(lower(model), feed)
    assert list(expected) == list(actual)
    comparison = compare(expected, actual, OfScale(single=1e-4, least_scale=1e-3))
    assert comparison.fits, str(comparison)
