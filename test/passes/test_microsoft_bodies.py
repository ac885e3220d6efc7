"""What ONNX Runtime fused or wrote channels-last becomes operators of ai.onnx again."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from onnx_tf import UnsupportedError, onnx_op, prepare
from onnx_tf.registry import registry
from test.handlers.check import compare
from test.reference import ort_outputs

HEADER = '<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>\n'
RNG = np.random.default_rng(0)
X = RNG.normal(size=(1, 4, 6, 6)).astype(np.float32)
W = RNG.normal(size=(4, 4, 3, 3)).astype(np.float32)


def _model(body: str) -> onnx.ModelProto:
    model = onnx.parser.parse_model(
        HEADER + "agraph (float[1, 4, 6, 6] x, float[4, 4, 3, 3] w) => (float[n, c, h, v] y) " + body
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(W, "w"))
    del model.graph.input[1]
    return model


FUSED = """{
    a = com.microsoft.FusedConv <pads = [1, 1, 1, 1], activation = "Relu"> (x, w)
    b = com.microsoft.FusedConv <pads = [1, 1, 1, 1], activation = "LeakyRelu", activation_params = [0.1]> (a, w, , a)
    g = com.microsoft.FusedConv <strides = [2, 2], activation = "HardSigmoid", activation_params = [0.3, 0.4]> (b, w)
    y = Relu (g)
}"""


def test_fused_convolutions_need_no_transposes_between_them():
    model = _model(FUSED)
    rep = prepare(model)
    compare(list(ort_outputs(model, {"x": X}).values()), list(rep.run(X)), rtol=1e-4, atol=1e-4)
    assert len(rep.layout_report.transposes) == 2  # of the input and the output


def test_transposes_around_channels_last_operators_cancel():
    body = """{
        last = Transpose <perm = [0, 2, 3, 1]> (x)
        a = com.microsoft.NhwcConv <pads = [1, 1, 1, 1]> (last, w)
        b = com.microsoft.NhwcFusedConv <pads = [1, 1, 1, 1], activation = "Relu"> (a, w)
        y = Transpose <perm = [0, 3, 1, 2]> (b)
    }"""
    plain = "{ a = Conv <pads = [1, 1, 1, 1]> (x, w) b = Conv <pads = [1, 1, 1, 1]> (a, w) y = Relu (b) }"
    rep = prepare(_model(body))
    compare(list(ort_outputs(_model(plain), {"x": X}).values()), list(rep.run(X)), rtol=1e-4, atol=1e-4)
    assert len(rep.layout_report.transposes) == 2


def test_an_unknown_activation_is_refused():
    with pytest.raises(UnsupportedError, match="FusedConv"):
        prepare(_model('{ y = com.microsoft.FusedConv <activation = "Unheard"> (x, w) }'))


def test_a_handler_of_ones_own_goes_first():
    @onnx_op("FusedConv", domain="com.microsoft")
    def plus_one(x, w, *, activation):  # noqa: ARG001
        return x + 1

    try:
        (y,) = prepare(_model('{ y = com.microsoft.FusedConv <activation = "Relu"> (x, w) }')).run(X)
    finally:
        registry.unregister("FusedConv", since=1, domain="com.microsoft")
    np.testing.assert_array_equal(y, X + 1)
