"""Attention that exporters write out becomes one layer with its weights, where that computes the same."""

from __future__ import annotations

import re
from collections.abc import Mapping

import keras
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnx_tf
from onnx_tf.check.compare import OfScale
from test.keras.check import check_keras, layers_of
from test.models import text_model

BATCH, LENGTH, FEATURES, HEADS = 2, 5, 12, 3
SIZE = FEATURES // HEADS
RNG = np.random.default_rng(0)

WEIGHTS: dict[str, np.ndarray] = {
    "scale": np.array(SIZE**-0.5),
    "root": np.array(SIZE**-0.25),
    "divisor": np.array(SIZE**0.5),
    "none": np.array(0.0),
    "lowest": np.array(np.finfo(np.float32).min),
    "infinite": np.array(-np.inf),
    "ratio": np.array(0.25),
    "causal": np.where(np.tri(LENGTH, dtype=bool), 0, -np.inf),
    "banded": np.where(np.tri(LENGTH, k=1, dtype=bool), 0, np.finfo(np.float32).min),
    "wqkv": RNG.normal(size=(FEATURES, 3 * FEATURES)),
    "bqkv": RNG.normal(size=3 * FEATURES),
    **{f"w{name}": RNG.normal(size=(FEATURES, FEATURES)) for name in "qkvo"},
    **{f"b{name}": RNG.normal(size=FEATURES) for name in "qkvo"},
}

TABLES = {
    "split": [0, 0, HEADS, SIZE],
    "split_three": [0, 0, 3, HEADS, SIZE],
    "packed": [-1, LENGTH, SIZE],
    "rows": [-1, FEATURES],
    "split_rows": [-1, LENGTH, HEADS, SIZE],
    "split_turned": [LENGTH, -1, SIZE],
    "joined": [0, 0, FEATURES],
    "joined_rows": [-1, LENGTH, FEATURES],
    "joined_turned": [LENGTH, -1, FEATURES],
    "unpacked": [-1, HEADS, LENGTH, SIZE],
    "four": [-1, HEADS, LENGTH, LENGTH],
    "three": [-1, LENGTH, LENGTH],
    "first": [0],
    "second": [1],
    "third": [2],
    "last": [-1],
    "axes": [1, 2],
}

PARTS = {
    "query": "pq = MatMul(x, wq) q0 = Add(bq, pq) q1 = Reshape(q0, split) q = Transpose<perm = [0, 2, 1, 3]>(q1)",
    "key": "pk = MatMul(x, wk) k0 = Add(pk, bk) k1 = Reshape(k0, split) k = Transpose<perm = [0, 2, 3, 1]>(k1)",
    "value": "pv = MatMul(x, wv) v0 = Add(pv, bv) v1 = Reshape(v0, split) v = Transpose<perm = [0, 2, 1, 3]>(v1)",
    "scores": "m = MatMul(q, k) s = Mul(m, scale)",
    "weights": "w = Softmax<axis = -1>(s)",
    "sums": "r0 = MatMul(w, v) r1 = Transpose<perm = [0, 2, 1, 3]>(r0) r2 = Reshape(r1, joined)",
    "result": "r3 = MatMul(r2, wo) y = Add(r3, bo)",
}

MERGED = {
    "query": "p = MatMul(x, wqkv) p0 = Add(p, bqkv) p1 = Reshape(p0, split_three)"
    " p2 = Transpose<perm = [2, 0, 3, 1, 4]>(p1) q = Gather<axis = 0>(p2, i0)",
    "key": "k0 = Gather<axis = 0>(p2, i1) k = Transpose<perm = [0, 1, 3, 2]>(k0)",
    "value": "v = Gather<axis = 0>(p2, i2)",
}

BOOLEAN = "keep = Cast<to = 9>(mask) kept = Unsqueeze(keep, axes)"

SAME: dict[str, Mapping[str, str]] = {
    "as transformers writes it": {},
    "divided": {"scores": "m = MatMul(q, k) s = Div(m, divisor)"},
    "scaled before": {
        "scores": "qs = Mul(root, q) ks = Mul(k, root) s = MatMul(qs, ks)",
    },
    "query scaled before it is split": {
        "query": "pq = MatMul(x, wq) q00 = Add(bq, pq) q0 = Mul(q00, scale) q1 = Reshape(q0, split)"
        " q = Transpose<perm = [0, 2, 1, 3]>(q1)",
        "scores": "s = MatMul(q, k)",
    },
    "projections in one": MERGED,
    "projections in one, cut": MERGED
    | {
        "query": "p = MatMul(x, wqkv) p0 = Add(p, bqkv) a, b, c = Split<axis = -1, num_outputs = 3>(p0)"
        " q1 = Reshape(a, split) q = Transpose<perm = [0, 2, 1, 3]>(q1)",
        "key": "k1 = Reshape(b, split) k = Transpose<perm = [0, 2, 3, 1]>(k1)",
        "value": "v1 = Reshape(c, split) v = Transpose<perm = [0, 2, 1, 3]>(v1)",
    },
    "rows": {
        "query": "xr = Reshape(x, rows) q0 = Gemm<transB = 1>(xr, wq, bq) q1 = Reshape(q0, split_rows)"
        " q = Transpose<perm = [0, 2, 1, 3]>(q1)",
        "result": "r3 = Reshape(r2, rows) r4 = Gemm<transB = 1>(r3, wo, bo) y = Reshape(r4, joined_rows)",
    },
    "batch and heads in one axis": {
        "scores": "qp = Reshape(q, packed) kt = Transpose<perm = [0, 1, 3, 2]>(k) k3 = Reshape(kt, packed)"
        " kp = Transpose<perm = [0, 2, 1]>(k3) m = MatMul(qp, kp) s3 = Mul(m, scale) s4 = Reshape(s3, four)"
        f" {BOOLEAN} added = Where(kept, none, lowest) s5 = Add(s4, added) s = Reshape(s5, three)",
        "sums": "vp = Reshape(v, packed) rp = MatMul(w, vp) r0 = Reshape(rp, unpacked)"
        " r1 = Transpose<perm = [0, 2, 1, 3]>(r0) r2 = Reshape(r1, joined)",
    },
    "time first": {
        "query": "t = Transpose<perm = [1, 0, 2]>(x) pq = MatMul(t, wq) q0 = Add(pq, bq)"
        " q1 = Reshape(q0, split_turned) q = Transpose<perm = [1, 0, 2]>(q1)",
        "key": "pk = MatMul(t, wk) k0 = Add(pk, bk) k1 = Reshape(k0, split_turned) k = Transpose<perm = [1, 2, 0]>(k1)",
        "value": "pv = MatMul(t, wv) v0 = Add(pv, bv) v1 = Reshape(v0, split_turned)"
        " v = Transpose<perm = [1, 0, 2]>(v1)",
        "sums": "r0 = MatMul(w, v) r1 = Transpose<perm = [1, 0, 2]>(r0) r2 = Reshape(r1, joined_turned)",
        "result": "r3 = MatMul(r2, wo) r4 = Add(r3, bo) y = Transpose<perm = [1, 0, 2]>(r4)",
    },
    "a mask that is chosen": {
        "scores": f"m = MatMul(q, k) s0 = Mul(m, scale) {BOOLEAN} added = Where(kept, none, lowest) s = Add(s0, added)"
    },
    "a mask of what is hidden": {
        "scores": f"m = MatMul(q, k) s0 = Mul(m, scale) {BOOLEAN} hidden = Not(kept) s = Where(hidden, lowest, s0)"
    },
    "a mask of what is hidden, turned": {
        "scores": f"m = MatMul(q, k) s0 = Mul(m, scale) {BOOLEAN} lost = Xor(kept, yes) s = Where(lost, lowest, s0)"
    },
    "causal": {"scores": "m = MatMul(q, k) s0 = Mul(m, scale) s = Add(s0, causal)"},
    "causal with rows that are looked after": {
        "scores": "m = MatMul(q, k) s0 = Mul(m, scale) s = Add(s0, causal)",
        "weights": "w0 = Softmax<axis = -1>(s) is = IsNaN(w0) w = Where(is, none, w0)",
    },
    "a constant mask": {"scores": "m = MatMul(q, k) s0 = Mul(m, scale) s = Add(s0, banded)"},
    "keys without bias": {"key": "pk = MatMul(x, wk) k1 = Reshape(pk, split) k = Transpose<perm = [0, 2, 3, 1]>(k1)"},
    "without biases": {
        "query": "pq = MatMul(x, wq) q1 = Reshape(pq, split) q = Transpose<perm = [0, 2, 1, 3]>(q1)",
        "key": "pk = MatMul(x, wk) k1 = Reshape(pk, split) k = Transpose<perm = [0, 2, 3, 1]>(k1)",
        "value": "pv = MatMul(x, wv) v1 = Reshape(pv, split) v = Transpose<perm = [0, 2, 1, 3]>(v1)",
        "result": "y = MatMul(r2, wo)",
    },
    "keys and values of something else": {
        "key": "z = Sin(x) pk = MatMul(z, wk) k0 = Add(pk, bk) k1 = Reshape(k0, split)"
        " k = Transpose<perm = [0, 2, 3, 1]>(k1)",
        "value": "u = Cos(x) pv = MatMul(u, wv) v0 = Add(pv, bv) v1 = Reshape(v0, split)"
        " v = Transpose<perm = [0, 2, 1, 3]>(v1)",
    },
    "heads behind their elements": {
        "sums": "r0 = MatMul(w, v) r1 = Transpose<perm = [0, 2, 3, 1]>(r0) r2 = Reshape(r1, joined)"
    },
}

OTHER: dict[str, Mapping[str, str]] = {
    "another scale": {"scores": "m = MatMul(q, k) s = Mul(m, root)"},
    "no scale": {"scores": "s = MatMul(q, k)"},
    "weights that are read": {
        "result": "r3 = MatMul(r2, wo) r4 = Add(r3, bo) e = ReduceMax<keepdims = 0>(w) y = Add(r4, e)"
    },
    "a projection that is read": {"result": "r3 = MatMul(r2, wo) r4 = Add(r3, bo) y = Add(r4, q0)"},
    "a matrix that is shared": {"result": "r3 = MatMul(r2, wo) r4 = Add(r3, bo) e = MatMul(x, wq) y = Add(r4, e)"},
    "numbers that are added": {
        "scores": "m = MatMul(q, k) s0 = Mul(m, scale) f = Cast<to = 1>(mask) added = Unsqueeze(f, axes)"
        " s = Add(s0, added)"
    },
    "rows that may be empty": {
        "scores": f"{BOOLEAN} m = MatMul(q, k) s0 = Mul(m, scale) e = Where(kept, none, infinite) s = Add(s0, e)"
    },
    "rows without keys that are nothing": {
        "scores": f"{BOOLEAN} m = MatMul(q, k) s0 = Mul(m, scale) e = Where(kept, none, infinite) s = Add(s0, e)",
        "weights": "w0 = Softmax<axis = -1>(s) is = IsNaN(w0) w = Where(is, none, w0)",
    },
    "a bias of the values alone": {
        "query": "pq = MatMul(x, wq) q1 = Reshape(pq, split) q = Transpose<perm = [0, 2, 1, 3]>(q1)",
        "key": "pk = MatMul(x, wk) k1 = Reshape(pk, split) k = Transpose<perm = [0, 2, 3, 1]>(k1)",
        "result": "y = MatMul(r2, wo)",
    },
    "weights that are chosen": {
        "weights": "w0 = Softmax<axis = -1>(s) large = Greater(m, scale) w = Where(large, none, w0)"
    },
    "a softmax of queries": {"weights": "w = Softmax<axis = -2>(s)"},
    "nothing behind the heads": {"result": "y = Abs(r2)"},
}


def model_of(parts: Mapping[str, str], batch: int | str = "n", opset: int = 18) -> onnx.ModelProto:
    text = " ".join((PARTS | parts).values())
    inputs = f"float[{batch}, {LENGTH}, {FEATURES}] x, int64[{batch}, {LENGTH}] mask"
    output = f"float[{batch}, {LENGTH}, {FEATURES}] y"
    model = text_model(f"g ({inputs}) => ({output}) {{ {text} used = Identity(mask) }}", opset=opset)
    arrays = {name: array.astype(np.float32) for name, array in WEIGHTS.items()}
    arrays |= {name: np.array(numbers, np.int64) for name, numbers in TABLES.items()}
    arrays |= {f"i{i}": np.array(i, np.int64) for i in range(3)} | {"yes": np.array(True)}
    for name, array in arrays.items():
        if any(name in node.input for node in model.graph.node):
            model.graph.initializer.append(numpy_helper.from_array(array, name))
    return model


def feeds() -> list[dict[str, np.ndarray]]:
    found = []
    for batch in (BATCH, 3):
        mask = np.ones((batch, LENGTH), np.int64)
        mask[0, 3:] = 0
        mask[1] = 0
        x = np.random.default_rng(batch).normal(size=(batch, LENGTH, FEATURES)).astype(np.float32)
        found.append({"x": x, "mask": mask})
    return found


@pytest.mark.parametrize("name", SAME)
def test_it_is_one_layer_with_its_numbers(name, tmp_path):
    found = layers_of(check_keras(model_of(SAME[name]), feeds(), tmp_path))
    assert found.count("MultiHeadAttention") == 1
    assert not {"Dense", "Matmul", "Softmax", "Transpose"} & set(found)


@pytest.mark.parametrize("name", OTHER)
def test_what_it_does_not_compute_stays_written_out(name, tmp_path):
    data = feeds()
    if name == "rows that may be empty":
        for feed in data:
            feed["mask"][1] = 1
    found = layers_of(check_keras(model_of(OTHER[name]), data, tmp_path))
    assert "MultiHeadAttention" not in found
    assert "Softmax" in found


@pytest.mark.parametrize("is_causal", [0, 1])
def test_the_operator_and_its_projections_are_one_layer(is_causal, tmp_path):
    parts = {
        "query": "pq = MatMul(x, wq) q = Add(bq, pq)",
        "key": "pk = MatMul(x, wk) k = Add(pk, bk)",
        "value": "pv = MatMul(x, wv) v = Add(pv, bv)",
        "scores": f"r2 = Attention<q_num_heads = {HEADS}, kv_num_heads = {HEADS}, is_causal = {is_causal}>(q, k, v)",
        "weights": "",
        "sums": "",
    }
    found = layers_of(check_keras(model_of(parts, batch=BATCH, opset=23), feeds()[0], tmp_path))
    assert found.count("MultiHeadAttention") == 1


def encoder(layers: int) -> onnx.ModelProto:
    """Return layers that all have the same matrices."""
    layer = " ".join(PARTS.values())
    names = set(re.findall(r"(\w+) = \w+[(<]", layer)) - {"y"}
    text = ""
    for i in range(layers):
        numbered = re.sub(rf"\b({'|'.join(names)})\b", rf"\1_{i}", layer)
        numbered = re.sub(r"\bx\b", f"x_{i}" if i else "x", numbered)
        text += " " + re.sub(r"\by\b", f"x_{i + 1}" if i + 1 < layers else "y", numbered)
    return model_of(dict.fromkeys(PARTS, "") | {"query": text})


def test_layers_of_the_same_matrices_are_one(tmp_path):
    loaded = check_keras(encoder(2), feeds(), tmp_path, tolerance=OfScale(single=1e-4, half=1e-2))
    assert layers_of(loaded) == ["MultiHeadAttention"]
    assert len(loaded.weights) == 8


def test_a_matrix_of_two_parts_that_is_not_of_all_stays_one():
    """One of them is in a layer that would be recognised by itself."""
    parts = {"result": "r3 = MatMul(r2, wo) r4 = Add(r3, bo) e = MatMul(r4, wo) y = Add(e, bo)"}
    assert "MultiHeadAttention" not in layers_of(onnx_tf.to_keras(model_of(parts)))


def test_it_is_configured_trained_and_saved(tmp_path):
    model = onnx_tf.to_keras(encoder(1))
    feed = feeds()[0]
    x = [feed["x"], feed["mask"]]
    expected = np.asarray(model(x, training=False))
    again = keras.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    np.testing.assert_allclose(again(x, training=False), expected, atol=1e-6)
    before = [weight.numpy().copy() for weight in again.trainable_weights]
    again.compile("adam", "mse")
    again.fit(x, np.zeros_like(expected), epochs=2, verbose=0)
    moved = [(weight.numpy() != old).any() for weight, old in zip(again.trainable_weights, before, strict=True)]
    assert len(moved) == 8
    assert sum(moved) >= 7  # what is added to keys has no gradient
    again.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(x, training=False), again(x, training=False), atol=1e-6)


def test_dropout_of_weights_is_the_layers_own_in_training():
    parts = {"weights": "w0 = Softmax<axis = -1>(s) w = Dropout(w0, ratio)"}
    rates = []
    for training in (False, True):
        model = onnx_tf.to_keras(model_of(parts), training=training)
        rates += [layer.dropout for layer in model.layers if isinstance(layer, keras.layers.MultiHeadAttention)]
    assert rates == [0, 0.25]


def test_source_has_the_layer(tmp_path):
    done = onnx_tf.convert(encoder(1), tmp_path / "model.py", check=feeds()[0])
    assert done.fits
    assert "layers.MultiHeadAttention(3, 4, name=" in (tmp_path / "model.py").read_text()
