"""The list of trained models is well formed, and the table of doc/ is of that list; nothing is downloaded here."""

from __future__ import annotations

import dataclasses
import re
import zipfile
from pathlib import PurePosixPath

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from onnx_tf.check.onnx_runtime import OnnxRuntime
from onnx_tf.registry import Registry
from test.packages.checks import attempt, described, draw
from test.packages.fetching import model_files
from test.packages.manifest import Package, TrainedModel, packages, reasons
from test.packages.table import PAGE, Row, markdown, parsed

PACKAGES = packages()
LEAST = 60
VERDICTS = {"right", "differs", "fails"}


def double(path, opset=17):
    """Write a model that doubles ``x`` [n, 2] and gathers it by ``i``."""
    two = onnx.numpy_helper.from_array(np.float32([2]), "two")
    nodes = [helper.make_node("Mul", ["x", "two"], ["d"]), helper.make_node("Gather", ["d", "i"], ["y"])]
    infos = [("x", TensorProto.FLOAT, ["n", 2]), ("i", TensorProto.INT64, [3]), ("y", TensorProto.FLOAT, None)]
    x, i, y = (helper.make_tensor_value_info(*info) for info in infos)
    graph = helper.make_graph(nodes, "double", [x, i], [y], [two])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)


def test_the_list_is_long_enough_and_names_nothing_twice():
    names = [package.name for package in PACKAGES]
    files = [(package.name, model.file) for package in PACKAGES for model in package.models]
    assert len(files) >= LEAST
    assert len(set(names)) == len(names)
    assert len(set(files)) == len(files)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_an_entry_is_well_formed(package):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", package.name)
    assert re.fullmatch(r"\d+(\.\d+)*", package.version)
    assert package.license
    assert package.models
    for model in package.models:
        path = PurePosixPath(model.file)
        assert path.suffix == ".onnx"
        assert not path.is_absolute()
        assert ".." not in path.parts
        assert model.check in ("drawn", "given")
        for given in model.inputs.values():
            assert given
            assert given.keys() <= {"shape", "low", "high"}
            assert all(isinstance(dim, int) and dim > 0 for dim in given.get("shape", []))
            assert given.get("low", 0) <= given.get("high", 1)


def test_the_table_lists_the_models_of_the_manifest():
    rows = parsed(PAGE.read_text())
    listed = [(package.name, package.version, model.file) for package in PACKAGES for model in package.models]
    assert [(row.package, row.version, row.model) for row in rows] == listed


def test_a_row_says_what_is_not_right():
    for row in parsed(PAGE.read_text()):
        assert {row.run, row.export, row.check} <= VERDICTS, row
        assert row.is_right == (row.note == ""), row
        assert int(row.nodes) >= int(row.operators) > 0, row


def test_the_page_says_what_its_table_holds():
    page = PAGE.read_text()
    assert markdown(parsed(page), reasons(PACKAGES)) == page


def test_what_is_not_right_has_a_reason_and_nothing_else_has():
    assert {row.model for row in parsed(PAGE.read_text()) if not row.is_right} == set(reasons(PACKAGES))


def test_a_note_may_hold_bars():
    row = Row("p", "1", "m.onnx", "2", "1", "17", "right", "right", "fails", "a | b")
    assert parsed(markdown([row, row], {"m.onnx": "a | b"})) == [row, row]


def test_models_are_taken_out_of_a_package_that_is_there(tmp_path):
    package = Package("p", "1", "MIT", (TrainedModel("p/m.onnx"),))
    (tmp_path / "p-1").mkdir()
    double(tmp_path / "m.onnx")
    with zipfile.ZipFile(tmp_path / "p-1" / "p-1-py3-none-any.whl", "w") as wheel:
        wheel.write(tmp_path / "m.onnx", "p/m.onnx")
        wheel.writestr("p/code.py", "")
    (path,) = model_files(package, tmp_path)
    assert path.read_bytes() == (tmp_path / "m.onnx").read_bytes()
    assert not list(tmp_path.rglob("code.py"))
    with pytest.raises(FileNotFoundError, match=re.escape("p 1 has no p/other.onnx")):
        model_files(dataclasses.replace(package, models=(TrainedModel("p/other.onnx"),)), tmp_path)


def test_inputs_are_drawn_as_the_manifest_says(tmp_path):
    double(tmp_path / "m.onnx")
    feed = draw(tmp_path / "m.onnx", {"x": {"shape": [5, 2], "low": -3, "high": -2}, "i": {"low": 4, "high": 4}})
    assert feed["x"].shape == (5, 2)
    assert feed["x"].dtype == np.float32
    assert (feed["x"] >= -3).all()
    assert (feed["x"] <= -2).all()
    assert feed["i"].tolist() == [4, 4, 4]
    with pytest.raises(ValueError, match=re.escape("has no inputs ['z'], it has ['x', 'i']")):
        draw(tmp_path / "m.onnx", {"z": {}})


@pytest.mark.parametrize("check", ["drawn", "given"])
def test_a_model_that_is_right(tmp_path, check):
    double(tmp_path / "m.onnx")
    model = TrainedModel("m.onnx", {"x": {"shape": [5, 2]}}, check)
    tried = attempt(tmp_path / "m.onnx", model, tmp_path)
    assert tried.steps == {"run": "right", "export": "right", "check": "right"}
    assert tried.notes == []
    assert described(tmp_path / "m.onnx") == {"nodes": "2", "operators": "2", "opset": "17"}


def test_a_model_of_an_unknown_operator(tmp_path, monkeypatch):
    double(tmp_path / "m.onnx")
    find = Registry.find
    monkeypatch.setattr(
        Registry, "find", lambda self, domain, op, v: None if op == "Gather" else find(self, domain, op, v)
    )
    tried = attempt(tmp_path / "m.onnx", TrainedModel("m.onnx", {"x": {"shape": [5, 2]}}), tmp_path)
    assert tried.steps == {"run": "fails", "export": "fails", "check": "fails"}
    assert "Gather" in tried.notes[0]


def test_a_model_whose_numbers_differ(tmp_path, monkeypatch):
    double(tmp_path / "m.onnx")
    run = OnnxRuntime.run
    monkeypatch.setattr(OnnxRuntime, "run", lambda self, feed: {"y": run(self, feed)["y"] + 1})
    tried = attempt(tmp_path / "m.onnx", TrainedModel("m.onnx", {"x": {"shape": [5, 2]}}), tmp_path)
    assert tried.steps == {"run": "differs", "export": "differs", "check": "differs"}
    assert all(note.startswith("y: ") for note in tried.notes)
