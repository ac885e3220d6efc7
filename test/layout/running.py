"""Run the pass on a model and the rewritten model in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from onnx_tf.check.compare import OfScale, compare
from onnx_tf.check.onnx_runtime import OnnxRuntime
from onnx_tf.layout import LayoutReport, optimize_layout
from onnx_tf.pipeline import lower
from onnx_tf.registry import Registry
from test.layout.channels_first import in_channels_first_operators


class Handlers(Registry):
    """A table that has every operator but some."""

    def __init__(self, supports: Callable[[str, str], bool]) -> None:
        super().__init__()
        self._supports = supports

    def supports(self, domain: str, op_type: str, version: int) -> bool:  # noqa: ARG002
        return self._supports(domain, op_type)


def simplified(
    proto: onnx.ModelProto, supports: Callable[[str, str], bool] = lambda _, op_type: op_type != "SequenceMap"
) -> ir.Model:
    """Return a model as the layout pass and those right before it get it."""
    return lower(proto, handlers=Handlers(supports), until="remove unused nodes").model


def optimized(proto: onnx.ModelProto, **options: Any) -> tuple[ir.Model, LayoutReport]:
    """Return a model after the pass, and the report; its BatchNormalizations stay, to be tested with the others."""
    model = simplified(proto)
    return model, optimize_layout(model, **options)


def run(proto: onnx.ModelProto, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return ONNX Runtime's outputs by name, of the graph as it is written."""
    return OnnxRuntime(proto, optimized=False, threads=1).run(feed)


def assert_same_numbers(proto: onnx.ModelProto, model: ir.Model, feed: Mapping[str, np.ndarray]) -> None:
    """Assert that a rewritten model gives what the original gives."""
    expected, actual = run(proto, feed), run(in_channels_first_operators(model), feed)
    assert list(expected) == list(actual)
    comparison = compare(expected, actual, OfScale(single=1e-4, least_scale=1e-3))
    assert comparison.fits, str(comparison)
