"""Operators of ai.onnx.ml other than trees, against ONNX Runtime."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from onnx_tf import InputError, RunError, prepare
from test.handlers.check import check_op
from test.onnx_suite.runs import through_export
from test.reference import ort_outputs

TRANSFORMS = ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT")
KERNELS = ("LINEAR", "POLY", "RBF", "SIGMOID")
WORDS = np.array([["a", "b"], ["zz", "ü"]], object)


def _floats(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def _check(op_type: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> None:
    settings = {name: attributes.pop(name) for name in ("opset", "through") if name in attributes}
    attributes = {
        name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in attributes.items()
    }
    check_op(op_type, list(inputs), attributes, domain="ai.onnx.ml", outputs=outputs, **settings)


# ONNX Runtime leaves the second score unset where one class has a probit.
SCORES = [case for case in itertools.product([1, 2, 3], TRANSFORMS) if case != (1, "PROBIT")]


@pytest.mark.parametrize(("scores", "transform"), SCORES)
@pytest.mark.parametrize("labels", ["ints", "strings"])
def test_linear_classifier(labels, scores, transform):
    count = max(scores, 2)
    names = list(range(5, 5 + count)) if labels == "ints" else [f"c{i}" for i in range(count)]
    weights = {"coefficients": _floats(scores * 4), "intercepts": _floats(scores, seed=1)}
    attributes = weights | {f"classlabels_{labels}": names, "post_transform": transform}
    _check("LinearClassifier", _floats(6, 4), outputs=2, through=["dynamic"], **attributes)


@pytest.mark.parametrize("dtype", ["float64", "int32", "int64"])
def test_linear_classifier_on_other_dtypes(dtype):
    x = (5 * _floats(6, 4)).astype(dtype)
    attributes = {"coefficients": _floats(12), "intercepts": _floats(3), "classlabels_ints": [3, 4, 5]}
    _check("LinearClassifier", x, outputs=2, **attributes)


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("targets", [1, 3])
def test_linear_regressor(targets, transform):
    attributes = {"coefficients": _floats(targets * 4), "targets": targets, "post_transform": transform}
    _check("LinearRegressor", _floats(6, 4), through=["dynamic"], **attributes)
    _check("LinearRegressor", _floats(6, 4), through=["dynamic"], **attributes, intercepts=_floats(targets, seed=3))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("per_class", [[3, 2], [3, 2, 4], [2, 2, 2, 3]])
@pytest.mark.parametrize("probabilities", [False, True])
@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC"])
def test_svm_classifier(kernel, per_class, probabilities, transform):
    classes, vectors = len(per_class), sum(per_class)
    pairs = classes * (classes - 1) // 2
    attributes = {
        "classlabels_ints": list(range(5, 5 + classes)),
        "coefficients": _floats((classes - 1) * vectors),
        "kernel_params": [0.3, 0.5, 3.0],
        "kernel_type": kernel,
        "post_transform": transform,
        "rho": _floats(pairs, seed=1),
        "support_vectors": _floats(vectors * 4, seed=2),
        "vectors_per_class": per_class,
    }
    if probabilities:
        attributes |= {"prob_a": -np.abs(_floats(pairs, seed=3)), "prob_b": _floats(pairs, seed=4)}
    _check("SVMClassifier", _floats(6, 4, seed=5), outputs=2, through=["dynamic"], **attributes)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("positive", [False, True])
def test_linear_svm_classifier(classes, positive):
    weights = _floats(classes * 4)
    attributes = {
        "classlabels_strings": [f"k{i}" for i in range(classes)],
        "coefficients": np.abs(weights) if positive else weights,
        "kernel_params": [0.0, 0.0, 0.0],
        "rho": [0.25],
    }
    _check("SVMClassifier", _floats(8, 4), outputs=2, **attributes)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("one_class", [0, 1])
@pytest.mark.parametrize("vectors", [0, 3])
def test_svm_regressor(kernel, one_class, vectors):
    attributes = {
        "coefficients": _floats(vectors or 4),
        "kernel_params": [0.3, 0.5, 2.0],
        "kernel_type": kernel,
        "n_supports": vectors,
        "one_class": one_class,
        "rho": [0.1],
    }
    if vectors:
        attributes["support_vectors"] = _floats(vectors * 4, seed=1)
    _check("SVMRegressor", _floats(6, 4), through=["dynamic"], **attributes)


@pytest.mark.parametrize("norm", ["MAX", "L1", "L2"])
def test_normalizer(norm):
    x = _floats(4, 3)
    for features in (x, x[0], 0 * x, -np.abs(x), x.astype("float64"), (9 * x).astype("int64")):
        _check("Normalizer", features, norm=norm)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32"])
def test_scaler(dtype):
    x = (9 * _floats(4, 3)).astype(dtype)
    _check("Scaler", x, offset=[0.5, 1.0, -2.0], scale=[2.0, 3.0, 4.0])
    _check("Scaler", x, offset=[0.5], scale=[2.0])


def test_binarizer():
    _check("Binarizer", _floats(4, 3), threshold=0.2)
    x = np.array([[-1, 0], [1, 2]])
    check_op("Binarizer", [x], {"threshold": 0.5}, domain="ai.onnx.ml", reference=[(x > 0.5).astype(np.int64)])


def test_imputer():
    x = _floats(4, 3)
    x[1, 1] = np.nan
    _check("Imputer", x, imputed_value_floats=[1.0, 2.0, 3.0], replaced_value_float=float("nan"))
    _check("Imputer", x, imputed_value_floats=[1.0], replaced_value_float=float("nan"))
    _check("Imputer", np.array([[1, 2], [3, 1]]), imputed_value_int64s=[7, 8], replaced_value_int64=1)
    _check("Imputer", np.array([1, 2, 1]), imputed_value_int64s=[7], replaced_value_int64=1)


def test_feature_vectorizer():
    _check("FeatureVectorizer", _floats(3, 2), _floats(3, 3), inputdimensions=[3, 2])
    _check("FeatureVectorizer", _floats(2), _floats(3), inputdimensions=[2, 3])
    _check("FeatureVectorizer", _floats(2, 2, 2), _floats(2, 3), inputdimensions=[4, 3], through=["static"])


@pytest.mark.parametrize(
    "x", [_floats(4, 3), _floats(4), _floats(2, 2, 3), WORDS], ids=["2-D", "1-D", "3-D", "strings"]
)
def test_array_feature_extractor(x):
    _check("ArrayFeatureExtractor", x, np.array([[1, 0, 1]]))


@pytest.mark.parametrize("opset", [2, 4])
@pytest.mark.parametrize(
    ("x", "attributes"),
    [
        (WORDS, {"keys_strings": ["b", "ü", "b"], "values_int64s": [4, 5, 6]}),
        (WORDS, {"keys_strings": ["b", "a", "b"], "values_strings": ["x", "y", "z"], "default_string": "d"}),
        (WORDS, {"keys_strings": ["b", "a"], "values_floats": [1.0, 2.0], "default_float": 9.0}),
        (np.array([1, 2, 3]), {"keys_int64s": [3, 1], "values_floats": [1.0, 2.0]}),
        (np.array([1, 2, 3]), {"keys_int64s": [3, 1], "values_strings": ["p", "q"]}),
        (np.array([1, 2, np.nan], np.float32), {"keys_floats": [2.0, 1.0], "values_int64s": [7, 8]}),
    ],
)
def test_label_encoder(x, attributes, opset):
    _check("LabelEncoder", x, opset=opset, **attributes)


def test_label_encoder_on_nan_and_tensors():
    x = np.array([1, np.nan, 5], np.float64)
    keys = onnx.numpy_helper.from_array(np.array([np.nan, 5.0]), "keys")
    values = onnx.numpy_helper.from_array(np.array([3, 4], np.int16), "values")
    default = onnx.numpy_helper.from_array(np.array([-7], np.int16), "default")
    attributes = {"keys_tensor": keys, "values_tensor": values, "default_tensor": default}
    expected = [np.array([-7, 3, 4], np.int16)]
    check_op("LabelEncoder", [x], attributes, domain="ai.onnx.ml", opset=4, reference=expected)


def test_first_label_encoder():
    _check("LabelEncoder", WORDS, classes_strings=["b", "a", "b"])
    _check("LabelEncoder", np.array([[0, 1], [2, 9]]), classes_strings=["b", "a", "b"])


def test_category_mapper():
    _check("CategoryMapper", WORDS, cats_strings=["a", "b"], cats_int64s=[3, 4])
    _check("CategoryMapper", np.array([3, 4, 5]), cats_strings=["a", "b"], cats_int64s=[3, 4], default_string="?")


def test_one_hot_encoder():
    _check("OneHotEncoder", WORDS, cats_strings=["zz", "a", "zz"])
    for x in (np.array([[3, 4], [5, 3]]), np.array([3.2, 4.0, 9.0], np.float32), np.array([3.2, 4.0, 9.0])):
        _check("OneHotEncoder", x, cats_int64s=[4, 3, 8])
    with pytest.raises(RunError, match="none of its categories"):
        check_op("OneHotEncoder", [np.array([1])], {"cats_int64s": [2], "zeros": 0}, domain="ai.onnx.ml", reference=[0])


def test_a_large_vocabulary():
    """Strings are found by fingerprint among many; a large table must not slow them down."""
    keys = [f"word-{i}" for i in range(20_000)]
    x = np.array([keys[i] for i in range(0, 20_000, 7)] + ["unknown"], object)
    _check("LabelEncoder", x, opset=2, keys_strings=keys, values_int64s=list(range(20_000)))


def _map_model(node: onnx.NodeProto, inputs: list[onnx.ValueInfoProto]) -> onnx.ModelProto:
    graph = helper.make_graph([node], "maps", inputs, [helper.make_empty_tensor_value_info("y")])
    opsets = [helper.make_opsetid("ai.onnx.ml", 1), helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def _map_input(key: int, value: int) -> onnx.ValueInfoProto:
    return helper.make_value_info("x", helper.make_map_type_proto(key, helper.make_tensor_type_proto(value, [])))


def _check_maps(model: onnx.ModelProto, x: Any, expected: Any = None) -> None:
    if expected is None:
        (expected,) = ort_outputs(model, {"x": x}).values()
    for run in (lambda m, i: [prepare(m).run(i)["y"]], through_export):
        actual = run(model, [x])[0]
        if isinstance(expected, list):
            assert actual == expected
        else:
            assert actual.dtype == expected.dtype
            np.testing.assert_array_equal(actual, expected)


INT64, FLOAT, STRING = onnx.TensorProto.INT64, onnx.TensorProto.FLOAT, onnx.TensorProto.STRING


@pytest.mark.parametrize("labels", [{"classlabels_int64s": [7, 3, 5]}, {"classlabels_strings": ["a", "ü", "c"]}])
@pytest.mark.parametrize("shape", [(4, 3), (3,)])
def test_zip_map(labels, shape):
    node = helper.make_node("ZipMap", ["x"], ["y"], domain="ai.onnx.ml", **labels)
    _check_maps(_map_model(node, [helper.make_tensor_value_info("x", FLOAT, shape)]), _floats(*shape))


@pytest.mark.parametrize("form", [{}, {"map_form": "SPARSE", "max_map": 5}])
@pytest.mark.parametrize("cast_to", ["TO_FLOAT", "TO_INT64", "TO_STRING"])
def test_cast_map_of_numbers(cast_to, form):
    node = helper.make_node("CastMap", ["x"], ["y"], domain="ai.onnx.ml", cast_to=cast_to, **form)
    _check_maps(_map_model(node, [_map_input(INT64, FLOAT)]), {9: 2.5, 1: 1.5, 3: 4.0})


@pytest.mark.parametrize(
    ("cast_to", "expected"),
    [
        ("TO_FLOAT", np.array([[1, -4, 2]], np.float32)),
        ("TO_INT64", np.array([[1, -4, 2]], np.int64)),
        ("TO_STRING", np.array([["1", "-4", "2"]], object)),
    ],
)
def test_cast_map_of_strings(cast_to, expected):
    """ONNX Runtime takes no such map from Python."""
    node = helper.make_node("CastMap", ["x"], ["y"], domain="ai.onnx.ml", cast_to=cast_to)
    _check_maps(_map_model(node, [_map_input(INT64, STRING)]), {9: "2", 1: "1", 3: "-4"}, expected)


@pytest.mark.parametrize(
    ("key", "value", "x", "vocabulary", "expected"),
    [
        (STRING, FLOAT, {"b": 2.0, "zz": 9.0}, {"string_vocabulary": ["a", "zz", "b", "zz"]}, None),
        (INT64, FLOAT, {5: 2.0, 7: 3.0}, {"int64_vocabulary": [7, 1, 5]}, None),
        (STRING, INT64, {"b": 2}, {"string_vocabulary": ["a", "b"]}, np.array([[0, 2]])),
        (INT64, STRING, {5: "x", 6: "?"}, {"int64_vocabulary": [7, 5]}, np.array([["", "x"]], object)),
    ],
)
def test_dict_vectorizer(key, value, x, vocabulary, expected):
    node = helper.make_node("DictVectorizer", ["x"], ["y"], domain="ai.onnx.ml", **vocabulary)
    _check_maps(_map_model(node, [_map_input(key, value)]), x, expected)


def test_a_map_input_refuses_other_things():
    node = helper.make_node("DictVectorizer", ["x"], ["y"], domain="ai.onnx.ml", int64_vocabulary=[1])
    rep = prepare(_map_model(node, [_map_input(INT64, FLOAT)]))
    with pytest.raises(InputError, match="pass a dict, got ndarray"):
        rep.run(np.zeros(1))
    with pytest.raises(InputError, match="int64 keys and float32 values"):
        rep.run({"x": {"a": 1.0}})
