"""Attributes of nodes as the schemas have them."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from onnx_tf.errors import ModelError, OnnxTfError
from onnx_tf.registry import INTERNAL_DOMAINS
from onnx_tf.schema import (
    float_attribute,
    int_attribute,
    ints_attribute,
    optional_int_attribute,
    schema_of,
    string_attribute,
    strings_attribute,
)


def node(op_type: str, version: int = 21, domain: str = "", **attributes: object) -> ir.Node:
    return ir.node(op_type, [], attributes, domain=domain, version=version, name="n")


def test_what_the_node_states():
    assert int_attribute(node("Gather", axis=1), "axis") == 1
    assert float_attribute(node("Elu", alpha=0.5), "alpha") == 0.5
    assert string_attribute(node("Conv", auto_pad="VALID"), "auto_pad") == "VALID"
    assert ints_attribute(node("Transpose", perm=[1, 0]), "perm") == (1, 0)
    assert strings_attribute(node("StringNormalizer", stopwords=["a"]), "stopwords") == ("a",)


@pytest.mark.parametrize(("version", "axis"), [(1, 1), (11, 1), (13, -1)])
def test_the_default_of_the_nodes_version(version, axis):
    assert int_attribute(node("Softmax", version), "axis") == axis


def test_defaults_of_other_types():
    assert float_attribute(node("BatchNormalization"), "epsilon") == pytest.approx(1e-5)
    assert string_attribute(node("Conv"), "auto_pad") == "NOTSET"
    assert ints_attribute(node("MeanVarianceNormalization"), "axes") == (0, 2, 3)


@pytest.mark.parametrize("domain", INTERNAL_DOMAINS)
def test_internal_domains_have_the_schema_of_ai_onnx(domain):
    assert schema_of(node("Conv", domain=domain)).name == "Conv"
    assert int_attribute(node("Conv", domain=domain), "group") == 1


def test_nothing_stated_and_no_default():
    assert ints_attribute(node("Transpose"), "perm") is None
    assert strings_attribute(node("StringNormalizer"), "stopwords") is None
    assert optional_int_attribute(node("BatchNormalization"), "spatial") is None  # until opset 8
    assert optional_int_attribute(node("BatchNormalization", 7), "spatial") == 1
    assert optional_int_attribute(node("LayerNormalization", 11), "axis") is None  # there from opset 17 on
    assert optional_int_attribute(node("Foo", domain="acme"), "axis") is None
    assert schema_of(node("Foo", domain="acme")) is None


@pytest.mark.parametrize("read", [int_attribute, float_attribute, string_attribute])
def test_missing_attributes_name_the_node(read):
    with pytest.raises(OnnxTfError, match=r"node 'n' \(acme.Foo, opset 1\) needs the attribute 'a'"):
        read(node("Foo", 1, "acme"), "a")


def test_attributes_of_another_type_are_refused():
    with pytest.raises(ModelError, match="attribute 'axis' is of type STRING, expected INT"):
        int_attribute(node("Gather", axis="1"), "axis")
