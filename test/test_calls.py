from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from onnx_tf import RunError, backend_rep, prepare
from onnx_tf.runtime import calling
from test.models import text_model

X = np.array([[-1, 0, 2]], np.float32)
WEIGHTS = np.arange(48, dtype=np.float32).reshape(3, 16)
WEIGHT = f"float[3, 16] w = {{{', '.join(map(str, range(48)))}}}"
DENSE = f"g (float[N, 3] x) => (float[N, 16] y) <{WEIGHT}> {{ y = MatMul(x, w) }}"
SAME = "g (float[N, 3] x) => (float[N, 3] y, float[N, 3] z) { y = Identity(x) z = Relu(x) }"


@pytest.fixture(scope="module")
def same():
    return prepare(text_model(SAME))


@pytest.fixture(params=["inline", "handed to threads"])
def anywhere(request, monkeypatch):
    """Run a test with calls on the thread that calls, and with calls of the function."""
    if request.param != "inline":
        monkeypatch.setattr(calling, "SMALL_MODEL_BYTES", -1)


def test_nothing_is_converted_that_is_as_the_model_states(same, monkeypatch):
    def refuse(*_):
        raise AssertionError("it was bound anew")

    monkeypatch.setattr(backend_rep, "bind_inputs", refuse)
    for given in (X, [X], (X,), {"x": X}, tf.constant(X), np.asfortranarray(np.ones((4, 3), np.float32)), X[:, ::-1]):
        assert len(same.run(given)) == 2
    assert len(same.run(x=X)) == 2
    for given in (X.tolist(), tf.Variable(X), X.astype(">f4"), np.ma.masked_array(X), X[:0], X[0], X.astype(np.int32)):
        with pytest.raises(AssertionError, match="anew"):
            same.run(given)


@pytest.mark.usefixtures("anywhere")
def test_a_model_is_traced_once_and_nothing_calls_the_polymorphic_function(monkeypatch):
    rep = prepare(text_model(SAME))
    count = rep.tf_module.compute.experimental_get_tracing_count
    assert count() == 1
    rep.run(X)
    monkeypatch.setattr(rep.tf_module, "compute", None)  # the polymorphic function
    for rows in (1, 5, 30000):
        assert rep.run(np.ones((rows, 3), np.float32)).z.shape == (rows, 3)
    assert count() == 1


@pytest.mark.parametrize("rows", [1, 16, 100_000])
def test_results_are_arrays_of_their_own(same, rows):
    buffer = np.zeros(rows * 12 + 64, np.uint8)
    start = -buffer.ctypes.data % 64  # where TensorFlow takes arrays without a copy
    given = buffer[start : start + rows * 12].view(np.float32).reshape(rows, 3)
    given[:] = -1
    y, z = same.run(given)
    np.testing.assert_array_equal(given, -1)
    np.testing.assert_array_equal(y, -1)
    np.testing.assert_array_equal(z, 0)
    for result in (y, z):
        assert not np.shares_memory(result, given)
        result[:] = 7
    np.testing.assert_array_equal(same.run(given).y, -1)


@pytest.mark.usefixtures("anywhere")
def test_weights_that_are_results_stay():
    model = text_model(
        f"g (float[N, 3] x) => (float[3, 16] y, float[2] c, float[N, 16] z) <{WEIGHT}, float[2] k = {{1, 2}}> "
        "{ y = Identity(w) c = Identity(k) z = MatMul(x, w) }"
    )
    rep = prepare(model)
    for result in rep.run(X):
        result[:] = 7
    np.testing.assert_array_equal(rep.run(X).y, WEIGHTS)
    np.testing.assert_array_equal(rep.run(X).c, [1, 2])
    np.testing.assert_array_equal(rep.run(X).z, X @ WEIGHTS)


@pytest.mark.usefixtures("anywhere")
def test_outputs_come_in_the_order_of_the_model():
    names = [f"o{i}" for i in (3, 1, 10, 2)]
    nodes = " ".join(f"{name} = Mul(x, k{i})" for i, name in enumerate(names))
    constants = ", ".join(f"float k{i} = {{{i}}}" for i in range(4))
    outputs = ", ".join(f"float[N] {name}" for name in names)
    results = prepare(text_model(f"g (float[N] x) => ({outputs}) <{constants}> {{ {nodes} }}")).run(np.ones(1, "f4"))
    assert results.names == tuple(names)
    assert [result.item() for result in results] == [0, 1, 2, 3]


@pytest.mark.usefixtures("anywhere")
def test_tapes_record_nothing_of_a_run():
    rep = prepare(text_model(DENSE))
    given = tf.constant(X)
    with tf.autodiff.ForwardAccumulator(given, tf.ones_like(given)), tf.GradientTape(persistent=True) as tape:
        tape.watch(given)
        y = rep.run(given).y
        loss = tf.reduce_sum(tf.constant(y) * given[0, 0])
    np.testing.assert_array_equal(y, X @ WEIGHTS)
    np.testing.assert_array_equal(tape.gradient(loss, given), [[y.sum(), 0, 0]])


@pytest.mark.usefixtures("anywhere")
def test_weights_that_change_are_read_anew():
    rep = prepare(text_model(DENSE))
    rep.run(X)
    rep.tf_module.weights["w"].assign(np.zeros_like(WEIGHTS))
    np.testing.assert_array_equal(rep.run(X).y, np.zeros((1, 16)))


@pytest.mark.usefixtures("anywhere")
def test_an_error_names_the_node_and_the_rep_runs_on():
    rep = prepare(text_model("g (float[N, 3] x, int64[M] i) => (float[M, 3] y) { y = Gather(x, i) }"))
    with pytest.raises(RunError, match="Gather") as caught:
        rep.run([X, np.array([5])])
    assert caught.value.inputs == {"x": "float32[1, 3]", "i": "int64[1]"}
    np.testing.assert_array_equal(rep.run([X, np.array([0])]).y, X)
