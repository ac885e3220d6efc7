"""Constant weights of recurrent layers are stored as kernels read them, unless something else reads them."""

from __future__ import annotations

import numpy as np
import pytest

from onnx_tf import prepare
from onnx_tf.model.loading import load_model
from onnx_tf.passes.pack_recurrent_weights import pack_recurrent_weights
from onnx_tf.registry import PACKED_DOMAIN
from test.layout.running import run
from test.passes.test_pack_weights import assert_same_numbers, floats, model_of

X = "float[3,2,3] x"


def packed(text: str, **constants: np.ndarray) -> tuple[dict[str, list[int]], set[str]]:
    model = load_model(model_of(text, **constants))
    shapes = pack_recurrent_weights(model)
    assert shapes == any(node.domain == PACKED_DOMAIN for node in model.graph)
    found = {name: list(value.const_value.shape.numpy()) for name, value in model.graph.initializers.items()}
    return found, {node.outputs[0].name for node in model.graph if node.domain == PACKED_DOMAIN}


@pytest.mark.parametrize("op", ["RNN", "GRU", "LSTM"])
def test_both_weights_of_a_node(op: str) -> None:
    rows = {"RNN": 1, "GRU": 3, "LSTM": 4}[op] * 5
    text = f"g ({X}) => (float[a,b,c,d] y) {{ y = {op} <hidden_size = 5> (x, w, r) }}"
    constants = {"w": floats(1, rows, 3), "r": floats(1, rows, 5)}
    assert packed(text, **constants) == ({"w": [1, 3, rows], "r": [1, 5, rows]}, {"y"})
    assert_same_numbers(model_of(text, **constants), x=floats(3, 2, 3))


def test_one_of_the_weights_is_computed() -> None:
    text = f"g ({X}, float[1,5,5] r) => (float[a,b,c,d] y) {{ y = RNN <hidden_size = 5> (x, w, r) }}"
    constants = {"w": floats(1, 5, 3)}
    assert packed(text, **constants) == ({"w": [1, 5, 3]}, set())
    assert_same_numbers(model_of(text, **constants), x=floats(3, 2, 3), r=floats(1, 5, 5))


@pytest.mark.parametrize(("other", "moved"), [("RNN <hidden_size = 5> (x, v, r)", True), ("Neg(r)", False)])
def test_weights_that_others_use(other: str, moved: bool) -> None:
    text = f"g ({X}) => (float[a,b,c,d] y, float[e,f,g,h] o) {{ y = RNN <hidden_size = 5> (x, w, r) o = {other} }}"
    text = text if moved else text.replace("float[e,f,g,h] o", "float[1,5,5] o")
    constants = {"w": floats(1, 5, 3), "r": floats(1, 5, 5)} | ({"v": floats(1, 5, 3)} if moved else {})
    shapes, nodes = packed(text, **constants)
    assert nodes == ({"y", "o"} if moved else set())
    assert shapes["w"] == ([1, 3, 5] if moved else [1, 5, 3])
    assert_same_numbers(model_of(text, **constants), x=floats(3, 2, 3))


def test_a_node_that_stays_keeps_the_others_that_share_its_weights() -> None:
    text = f"""g ({X}, float[1,5,5] q) => (float[a,b,c,d] y, float[e,f,g,h] z) {{
        y = RNN <hidden_size = 5> (x, w, r) z = RNN <hidden_size = 5> (x, w, q) }}"""
    shapes, nodes = packed(text, w=floats(1, 5, 3), r=floats(1, 5, 5))
    assert (shapes, nodes) == ({"w": [1, 5, 3], "r": [1, 5, 5]}, set())


def test_variables_are_in_the_order_of_products() -> None:
    text = f"g ({X}) => (float[a,b,c,d] y) {{ y = LSTM <hidden_size = 5> (x, w, r) }}"
    proto = model_of(text, w=floats(1, 20, 3), r=floats(1, 20, 5))
    rep = prepare(proto)
    assert sorted(v.shape.as_list() for v in rep.tf_module.trainable_variables) == [[1, 3, 20], [1, 5, 20]]
    x = floats(3, 2, 3)
    np.testing.assert_allclose(rep.run({"x": x})[0], run(proto, {"x": x})["y"], rtol=1e-4, atol=1e-5)
