"""Values inside the models of the zoo, by their ONNX names and in ONNX order, against ONNX Runtime's own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
import pytest

from onnx_tf import prepare
from onnx_tf.check.compare import OfScale, compare
from onnx_tf.check.onnx_runtime import intermediate_values
from test.ledger import hold
from test.zoo.compare import MODELS, manifest, tolerance
from test.zoo.materialize import make_inputs, materialize

ENTRIES = manifest()
AT_HAND = 0.95
"""The share of the float values of a model that are at hand: others were dropped or became part of another."""

AMPLIFIED = 5e-3
"""Sigmoids of large numbers and their like show more of rounding than a model's outputs do."""

WIDER = {
    ("resnet18_qdq", "/features/stage4/unit2/body/conv2/conv/Conv_output_0_DequantizeLinear_Output"): 9e-2,
    ("yolox", "/rc.1/rc.1.0/rc.1.0.2/Sigmoid_output_0"): 8e-3,
}
"""Single values whose rounding is amplified further: steps of a quantised tensor, a Sigmoid of large numbers."""


def _read(graph: onnx.GraphProto) -> Iterator[str]:
    """Yield the names of values that something reads."""
    yield from (value.name for value in graph.output)
    for node in graph.node:
        yield from node.input
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _read(attribute.g)


@pytest.mark.parametrize("name", ENTRIES)
def test_values_of_a_model(name):
    entry, model = ENTRIES[name], materialize(MODELS / f"{name}.onnx")
    feed = make_inputs(entry["inputs"])

    def check() -> None:
        given = prepare(model).intermediate_values(feed)
        of_model = tolerance(entry)
        allowed = OfScale(single=max(AMPLIFIED, of_model.single), half=max(AMPLIFIED, of_model.half))
        floats = 0
        missing = []
        needed = set(_read(model.graph))
        for value, expected in intermediate_values(model, feed):
            if value not in needed or not isinstance(expected, np.ndarray) or expected.dtype.kind != "f":
                continue
            floats += 1
            if value not in given:
                missing.append(value)
                continue
            wider = OfScale(single=WIDER[name, value]) if (name, value) in WIDER else allowed
            comparison = compare({value: expected}, {value: given[value]}, wider)
            assert comparison.fits, str(comparison)
        assert len(missing) <= (1 - AT_HAND) * floats, missing

    hold("zoo", name, check)
