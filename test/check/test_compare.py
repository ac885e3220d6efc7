from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest

from onnx_tf.check.compare import Elementwise, OfScale, OfSteps, compare

X = np.array([[1.0, -4.0], [0.5, 2.0]], np.float32)


def difference(expected, actual, tolerance=None):
    (found,) = compare({"y": expected}, {"y": actual}, tolerance).outputs
    return found


def test_floats_are_measured_by_the_scale_of_the_output():
    found = difference(X, X + np.array([[0, 0], [0.002, 0]], np.float32))
    assert found.error == pytest.approx(0.0005, rel=1e-4)
    assert found.fits
    assert found.at == "[1, 0]: 0.502 for 0.5"
    assert not difference(X, X + np.float32(0.008)).fits
    assert str(difference(X, X + np.float32(0.008))).startswith("y: 2.0e-03 (tolerance 1e-03), at [")


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(np.float32, 1e-3), (np.float64, 1e-3), (np.complex64, 1e-3), (np.float16, 2e-2), (ml_dtypes.bfloat16, 2e-2)],
)
def test_each_dtype_has_its_tolerance(dtype, tolerance):
    found = difference(np.array([1, 100], dtype), np.array([1, 101], dtype))
    assert found.tolerance == tolerance
    assert found.error == pytest.approx(0.01)


@pytest.mark.parametrize(
    "dtype", [np.int8, np.uint64, bool, ml_dtypes.int4, ml_dtypes.float8_e5m2, ml_dtypes.float8_e4m3fn, object]
)
def test_the_rest_is_exact(dtype):
    expected, actual = np.array([0, 1, 1, 1], dtype), np.array([0, 1, 1, 0], dtype)
    if dtype is object:
        expected, actual = (array.astype(str).astype(object) for array in (expected, actual))
    found = difference(expected, actual)
    assert (found.error, found.tolerance, found.fits) == (0.25, 0.0, False)
    assert found.at.startswith("[3]: ")
    assert difference(expected, expected.copy()).fits
    assert difference(expected, actual, OfScale(exact=0.5)).fits


def test_strings_of_all_kinds_are_equal():
    assert difference(np.array(["a", "b"]), np.array([b"a", b"b"], object)).fits


def test_integers_beyond_float64_are_compared_as_they_are():
    assert not difference(np.array([2**62]), np.array([2**62 + 1])).fits


@pytest.mark.parametrize("tolerance", [OfScale(), Elementwise(1e-3, 1e-3)])
@pytest.mark.parametrize(
    ("expected", "actual", "fits"),
    [
        ([math.nan, 1], [math.nan, 1], True),
        ([math.inf, -math.inf], [math.inf, -math.inf], True),
        ([math.nan, 1], [1, 1], False),
        ([1, 1], [math.nan, 1], False),
        ([math.inf, 1], [-math.inf, 1], False),
        ([math.inf, 1], [3e38, 1], False),
        ([3e38, 1], [math.inf, 1], False),
        ([-math.inf, 1], [math.nan, 1], False),
    ],
)
def test_nan_and_infinities_are_in_the_same_places(expected, actual, fits, tolerance):
    found = difference(np.array(expected, np.float32), np.array(actual, np.float32), tolerance)
    assert found.fits is fits
    assert bool(found.reason) is not fits
    if not fits:
        assert found.error == math.inf
        assert "[0]: " in found.reason


def test_infinities_do_not_set_the_scale():
    assert not difference(np.array([math.inf, 1]), np.array([math.inf, 1.1])).fits


def test_numbers_next_to_the_largest_overflow_nothing():
    largest = np.finfo(np.float32).max
    found = difference(np.array([largest, 1], np.float32), np.array([-largest, 1], np.float32))
    assert found.error == 2


@pytest.mark.parametrize(
    ("actual", "reason"),
    [
        (X[0], "shape [2] where [2, 2] is expected"),
        (X[:, :1], "shape [2, 1] where [2, 2] is expected"),
        (X.astype(np.float64), "float64 where float32 is expected"),
        (X.astype(object), "string where float32 is expected"),
        ([X], "a sequence where a tensor is expected"),
        ({1: 2.0}, "a map where a tensor is expected"),
        (None, "no value where a tensor is expected"),
    ],
)
def test_what_is_no_number(actual, reason):
    found = difference(X, actual)
    assert found.reason == reason
    assert found.error == math.inf
    assert not found.fits
    assert str(found) == f"y: {reason}"


def test_shapes_differ_where_numpy_would_broadcast():
    assert difference(np.ones((1, 3)), np.ones((3,))).reason
    assert difference(np.ones(()), np.ones((1,))).reason


def test_empty_outputs():
    assert difference(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32)).fits
    assert difference(np.zeros((0,), np.int64), np.zeros((0,), np.int64)).fits
    assert difference([], []).fits
    assert difference(None, None).fits
    assert difference(np.zeros((0, 3), np.float32), np.zeros((3, 0), np.float32)).reason


def test_outputs_of_nothing_but_zeros():
    zeros = np.zeros(3, np.float32)
    assert difference(zeros, zeros).fits
    assert not difference(zeros, zeros + np.float32(1e-3)).fits
    assert difference(zeros, zeros + np.float32(1e-5), OfScale(least_scale=1)).fits


class TestSequences:
    def test_the_worst_element_counts(self):
        found = difference([X, X, X], [X, X + np.float32(1), X + np.float32(0.5)])
        assert found.error == pytest.approx(0.25)
        assert found.at.startswith("element 1: [")

    def test_each_tensor_has_a_scale_of_its_own(self):
        small = np.array([1e-3], np.float32)
        assert not difference([X, small], [X, small * 2]).fits

    def test_length_and_nesting(self):
        assert difference([X], [X, X]).reason == "2 elements where 1 are expected"
        assert difference([[X], [X]], [[X], [X]]).fits
        assert difference([[X], [X]], [[X], [X[0]]]).reason.startswith("element 1: element 0: shape [2]")

    def test_a_reason_outweighs_a_number(self):
        assert difference([X, X, X], [X, X + np.float32(9), X[0]]).reason.startswith("element 2: ")


class TestMaps:
    def test_the_values_of_a_map_have_one_scale(self):
        expected = {"a": 0.999, "b": 1e-6}
        assert difference(expected, {"a": 0.999, "b": 2e-6}).fits
        assert not difference(expected, {"a": 0.99, "b": 1e-6}).fits
        assert difference([expected, expected], [expected, {"b": 1e-6, "a": 0.999}]).fits

    def test_keys_are_equal(self):
        assert difference({1: 0.5}, {2: 0.5}).reason == "the keys 2 where 1 are expected"
        assert difference([{1: 0.5}], [{"1": 0.5}]).reason == "element 0: the keys '1' where 1 are expected"

    def test_values_that_are_strings(self):
        assert difference({1: "a"}, {1: "a"}).fits
        assert not difference({1: "a"}, {1: "b"}).fits


def test_names_are_equal():
    found = compare({"y": X, "z": X}, {"y": X, "w": X})
    assert [(d.name, d.reason) for d in found.outputs] == [
        ("y", ""),
        ("z", "there is no such output"),
        ("w", "no such output is expected"),
    ]
    assert not found.fits
    assert str(found) == "z: there is no such output\nw: no such output is expected"


def test_elementwise():
    expected, actual = np.array([100.0, 1e-3]), np.array([100.5, 1.2e-3])
    assert difference(expected, actual, Elementwise(rtol=1e-2, atol=1e-3)).fits
    found = difference(expected, actual, Elementwise(rtol=1e-2, atol=1e-4))
    assert not found.fits
    assert found.at.startswith("[1]: ")
    assert found.error == pytest.approx(2e-4 / 1.1e-4)
    assert difference(expected, expected.copy(), Elementwise(0, 0)).fits
    assert not difference(expected, actual, Elementwise(0, 0)).fits
    assert difference(np.array([1, 2]), np.array([1, 3]), Elementwise(1, 1)).error == 0.5
    assert not difference(np.array([1, 2]), np.array([1, 3]), Elementwise(1, 1)).fits


def test_widened():
    assert OfScale().widened(0.01) == OfScale(single=0.01)
    assert OfScale().widened(0.1) == OfScale(single=0.1, half=0.1)


def test_errors_in_steps():
    expected = {"y": np.float32([0.0, 0.3]), "q": np.uint8([3, 200]), "i": np.int64([5])}
    actual = {"y": np.float32([0.2, 0.3]), "q": np.uint8([5, 200]), "i": np.int64([5])}
    steps = {"y": OfSteps(0.1), "q": OfSteps(1.0), "i": OfSteps()}
    comparison = compare(expected, actual, steps)
    assert comparison.fits
    assert [round(output.error, 4) for output in comparison.outputs] == [2.0, 2.0, 0.0]
    assert not compare(expected, {**actual, "q": np.uint8([6, 200])}, steps).fits
    assert not compare(expected, {**actual, "i": np.int64([6])}, steps).fits


def test_steps_of_an_output_that_has_none():
    expected = {"y": np.float32([1.28, 0.0])}
    assert compare(expected, {"y": np.float32([1.28, 0.019])}, OfSteps()).fits
    assert not compare(expected, {"y": np.float32([1.28, 0.03])}, OfSteps()).fits
