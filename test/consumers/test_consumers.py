"""What needs nothing installed is read here; the tables of doc/ are made of the results, which name every consumer."""

from __future__ import annotations

import ast
import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from test.consumers.catalog import READERS, Consumer, consumers, script_metadata
from test.consumers.environment import Environment, NotInstallableError, environment
from test.consumers.examples import needy_examples
from test.consumers.samples import TITLES, named_model
from test.consumers.table import DIFFERS, FAILS, PAGE, READS, RIGHT, Row, loaded, markdown, page
from test.consumers.trial import tried
from test.reference import ort_outputs

CONSUMERS = {consumer.name: consumer for consumer in consumers()}
HERE = Environment(Path(sys.executable), None, "")
QUICK = {
    ("tfsm_layer", "saved_model"): "lstm_stateful_forecaster",
    ("tfsm_layer", "frozen"): "named",
    ("litert_interpreter", "tflite"): "bert_cls",
    ("litert_interpreter", "int8"): "named",
    ("litert_compiled_model", "fixed"): "lstm_stateful_forecaster",
    ("litert_compiled_model", "int8"): "named",
}
"""What the suite reads, in its own environment."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("consumers")


@pytest.mark.parametrize(("name", "kind"), QUICK, ids="-".join)
def test_numbers_are_those_of_onnx_runtime(name, kind, cache):
    (row,) = tried(CONSUMERS[name], HERE, kind, [QUICK[name, kind]], cache)
    assert row.verdict == RIGHT, row
    assert row.error is not None


@pytest.mark.parametrize("kind", ["saved_model", "frozen"])
def test_a_session_that_loads_the_tag_serve_takes_requests(kind, cache):
    consumer = dataclasses.replace(CONSUMERS["tfsm_layer"], name="serving_session", artefacts=(kind,))
    (row,) = tried(consumer, HERE, kind, ["named"], cache)
    assert row.verdict == RIGHT, row


def test_a_reader_cannot_import_this_package(cache):
    consumer = dataclasses.replace(CONSUMERS["tfsm_layer"], name="importing")
    (row,) = tried(consumer, HERE, "saved_model", ["named"], cache)
    assert row.verdict == FAILS
    assert "consumers read files without onnx_tf" in row.note


def test_what_cannot_be_installed_is_told(tmp_path):
    impossible = Consumer("nothing", "", (), "", dependencies=("numpy",), python="<3")
    with pytest.raises(NotInstallableError, match="is none of <3"):
        environment(impossible, tmp_path)


@pytest.mark.parametrize("consumer", CONSUMERS.values(), ids=lambda consumer: consumer.name)
def test_a_consumer_says_what_it_needs(consumer):
    assert consumer.title
    assert consumer.how
    assert consumer.told
    assert set(consumer.artefacts) <= TITLES.keys()
    source = ast.parse((READERS / f"{consumer.name}.py").read_text())
    assert ast.get_docstring(source)
    imported = [alias.name for node in ast.walk(source) if isinstance(node, ast.Import) for alias in node.names]
    assert not any(name.startswith("onnx_tf") for name in imported)


def test_results_are_there_for_every_file():
    known = {row.key for row in loaded()}
    wanted = {(consumer.name, kind, model) for consumer in CONSUMERS.values() for kind, model in consumer.files()}
    assert known == wanted


def test_the_page_is_made_of_the_results():
    text = PAGE.read_text()
    assert page(text, loaded(), list(CONSUMERS.values())) == text


def test_what_is_not_read_has_the_reason_and_what_to_do_instead():
    for row in loaded():
        assert row.verdict in (RIGHT, READS, DIFFERS, FAILS)
        if row.verdict in (DIFFERS, FAILS):
            assert row.note, row
            assert CONSUMERS[row.consumer].advice(row.model), row


def test_a_table_says_which_models_a_note_is_of():
    consumer = Consumer("c", "C", ("saved_model",), "`c`", instead={"named": "rename them"})
    rows = [
        Row("c", "saved_model", "resnet18", "c 1", RIGHT, 2e-7, ""),
        Row("c", "saved_model", "named", "c 1", FAILS, None, "a | b"),
    ]
    lines = markdown(rows, [consumer]).splitlines()
    assert lines[2] == "| consumer | resnet18 | named |"
    assert lines[4] == "| C (c 1) | right, 2e-07 | fails |"
    assert lines[-1] == "- C, named: a | b. Instead: rename them"


def test_examples_that_need_more_say_so():
    names = [path.name for path in needy_examples()]
    assert names == ["beam_inference.py", "spark_inference.py"]
    for path in needy_examples():
        metadata = script_metadata(path)
        assert metadata is not None
        assert "onnx-tf" in metadata["dependencies"]


def test_names_of_the_named_model_need_care():
    feed = {"a/b:0": np.ones((2, 4), np.float32), "input.1": np.ones((2, 3), np.float32)}
    assert list(ort_outputs(named_model(), feed)) == ["sum/1:0", "Sum/1:0", "class"]
