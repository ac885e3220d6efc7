"""GELU in a .tflite file is one operator, however the model has it."""

from __future__ import annotations

import numpy as np
import pytest

from onnx_tf.check.compare import OfScale
from test.handlers.check import make_op_model
from test.litert.check import check_tflite
from test.models import text_model
from test.passes.test_recognize_gelu import CONSTANTS, ERF, TANH

RNG = np.random.default_rng(0)
FEEDS = [{"x": RNG.uniform(-9, 9, (n, 4)).astype(np.float32)} for n in (8, 50)]
TOLERANCE = OfScale(single=1e-6, half=1e-2)


@pytest.mark.parametrize("body", [ERF["PyTorch"], TANH["Pow"], TANH["sigmoid"]])
def test_written_out(body, tmp_path):
    model = text_model(f"g (float[N, 4] x) => (float[N, 4] y) {CONSTANTS} {{ {body} }}")
    assert check_tflite(model, FEEDS, tmp_path, tolerance=TOLERANCE) == {"GELU": 1}


@pytest.mark.parametrize(
    ("op_type", "domain", "attributes", "inputs", "operators"),
    [
        ("Gelu", "", {}, 1, {"GELU": 1}),
        ("Gelu", "", {"approximate": "tanh"}, 1, {"GELU": 1}),
        ("Gelu", "com.microsoft", {}, 1, {"GELU": 1}),
        ("FastGelu", "com.microsoft", {}, 1, {"GELU": 1}),
        ("FastGelu", "com.microsoft", {}, 2, {"ADD": 1, "GELU": 1}),
        ("BiasGelu", "com.microsoft", {}, 2, {"ADD": 1, "GELU": 1}),
        ("QuickGelu", "com.microsoft", {}, 1, {"LOGISTIC": 1, "MUL": 2}),
    ],
)
def test_operators(op_type, domain, attributes, inputs, operators, tmp_path):
    arrays = [FEEDS[1]["x"], RNG.standard_normal(4).astype(np.float32)][:inputs]
    model = make_op_model(op_type, arrays, attributes, domain=domain, constants=[1][: inputs - 1], dynamic=True)
    feeds = [{"x0": feed["x"]} for feed in FEEDS]
    if inputs == 2:  # ONNX Runtime's last dimension must be known
        model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 4
    assert check_tflite(model, feeds, tmp_path, tolerance=TOLERANCE) == operators
