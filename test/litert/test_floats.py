"""Models in float16 and float64: computed in float32, taken and given as they are."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import numpy_helper

from onnx_tf import convert
from onnx_tf.check.compare import OfScale
from test.litert.check import check_tflite
from test.models import text_model

BODY = """g ({0}[N, 4] x, bool[N] flag) => ({0}[N, 4] y, {0}[N, 3] z, {0}[4, 4] eye, {0}[K] steps, float[N, 4] wide)
{{
    m = Mul(x, scale)
    y = Softmax(m)
    z = MatMul(y, w)
    eye = EyeLike<dtype = {1}>(shaped)
    wide = Cast<to = 1>(m)
    one = Cast<to = {1}>(flag)
    total = ReduceMax<keepdims = 0>(one)
    go = Cast<to = 9>(total)
    limit = If(go) <
        then_branch = g () => ({0} a) {{ a = Add(total, two) }},
        else_branch = g () => ({0} b) {{ b = Neg(total) }}
    >
    steps = Range(start, limit, step)
}}"""


@pytest.mark.parametrize(("name", "number", "dtype"), [("float16", 10, np.float16), ("double", 11, np.float64)])
def test_whole_models(name, number, dtype, tmp_path):
    rng = np.random.default_rng(0)
    weights = {"w": rng.standard_normal((4, 3)), "scale": np.array(0.5), "shaped": np.zeros((4, 4))}
    weights |= {"two": np.array(2), "start": np.array(0), "step": np.array(0.5)}
    model = text_model(BODY.format(name, number), opset=17)
    if dtype is np.float16:  # Range has no float16
        model = _without(model, "steps")
    known = [numpy_helper.from_array(value.astype(dtype), key) for key, value in weights.items()]
    model.graph.initializer.extend(known)
    feeds = [{"x": rng.standard_normal((n, 4)).astype(dtype), "flag": np.array([True] * n)} for n in (1, 3)]
    check_tflite(model, feeds, tmp_path, tolerance=OfScale(single=1e-2 if dtype is np.float16 else 1e-5, half=1e-2))


def _without(model: onnx.ModelProto, output: str) -> onnx.ModelProto:
    kept = onnx.ModelProto()
    kept.CopyFrom(model)
    kept.graph.node.pop()
    kept.graph.output.remove(next(value for value in kept.graph.output if value.name == output))
    return kept


def test_the_largest_double_stays_finite(tmp_path):
    model = text_model("g (double[N, 3] x) => (double[N, 3] y) { m = Add(x, low) y = Softmax(m) }")
    low = np.array([0, np.finfo(np.float64).min, 0])
    model.graph.initializer.append(numpy_helper.from_array(low, "low"))
    check_tflite(model, {"x": np.ones((2, 3))}, tmp_path, tolerance=OfScale(single=1e-5))


def test_a_model_that_is_converted_keeps_its_types(tmp_path):
    model = ir.from_proto(text_model("g (double[N, 3] x) => (double[N, 3] y) { m = Neg(x) y = Exp(m) }"))
    convert(model, tmp_path, formats=["tflite", "saved_model"], tflite=["float32"], check=False)
    assert {value.dtype for value in (*model.graph.inputs, *model.graph.outputs)} == {ir.DataType.DOUBLE}
