"""RNN, GRU and LSTM against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from onnx_tf import prepare
from test.handlers.check import check_op, compare, make_op_model, run_reference

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
INPUT, HIDDEN, BATCH = 3, 4, 2


def tensors(op, *, directions=1, time=6, bias=True, lengths=None, states=False, peepholes=False, dtype=np.float32):
    rng = np.random.default_rng(3)

    def draw(*shape):
        return rng.uniform(-0.6, 0.6, shape).astype(dtype)

    rows = GATES[op] * HIDDEN
    x = [draw(time, BATCH, INPUT), draw(directions, rows, INPUT), draw(directions, rows, HIDDEN)]
    x += [draw(directions, 2 * rows) if bias else None, None if lengths is None else np.array(lengths, np.int32)]
    x.append(draw(directions, BATCH, HIDDEN) if states else None)
    if op == "LSTM":
        x.append(draw(directions, BATCH, HIDDEN) if states else None)
        x.append(draw(directions, 3 * HIDDEN) if peepholes else None)
    return x


def check(op, given, attributes=None, *, outputs=None, **settings):
    settings = {"constants": (1, 2, 3), "outputs": outputs or (3 if op == "LSTM" else 2), "opset": 14} | settings
    given = [*given]
    while given[-1] is None:
        given.pop()
    constants = [i for i in settings.pop("constants") if i < len(given) and given[i] is not None]
    check_op(op, given, {"hidden_size": HIDDEN} | (attributes or {}), constants=constants, **settings)


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("lengths", [None, [6, 3]])
def test_directions(op, direction, lengths):
    given = tensors(op, directions=2 if direction == "bidirectional" else 1, lengths=lengths, states=True)
    check(op, given, {"direction": direction})


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("time", [1, 3, 20, 40, 43])
def test_lengths_and_absent_inputs(op, time):
    check(op, tensors(op, time=time, bias=False), through=["static", "dynamic", "export"])


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("time", [20, 43])
def test_sequences_that_end_within_a_turn_of_the_loop(op, time):
    given = tensors(op, directions=2, lengths=[time, 11], states=True, time=time)
    check(op, given, {"direction": "bidirectional"})


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("direction", ["reverse", "bidirectional"])
def test_one_model_for_all_lengths(op, direction):
    directions = 2 if direction == "bidirectional" else 1
    outputs = 3 if op == "LSTM" else 2
    given = tensors(op, directions=directions)[:4]
    attributes = {"hidden_size": HIDDEN, "direction": direction}
    model = make_op_model(op, given, attributes, constants=(1, 2, 3), outputs=outputs, opset=14, dynamic=True)
    rep = prepare(model)
    for time in (1, 7, 8, 9, 16, 21):
        x = tensors(op, time=time)[0]
        compare(run_reference(model, {"x0": x}, "ort"), list(rep.run([x])), rtol=1e-4, atol=1e-5)
    assert rep.run([tensors(op, time=0)[0]])[0].shape == (0, directions, BATCH, HIDDEN)


@pytest.mark.parametrize("unroll", [True, False, None])
def test_no_time_steps(unroll):
    given = tensors("GRU", time=0, states=True)
    model = make_op_model("GRU", given, {"hidden_size": HIDDEN}, constants=(1, 2, 3), outputs=2, opset=14)
    y, last = prepare(model, unroll_rnn=unroll).run([given[0], given[5]])
    assert y.shape == (0, 1, BATCH, HIDDEN)
    np.testing.assert_array_equal(last, given[5])


@pytest.mark.parametrize("opset", [7, 14, 22])
def test_versions(opset):
    for op in GATES:
        check(op, tensors(op), opset=opset, through=["dynamic"])


def test_lstm_with_peepholes_clip_and_coupled_gates():
    check("LSTM", tensors("LSTM", states=True, peepholes=True))
    check("LSTM", tensors("LSTM", peepholes=True, directions=2), {"direction": "bidirectional", "clip": 0.3})
    check("LSTM", tensors("LSTM"), {"input_forget": 1})


@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_gru_with_linear_before_reset(direction):
    given = tensors("GRU", states=True, directions=2 if direction == "bidirectional" else 1, lengths=[6, 2])
    check("GRU", given, {"linear_before_reset": 1, "direction": direction, "clip": 0.4})
    check("GRU", tensors("GRU", bias=False), {"linear_before_reset": 1})


PARAMETERS = {
    "Affine": ([0.5], [0.1]),
    "Elu": ([0.7], []),
    "HardSigmoid": ([0.3], [0.4]),
    "LeakyRelu": ([0.2], []),
    "Relu": ([], []),
    "ScaledTanh": ([1.2], [0.7]),
    "Sigmoid": ([], []),
    "Softplus": ([], []),
    "Softsign": ([], []),
    "Tanh": ([], []),
    "ThresholdedRelu": ([0.1], []),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_activations(name):
    alpha, beta = PARAMETERS[name]
    attributes = {"activations": [name]} | ({"activation_alpha": alpha} if alpha else {})
    check("RNN", tensors("RNN"), attributes | ({"activation_beta": beta} if beta else {}), through=["dynamic"])


def test_activations_of_each_gate_and_direction():
    names = ["HardSigmoid", "Relu", "Tanh", "Sigmoid", "LeakyRelu", "Elu"]
    attributes = {"activations": names, "direction": "bidirectional"}
    attributes |= {"activation_alpha": [0.3, 0.2, 0.7], "activation_beta": [0.4]}
    check("LSTM", tensors("LSTM", directions=2), attributes, through=["dynamic"])


@pytest.mark.parametrize("op", GATES)
def test_batch_first(op):
    given = tensors(op, directions=2, states=True, lengths=[6, 3])
    attributes = {"hidden_size": HIDDEN, "direction": "bidirectional"}
    outputs = 3 if op == "LSTM" else 2
    model = make_op_model(op, given[:7], attributes, outputs=outputs, opset=14)
    expected = run_reference(model, {f"x{i}": a for i, a in enumerate(given[:7]) if a is not None}, "ort")
    moved = [given[0].transpose(1, 0, 2), *given[1:5], *[s.transpose(1, 0, 2) for s in given[5:7] if s is not None]]
    model = make_op_model(op, moved, attributes | {"layout": 1}, outputs=outputs, opset=14)
    actual = prepare(model).run(moved)
    back = [expected[0].transpose(2, 0, 1, 3), *[state.transpose(1, 0, 2) for state in expected[1:]]]
    compare(back, list(actual), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_dtypes(dtype):
    for op in GATES:
        given = tensors(op, dtype=dtype)
        reference = [a if a is None else a.astype(np.float32) for a in given]
        model = make_op_model(op, reference[:4], {"hidden_size": HIDDEN}, outputs=2, opset=14)
        expected = run_reference(model, {f"x{i}": a for i, a in enumerate(reference[:4])}, "ort")
        expected = [e.astype(dtype) for e in expected]
        tolerance = {"rtol": 2e-3, "atol": 1e-3} if dtype == np.float16 else {"rtol": 1e-5, "atol": 1e-6}
        check(op, given, outputs=2, reference=expected, through=["dynamic"], **tolerance)


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("time", [2, 12, 43])
def test_weights_are_trained(op, time):
    given = tensors(op, time=time)
    model = make_op_model(op, given[:4], {"hidden_size": HIDDEN}, constants=(1, 2, 3), opset=14)
    module = prepare(model).tf_module
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(module(tf.constant(given[0]))["y0"]))
    gradients = tape.gradient(loss, module.trainable_variables)
    assert len(gradients) == (1 if op == "RNN" else 3)  # smaller weights are constants
    assert all(float(tf.reduce_max(tf.abs(gradient))) > 1e-4 for gradient in gradients)


def test_unknown_activation_is_refused():
    with pytest.raises(Exception, match="'Gelu' is not known"):
        prepare(make_op_model("RNN", tensors("RNN")[:3], {"activations": ["Gelu"], "hidden_size": HIDDEN}, opset=14))


@pytest.mark.parametrize("op", GATES)
def test_weights_as_inputs_of_unknown_shape(op):
    given = tensors(op, directions=2, states=True, peepholes=True)
    check(op, given, {"direction": "bidirectional"}, constants=(), through=["dynamic"])


@pytest.mark.parametrize("op", GATES)
def test_the_last_state_of_an_empty_sequence_is_zero(op):
    inputs = tensors(op, lengths=[0, 3], states=True)
    check_op(op, inputs, {"hidden_size": HIDDEN}, opset=14, outputs=3 if op == "LSTM" else 2)


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("unroll", [False, None])
@pytest.mark.parametrize("dims", [(48, BATCH), (None, None)])
def test_lists_have_places_of_known_shape(op, unroll, dims):
    loops = operations(op, 48, dims, unroll_rnn=unroll)
    kinds = {operation.type for operation in loops}
    assert "EmptyTensorList" not in kinds
    assert "TensorListLength" not in kinds  # which coremltools does not know
    turns = [1] if unroll is False else [8] if dims[0] else [1, 8]
    reserved = [operation for operation in loops if operation.type == "TensorListReserve"]
    for operation, steps in zip(reserved, turns, strict=True):
        element_shape, size = operation.inputs
        assert tf.get_static_value(element_shape).tolist() == [*([8] * (steps == 8)), dims[1] or -1, HIDDEN]
        if dims[0]:
            (stack,) = (operation for operation in loops if operation.type == "TensorListStack")
            assert stack.outputs[0].shape == [48 // steps, *([8] * (steps == 8)), BATCH, HIDDEN]
            assert tf.get_static_value(size) == 48 // steps


def operations(op, time, dims, **options):
    """Return the operations of a model's main graph."""
    given = tensors(op, time=time)
    model = make_op_model(op, given[:4], {"hidden_size": HIDDEN}, constants=(1, 2, 3), opset=14)
    for dim, size in zip(model.graph.input[0].type.tensor_type.shape.dim, dims, strict=False):
        if size is None:
            dim.Clear()
    return prepare(model, **options).tf_module.concrete(freeze=True).graph.get_operations()


@pytest.mark.parametrize(("time", "loops"), [(1, 0), (32, 0), (33, 1), (40, 1)])
def test_few_time_steps_are_laid_out(time, loops):
    found = operations("LSTM", time, (time, BATCH))
    assert sum("While" in operation.type for operation in found) == loops


@pytest.mark.parametrize(("op", "products"), [("RNN", 1), ("GRU", 1), ("LSTM", 1)])
def test_a_step_multiplies_its_state_once(op, products):
    given = tensors(op, time=5)
    attributes = {"hidden_size": HIDDEN} | ({"linear_before_reset": 1} if op == "GRU" else {})
    model = make_op_model(op, given[:4], attributes, constants=(1, 2, 3), opset=14)
    found = [o for o in prepare(model).tf_module.concrete().graph.get_operations() if o.type == "MatMul"]
    assert len(found) == 1 + 5 * products  # that of the input is one for all steps
    assert not any(operation.get_attr("transpose_b") for operation in found)


def test_an_rnn_adds_its_input_to_the_product():
    given = tensors("RNN")
    model = make_op_model("RNN", given[:4], {"hidden_size": HIDDEN}, constants=(1, 2, 3), opset=14)
    library = prepare(model, unroll_rnn=False).tf_module.concrete(freeze=True).graph.as_graph_def().library
    nodes = [node for function in library.function for node in function.node_def]
    sums = [node.input[0] for node in nodes if node.op == "AddV2" and "MatMul" in " ".join(node.input)]
    assert sums
    assert all("MatMul" in first for first in sums)


def test_too_few_activations_of_two_directions_are_refused():
    attributes = {"activations": ["Sigmoid", "Tanh", "Tanh"], "direction": "bidirectional", "hidden_size": HIDDEN}
    with pytest.raises(Exception, match="6 activations expected"):
        prepare(make_op_model("LSTM", tensors("LSTM", directions=2)[:3], attributes, opset=14))
