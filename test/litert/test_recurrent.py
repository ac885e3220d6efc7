"""RNN, GRU and LSTM in .tflite files: open batch and length, all attributes, loops and unrolled steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest

from test.handlers.check import make_op_model
from test.litert.check import check_tflite
from test.reference import ort_outputs

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
HIDDEN, SIZE = 4, 5
WEIGHTS = 1, 2, 3, 7


def node(
    op_type: str, time: int, batch: int, *, lengths: bool = False, states: bool = False, peepholes: bool = False,
    outputs: int = 0, **attributes: Any,
) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:  # fmt: skip
    """Return a model of one node in layout 0 with constant weights, and inputs for it."""
    rng = np.random.default_rng(0)

    def some(*shape: int) -> np.ndarray:
        return (0.5 * rng.standard_normal(shape)).astype(np.float32)

    directions = 2 if attributes.get("direction") == "bidirectional" else 1
    gates = GATES[op_type] * HIDDEN
    weights = [some(directions, gates, SIZE), some(directions, gates, HIDDEN), some(directions, 2 * gates)]
    ends = np.array([time, 0, 1 + time // 2], np.int32)[:batch] if lengths else None
    first = [some(directions, batch, HIDDEN) if states else None for _ in range(2)]
    inputs = [some(time, batch, SIZE), *weights, ends, first[0]]
    if op_type == "LSTM":
        inputs += [first[1], some(directions, 3 * HIDDEN) if peepholes else None]
    while inputs[-1] is None:
        inputs.pop()
    model = make_op_model(
        op_type, inputs, {"hidden_size": HIDDEN, **attributes}, opset=17,
        outputs=outputs or (3 if op_type == "LSTM" else 2), constants=[i for i in WEIGHTS if i < len(inputs)],
    )  # fmt: skip
    return model, {f"x{i}": x for i, x in enumerate(inputs) if x is not None and i not in WEIGHTS}


def opened(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model in layout 0 with open batch and length."""
    names = {"x0": ("T", "N"), "x4": ("N",), "x5": ("", "N"), "x6": ("", "N")}
    for value in model.graph.input:
        for dim, name in zip(value.type.tensor_type.shape.dim, names[value.name], strict=False):
            if name:
                dim.dim_param = name
    return model


CASES: dict[str, tuple[str, Mapping[str, Any]]] = {
    "lstm": ("LSTM", {}),
    "lstm_all": (
        "LSTM",
        {"direction": "bidirectional", "lengths": True, "states": True, "peepholes": True, "clip": 0.3},
    ),
    "lstm_functions": (
        "LSTM",
        {
            "direction": "bidirectional",
            "activations": ["Elu", "Affine", "Elu", "HardSigmoid", "Softsign", "Elu"],
            "activation_alpha": [0.3, 0.7, 0.2, 0.1, 0.5],
            "activation_beta": [0.4, 0.2],
        },
    ),
    "lstm_forget": ("LSTM", {"direction": "reverse", "input_forget": 1, "outputs": 1}),
    "gru": ("GRU", {"direction": "bidirectional", "states": True}),
    "gru_linear": ("GRU", {"direction": "reverse", "linear_before_reset": 1, "lengths": True, "clip": 0.5}),
    "rnn": ("RNN", {"activations": ["Relu"], "clip": 0.6}),
    "rnn_softplus": (
        "RNN",
        {"direction": "bidirectional", "activations": ["LeakyRelu", "Softplus"], "activation_alpha": [0.2]},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_open_batch_and_length(tmp_path, case):
    op_type, options = CASES[case]
    model, feed = node(op_type, 20, 3, **options)
    found = check_tflite(opened(model), [feed, node(op_type, 3, 2, **options)[1]], tmp_path)
    directions = 2 if options.get("direction") == "bidirectional" else 1
    assert found["WHILE"] == found["DYNAMIC_UPDATE_SLICE"] == directions


@pytest.mark.parametrize(("time", "case", "loops"), [(6, "lstm_all", 0), (6, "gru_linear", 0), (20, "rnn_softplus", 2)])
def test_static_lengths_unroll_while_they_are_few(tmp_path, time, case, loops):
    op_type, options = CASES[case]
    model, feed = node(op_type, time, 3, **options)
    assert check_tflite(model, feed, tmp_path).get("WHILE", 0) == loops


@pytest.mark.parametrize("case", ["lstm_all", "gru"])
def test_layout(tmp_path, case):
    op_type, options = CASES[case]
    model, feed = node(op_type, 18, 2, **options)
    wanted = ort_outputs(model, feed)  # ONNX Runtime has layout 0 alone
    model.graph.node[0].attribute.append(onnx.helper.make_attribute("layout", 1))
    shapes = {"x0": (1, 0, 2), "x5": (1, 0, 2), "x6": (1, 0, 2)}
    turned = {name: x.transpose(shapes[name]) if name in shapes else x for name, x in feed.items()}
    for value in model.graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, turned[value.name].shape, strict=True):
            dim.dim_value = size
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    expected = {name: y.transpose((2, 0, 1, 3) if y.ndim == 4 else (1, 0, 2)) for name, y in wanted.items()}
    check_tflite(model, turned, tmp_path, expected=[expected])


def test_only_the_last_state(tmp_path):
    model, feed = node("GRU", 20, 2)
    model.graph.node[0].output[0] = ""
    del model.graph.output[0]
    assert "DYNAMIC_UPDATE_SLICE" not in check_tflite(opened(model), feed, tmp_path)


def test_weights_that_are_inputs(tmp_path):
    """A product of two inputs, whose clip the converter forgets where nothing is added in between."""
    model, feed = node("RNN", 4, 2, activations=["Relu"], clip=0.2)
    for tensor in model.graph.initializer:
        feed[tensor.name] = onnx.numpy_helper.to_array(tensor)
        model.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, 1, tensor.dims))
    del model.graph.initializer[:]
    check_tflite(model, feed, tmp_path)
