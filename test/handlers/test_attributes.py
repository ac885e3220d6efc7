"""Attributes that the schema lets be absent, and an operator cannot do without."""

from __future__ import annotations

import numpy as np
import pytest

from onnx_tf import ConversionError, prepare
from onnx_tf.handlers._attributes import given
from test.handlers.check import make_op_model


def test_given_values_come_in_order():
    assert given(b=1, a=()) == [1, ()]


def test_the_absent_ones_are_named():
    with pytest.raises(ValueError, match="attributes are missing: a, c; export the model again"):
        given(a=None, b=1, c=None)


def test_the_error_names_node_and_attributes():
    labels = {"classlabels_int64s": [0, 1]}
    model = make_op_model("TreeEnsembleClassifier", [np.zeros((1, 2), np.float32)], labels, domain="ai.onnx.ml")
    with pytest.raises(ConversionError, match=r"TreeEnsembleClassifier.*nodes_treeids, nodes_nodeids"):
        prepare(model)
