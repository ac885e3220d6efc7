"""String operators, against ONNX Runtime."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from test.handlers.check import check_op

LINES = np.array([["a b  c", "  lead"], ["trail  ", "x"], ["", "  "], ["a,b,,c", ",x,"]], object)
WORDS = np.array(["Monday", "tuesday", "Über", "ß", "MONDAY"], object)


@pytest.mark.parametrize("delimiter", [None, "", ",", " ", ", "])
@pytest.mark.parametrize("maxsplit", [None, 1, 2])
def test_string_split(delimiter, maxsplit):
    attributes = {"delimiter": delimiter, "maxsplit": maxsplit}
    given = {name: value for name, value in attributes.items() if value is not None}
    check_op("StringSplit", [LINES], given, outputs=2, opset=20, through=["dynamic"])


def test_string_split_of_a_scalar():
    check_op("StringSplit", [np.array("a b", object)], outputs=2, opset=20)


@pytest.mark.parametrize("case", ["LOWER", "UPPER", "NONE"])
@pytest.mark.parametrize("sensitive", [0, 1])
@pytest.mark.parametrize("stopwords", [None, ["monday"], ["Monday", "tuesday", "Über", "ß", "MONDAY"]])
def test_string_normalizer(case, sensitive, stopwords):
    if stopwords and len(stopwords) > 1 and not sensitive:
        stopwords = stopwords[:-1]  # without case there would be two of one
    attributes = {"case_change_action": case, "is_case_sensitive": sensitive, "locale": "C"}
    if stopwords:
        attributes["stopwords"] = stopwords
    for x in (WORDS, WORDS[np.newaxis]):
        check_op("StringNormalizer", [x], attributes, opset=10, through=["dynamic"])


def test_string_normalizer_beyond_ascii():
    attributes = {"case_change_action": "UPPER", "is_case_sensitive": 0, "stopwords": ["ÜBER"]}
    x = np.array(["über", "Élan", "straße"], object)
    check_op("StringNormalizer", [x], attributes, opset=10, reference=[np.array(["ÉLAN", "STRASSE"], object)])


def test_regex_full_match_and_concat():
    check_op("RegexFullMatch", [WORDS], {"pattern": "(?i)mon.*|.ber"}, opset=20)
    check_op("StringConcat", [WORDS, WORDS[:, np.newaxis]], opset=20)


POOL = [1, 2, 3, *(1, 2, 2, 3, 3, 3), *(1, 2, 3, 2, 2, 1, 3, 2, 1)]


COUNTS = list(itertools.product(["TF"], [0, 3], [(1, 1), (2, 2), (1, 3), (3, 3)]))
WEIGHTED = list(itertools.product(["IDF", "TFIDF"], [3], [(1, 3)]))


@pytest.mark.parametrize(("mode", "skip", "lengths"), COUNTS + WEIGHTED)
def test_tf_idf_vectorizer(mode, skip, lengths):
    rng = np.random.default_rng(0)
    attributes = {
        "mode": mode,
        "max_skip_count": skip,
        "min_gram_length": lengths[0],
        "max_gram_length": lengths[1],
        "ngram_counts": [0, 3, 9],
        "ngram_indexes": [4, 2, 0, 1, 3, 5, 8, 7, 6],
    }
    if mode != "TF":
        attributes["weights"] = [0.5, 1.5, 2.0, 0.25, 3.0, 1.0, 0.125, 4.0, 0.75]
    numbers = attributes | {"pool_int64s": POOL}
    for x in (rng.integers(0, 5, (3, 12)), rng.integers(0, 5, (9,)).astype("int32")):
        check_op("TfIdfVectorizer", [x], numbers, opset=9, through=["dynamic"])


@pytest.mark.parametrize("shape", [(3, 9), (2, 2), (0,)])
def test_tf_idf_vectorizer_of_strings(shape):
    attributes = {
        "mode": "TF",
        "max_skip_count": 1,
        "min_gram_length": 1,
        "max_gram_length": 3,
        "ngram_counts": [0, 3, 9],
        "ngram_indexes": [4, 2, 0, 1, 3, 5, 8, 7, 6],
        "pool_strings": [f"w{i}" for i in POOL],
    }
    x = np.array([f"w{i}" for i in np.random.default_rng(0).integers(0, 5, shape).ravel()], object)
    check_op("TfIdfVectorizer", [x.reshape(shape)], attributes, opset=9, through=["dynamic"])


def test_strings_through_a_saved_model():
    check_op("StringSplit", [LINES], {"delimiter": ","}, outputs=2, opset=20, through=["export"])
