"""Strings, classic machine learning, optimizers and random numbers: odd values, no rows, no words."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from onnx_tf import prepare
from test.handlers.check import check_op, make_op_model, run_reference
from test.handlers.strategies import a_way, arrays, broadcastable, few, normal, one_of, shapes
from test.handlers.test_ml_trees import FEATURES, MODES, RandomForest

ML, TRAINING = "ai.onnx.ml", "ai.onnx.preview.training"
TEXT = st.text("aB ,é", max_size=6)


def words(data, shape, text=TEXT) -> np.ndarray:
    count = int(np.prod(shape))
    return np.array(data.draw(st.lists(text, min_size=count, max_size=count)), object).reshape(shape)


@few
@given(data=st.data())
def test_splitting_strings(data):
    # With maxsplit ONNX Runtime strips the last piece of spaces, unlike Python and the evaluator.
    x = words(data, data.draw(shapes(0, 2)), TEXT.map(str.rstrip))
    attributes = {"delimiter": one_of(data, "", ",", " ", "a,"), "maxsplit": one_of(data, None, 1, 2)}
    given_ones = {name: value for name, value in attributes.items() if value is not None}
    check_op("StringSplit", [x], given_ones, outputs=2, opset=20, through=a_way(data))


@few
@given(data=st.data())
def test_joining_and_matching_strings(data):
    a, b = (words(data, shape) for shape in data.draw(broadcastable()))
    through = a_way(data)
    check_op("StringConcat", [a, b], opset=20, through=through)
    pattern = one_of(data, "a.*", "[aB]+", "", " *", "(?i)ab?", "a|B,", ".é")
    check_op("RegexFullMatch", [a], {"pattern": pattern}, opset=20, through=through)


@few
@given(data=st.data())
def test_normalizing_strings(data):
    shape = one_of(data, (1,), (4,), (1, 3))
    x = words(data, shape, st.sampled_from(["a", "B", "aB", "Ab", "", "b c"]))
    attributes = {
        "case_change_action": one_of(data, "LOWER", "UPPER", "NONE"),
        "is_case_sensitive": data.draw(st.integers(0, 1)),
        "locale": "C",
    }
    stopwords = one_of(data, None, ["ab"], ["B", "a", "b c"])
    if stopwords:
        attributes["stopwords"] = stopwords
    check_op("StringNormalizer", [x], attributes, opset=10, through=a_way(data))


@few
@given(data=st.data())
def test_n_grams(data):
    longest, strings = data.draw(st.integers(1, 3)), data.draw(st.booleans())
    pool, starts = [], []
    for length in range(1, longest + 1):
        starts.append(len(pool))
        grams = st.tuples(*[st.integers(0, 3)] * length)
        for gram in data.draw(st.lists(grams, min_size=1, max_size=3, unique=True)):
            pool += gram
    count = sum(
        (end - start) // n for n, start, end in zip(range(1, 4), starts, [*starts[1:], len(pool)], strict=False)
    )
    x = data.draw(arrays(np.int64, one_of(data, (0,), (6,), (2, 5), (2, 1)), finite=True)) % 4
    attributes = {
        "mode": one_of(data, "TF", "IDF", "TFIDF"),
        "max_skip_count": data.draw(st.integers(0, 2)),
        "min_gram_length": data.draw(st.integers(1, longest)),
        "max_gram_length": longest,
        "ngram_counts": starts,
        "ngram_indexes": data.draw(st.permutations(range(count))),
        "weights": np.abs(normal(data, count)).tolist(),
    }
    if strings:
        attributes["pool_strings"] = [f"w{i}" for i in pool]
        x = np.array([f"w{i}" for i in x.ravel()], object).reshape(x.shape)
    else:
        attributes["pool_int64s"] = pool
    check_op("TfIdfVectorizer", [x], attributes, opset=9, through=a_way(data))


@few
@given(data=st.data())
def test_encoding_labels(data):
    tables = {
        "strings": (["a", "", "é", "aB"], object),
        "int64s": ([0, 3, -1, 2**40], np.int64),
        "floats": ([0.0, 2.5, np.nan, -1.0], np.float32),
    }
    kind, value = one_of(data, *tables), one_of(data, *tables)
    keys, dtype = tables[kind]
    others = {"strings": ["zz"], "int64s": [7], "floats": [np.inf, -0.0]}[kind]
    x = words(data, data.draw(shapes(1, 2)), st.sampled_from(keys + others)).astype(dtype)
    keys = keys[: data.draw(st.integers(1, 4))]
    values = tables[value][0][: len(keys)][::-1]
    attributes = {f"keys_{kind}": keys, f"values_{value}": values}
    check_op("LabelEncoder", [x], attributes, domain=ML, opset=one_of(data, 2, 4), through=a_way(data))


@few
@given(data=st.data())
def test_features(data):
    dtype = one_of(data, np.float32, np.float64, np.int64, np.int32)
    x = data.draw(arrays(dtype, (data.draw(st.integers(1, 3)), 3), finite=dtype not in (np.float32, np.float64)))
    op_type = one_of(data, "Scaler", "Normalizer", "Binarizer", "Imputer", "ArrayFeatureExtractor", "FeatureVectorizer")
    inputs, attributes = [x], {}
    if op_type == "Scaler":
        size = one_of(data, 1, 3)
        attributes = {"offset": normal(data, size).tolist(), "scale": normal(data, size).tolist()}
    elif op_type == "Normalizer":
        attributes = {"norm": one_of(data, "MAX", "L1", "L2")}
        assume(np.isfinite(x).all())
    elif op_type == "Binarizer":
        attributes = {"threshold": one_of(data, 0.0, 0.5, -1.0)}
        assume(dtype is np.float32)
    elif op_type == "Imputer":
        size, kind = one_of(data, 1, 3), "float" if np.dtype(dtype).kind == "f" else "int64"
        replaced = one_of(data, np.nan, 0.0, 1.0) if kind == "float" else one_of(data, 0, 1)
        attributes = {f"imputed_value_{kind}s": [1.5, 2.5, 3.5][:size] if kind == "float" else [4, 5, 6][:size]}
        attributes[f"replaced_value_{kind}"] = replaced
        assume(dtype in (np.float32, np.int64))
    elif op_type == "ArrayFeatureExtractor":
        inputs.append(np.array([data.draw(st.lists(st.integers(0, 2), min_size=1, max_size=4))]))
    else:
        attributes, inputs = {"inputdimensions": [3, 2]}, [x, x[:, :2]]
    with np.errstate(all="ignore"):
        check_op(op_type, inputs, attributes, domain=ML, through=a_way(data))


TRANSFORMS = ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO")


@few
@given(data=st.data())
def test_linear_models(data):
    x = (normal(data, data.draw(st.integers(1, 4)), 3) * 2).astype(one_of(data, np.float32, np.float64, np.int64))
    count = data.draw(st.integers(2, 4))
    attributes = {"coefficients": normal(data, count * 3).tolist(), "post_transform": one_of(data, *TRANSFORMS)}
    attributes["intercepts"] = normal(data, count).tolist()
    through = a_way(data)
    labels = {"classlabels_ints": list(range(5, 5 + count))}
    check_op("LinearClassifier", [x], attributes | labels, domain=ML, outputs=2, through=through)
    if x.dtype == np.float32:
        check_op("LinearRegressor", [x], attributes | {"targets": count}, domain=ML, through=through)


@few
@given(data=st.data())
def test_support_vectors(data):
    per_class = data.draw(st.lists(st.integers(1, 3), min_size=2, max_size=4))
    classes, vectors = len(per_class), sum(per_class)
    pairs = classes * (classes - 1) // 2
    attributes = {
        "classlabels_strings": [f"k{i}" for i in range(classes)],
        "coefficients": normal(data, (classes - 1) * vectors).tolist(),
        "kernel_params": [0.3, 0.5, 2.0],
        "kernel_type": one_of(data, "LINEAR", "POLY", "RBF", "SIGMOID"),
        "post_transform": one_of(data, *TRANSFORMS),
        "rho": normal(data, pairs).tolist(),
        "support_vectors": normal(data, vectors * 3).tolist(),
        "vectors_per_class": per_class,
    }
    if data.draw(st.booleans()):
        attributes |= {"prob_a": (-np.abs(normal(data, pairs))).tolist(), "prob_b": normal(data, pairs).tolist()}
    x = normal(data, data.draw(st.integers(1, 4)), 3)
    check_op("SVMClassifier", [x], attributes, domain=ML, outputs=2, through=a_way(data), atol=1e-4)


@few
@given(data=st.data())
def test_trees(data):
    count, trees = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 4))
    seed, depth = data.draw(st.integers(0, 99)), data.draw(st.integers(0, 3))
    modes = tuple(data.draw(st.lists(st.sampled_from(MODES), min_size=1, max_size=3, unique=True)))
    forest = RandomForest(seed, vote="target", targets=[list(range(count))], trees=trees, depth=depth, modes=modes)
    attributes = forest.attributes(n_targets=count, aggregate_function=one_of(data, "SUM", "AVERAGE", "MIN", "MAX"))
    if data.draw(st.booleans()):
        tracks = forest.rng.integers(0, 2, len(attributes["nodes_modes"]))
        attributes["nodes_missing_value_tracks_true"] = tracks.tolist()
    x = (forest.rng.integers(-6, 7, (data.draw(st.integers(1, 5)), FEATURES)) / 2).astype(np.float32)
    x[forest.rng.random(x.shape) < 0.2] = one_of(data, np.nan, np.inf, -np.inf, -0.0)
    check_op("TreeEnsembleRegressor", [x], attributes, domain=ML, through=a_way(data))


@few
@given(data=st.data())
def test_optimizers(data):
    op_type = one_of(data, "Adagrad", "Adam", "Momentum")
    dtype, count, shape = one_of(data, np.float32, np.float64), data.draw(st.integers(1, 2)), data.draw(shapes(0, 2))
    parts = {"Adagrad": 3, "Adam": 4, "Momentum": 3}[op_type]
    attributes = {"norm_coefficient": 0.1}
    if op_type == "Momentum":
        attributes |= {"alpha": 0.9, "beta": 0.7, "mode": one_of(data, "standard", "nesterov")}
    tensors = [np.abs(normal(data, *shape, dtype=dtype)) for _ in range(parts * count)]
    inputs = [np.array(0.1, np.float32), np.array(data.draw(st.integers(0, 3)), np.int64), *map(np.asarray, tensors)]
    outputs, through = (parts - 1) * count, a_way(data)
    model = make_op_model(op_type, inputs, attributes, domain=TRAINING, outputs=outputs)
    expected = run_reference(model, {f"x{i}": t for i, t in enumerate(inputs)}, "onnx")
    reference = [np.asarray(e, dtype) for e in expected]
    check_op(op_type, inputs, attributes, domain=TRAINING, outputs=outputs, reference=reference, through=through)


@few
@given(data=st.data())
def test_random_numbers_have_the_shape_and_dtype(data):
    shape = data.draw(shapes(1, 3))
    dtype = one_of(data, np.float16, np.float32, np.float64)
    op_type = one_of(data, "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli")
    attributes = {"dtype": {np.float16: 10, np.float32: 1, np.float64: 11}[dtype]}
    inputs = [np.full(shape, 0.5, np.float32)]
    if not op_type.endswith(("Like", "Bernoulli")):
        inputs, attributes["shape"] = [], list(shape)
    y = prepare(make_op_model(op_type, inputs, attributes, opset=22, dynamic=data.draw(st.booleans()))).run(inputs)[0]
    assert y.shape == shape
    assert y.dtype == dtype
    assert np.isfinite(y).all()


@few
@given(data=st.data())
def test_maps(data):
    count, rows = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3))
    labels = one_of(data, {"classlabels_int64s": [7, -3, 0, 5][:count]}, {"classlabels_strings": list("aé c")[:count]})
    x = data.draw(arrays(np.float32, (rows, count), finite=True))
    (keys,) = labels.values()
    model = make_op_model("ZipMap", [x], labels, domain=ML, dynamic=data.draw(st.booleans()))
    assert prepare(model).run([x])[0] == [dict(zip(keys, row.tolist(), strict=True)) for row in x]
