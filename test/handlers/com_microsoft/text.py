"""Tokenizer and hashes, against ONNX Runtime."""

from __future__ import annotations

import numpy as np

from test.handlers.com_microsoft.case import case, each

TEXTS = np.array(["one two, three", "", "a  b", "x,yy zzz", "ünï cödé"], object)
EMPTY = np.array(["", ""], object)
WORDS = [{"tokenexp": "[a-zA-Z0-9_]+"}, {"tokenexp": r"\w+|,"}, {"tokenexp": "(a|b)"}]
PARTS = [{"separators": [" "]}, {"separators": [", ", " "]}, {"separators": ["[ ,]+"]}]
CHARACTERS = [{"tokenexp": "."}, {"separators": [""]}]  # ONNX Runtime refuses them as tokens of two


@each("mark", [0, 1])
@each(
    "attributes mincharnum",
    [*[(a, 1) for a in WORDS + PARTS + CHARACTERS], *[(a, 2) for a in WORDS + PARTS]],
)
def tokenizer(attributes, mark, mincharnum):
    attributes = attributes | {"mark": mark, "mincharnum": mincharnum, "pad_value": "#"}
    for x in (TEXTS, TEXTS[:4].reshape(2, 2), EMPTY):
        yield case("Tokenizer", [x], attributes, through=["dynamic"])


def tokenizer_in_a_saved_model():
    attributes = {"mark": 1, "mincharnum": 1, "pad_value": "", "tokenexp": "[a-z]+"}
    yield case("Tokenizer", [TEXTS], attributes, through=["static", "export"])


@each("positive", [0, 1])
def murmur_hash_3(positive):
    words = np.array([["a", "bc", "def", "ghij"], ["", "klmnopq", "ünï cödé", "x" * 40]], object)
    numbers = np.array([[0, 1, -1], [2**31 - 1, -(2**31), 12345]])
    attributes = {"positive": positive, "seed": 42 * positive}
    yield case("MurmurHash3", [words], attributes, through=["static", "export"])
    for dtype in (np.int32, np.uint32, np.int64, np.uint64, np.float32, np.float64):
        yield case("MurmurHash3", [numbers.astype(dtype)], attributes, through=["dynamic"])
