"""Run the pass on a model and the rewritten model in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort

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
    """Return ONNX Runtime's outputs by name."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feed)), strict=True))


def assert_same_numbers(proto: onnx.ModelProto, model: ir.Model, feed: Mapping[str, np.ndarray]) -> None:
    """Assert that a rewritten model gives what the original gives."""
    expected, actual = run(proto, feed), run(lower(model), feed)
    assert list(expected) == list(actual)
    for name, array in expected.items():
        assert array.dtype == actual[name].dtype, name
        assert array.shape == actual[name].shape, name
        scale = np.abs(array).max(initial=1e-3) if array.dtype.kind == "f" else 0
        np.testing.assert_allclose(actual[name], array, rtol=1e-4, atol=1e-4 * scale, err_msg=name)
