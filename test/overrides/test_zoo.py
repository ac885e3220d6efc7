"""Overrides of real networks that change nothing: Transposes that move nothing, and other names."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnx_tf.check.onnx_runtime import OnnxRuntime
from onnx_tf.edits import edited_source
from onnx_tf.edits.kinds import infer_types
from onnx_tf.handler_table import known_handlers
from onnx_tf.model.loading import load_model
from onnx_tf.options import Options
from onnx_tf.pipeline import lower
from test.zoo.compare import MODELS, manifest
from test.zoo.materialize import make_inputs, materialize

ENTRIES = manifest()
QUICK = ["vit_opset20_gelu", "scripted_if_loop", "countvec_nb", "resnet18_qop"]
NAMES = [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in ENTRIES if name not in QUICK)]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_else_changes(name: str) -> None:
    model = materialize(MODELS / f"{name}.onnx")
    loaded = load_model(model)
    infer_types(loaded)
    given, made = str(loaded.graph.inputs[0].name), str(loaded.graph.outputs[0].name)
    names = {"rename_inputs": {given: "renamed_input"}, "rename_outputs": {made: "renamed_output"}}
    options = Options.of(overrides={"nodes": list(entries(loaded)), **names})
    feed = make_inputs(ENTRIES[name]["inputs"])
    expected = OnnxRuntime(model, optimized=False).run(feed)
    other = {"renamed_input" if key == given else key: value for key, value in feed.items()}
    found = OnnxRuntime(edited_source(model, options), optimized=False).run(other)
    for key, value in expected.items():
        assert_same(found["renamed_output" if key == made else key], value)
    lower(model, options, handlers=known_handlers(), until="layout")


def entries(model: ir.Model) -> Any:
    """Yield an entry for the node in the middle of those that read and give tensors of known ranks."""
    nodes = [node for node in model.graph if node.inputs and has_rank(node.inputs[0]) and has_rank(node.outputs[0])]
    for node in nodes[len(nodes) // 2 :][:1]:
        source, result = node.inputs[0], node.outputs[0]
        assert source is not None
        befores, afters = ({str(v.name): list(range(len(v.shape or ())))} for v in (source, result))
        yield {"node": node.name, "transpose_before": befores, "transpose_after": afters}


def has_rank(value: ir.Value | None) -> bool:
    return value is not None and isinstance(value.type, ir.TensorType) and value.shape is not None


def assert_same(found: Any, expected: Any) -> None:
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, dict):
        assert found == expected
    else:
        np.testing.assert_array_equal(found, expected)
