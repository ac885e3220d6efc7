"""What --json prints is JSON that every reader takes, and of the schema in the documents."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from onnx_tf.cli import as_json, main
from test.models import relu_model, text_model

SCHEMA = json.loads((Path(__file__).parents[2] / "doc" / "json_schema.json").read_text(encoding="utf-8"))
TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}
KNOWN = {"$ref", "$defs", "type", "enum", "anyOf", "required", "properties", "additionalProperties", "items"}


def problems(value: Any, schema: dict[str, Any], place: str = "$") -> list[str]:
    """Return where a value is not of a schema, as far as this schema uses the language of schemas."""
    assert schema.keys() <= KNOWN, schema.keys()
    if "$ref" in schema:
        return problems(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], place)
    if "anyOf" in schema:
        found = [problems(value, each, place) for each in schema["anyOf"]]
        return [] if [] in found else [f"{place}: {value!r} is none of these: {found}"]
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{place}: {value!r} is not in {schema['enum']}"]
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(isinstance(value, TYPES[kind]) and (kind == "boolean") >= isinstance(value, bool) for kind in kinds):
        return [f"{place}: {value!r} is no {kinds}"]
    if isinstance(value, list):
        return [text for i, item in enumerate(value) for text in problems(item, schema["items"], f"{place}[{i}]")]
    if not isinstance(value, dict):
        return []
    found = [f"{place}: {name} is missing" for name in schema.get("required", ()) if name not in value]
    for name, item in value.items():
        rest = schema.get("additionalProperties", True)
        own = schema.get("properties", {}).get(name, rest)
        if own is False:
            found.append(f"{place}: {name} is not in the schema")
        elif own is not True:
            found += problems(item, own, f"{place}.{name}")
    return found


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.onnx").write_bytes(relu_model().SerializeToString())
    images = "g (float[N, 3, 8, 8] x) => (float[N, 3, 8, 8] y) { y = LRN <size = 3> (x) }"
    onnx.save(text_model(images), "images.onnx")
    text = """<ir_version: 8, opset_import: ["": 17, "acme": 1]> g (float[n] x) => (float[n] y) { y = acme.Swish(x) }"""
    onnx.save(onnx.parser.parse_model(text), "custom.onnx")
    np.save("x.npy", np.array([[np.nan, np.inf, -np.inf]], np.float32))
    return tmp_path


def printed(capsys, *arguments: str) -> tuple[int, Any]:
    try:
        code = main([*arguments, "--json"])
    except SystemExit as end:
        code = end.code
    text = capsys.readouterr().out

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return code, json.loads(text, parse_constant=refuse)


CASES = {
    "info": [["model.onnx"], ["images.onnx", "--batch-size", "2"]],
    "run": [["model.onnx", "--input", "x.npy"], ["model.onnx", "--input", "x=random"]],
    "convert": [
        ["model.onnx", "-o", "out", "--check"],
        ["images.onnx", "-o", "a.tflite", "--report", "r.html"],
        ["model.onnx", "-o", "a.pb"],
    ],
    "layout": [["images.onnx"]],
    "ops": [["Conv*"]],
    "plan": [["model.onnx"], ["images.onnx", "--formats", "saved_model,tflite,keras,frozen_graph"]],
    "check": [["images.onnx", "--report", "r.html"], ["model.onnx", "--input", "x=random"]],
}


@pytest.mark.parametrize("command", CASES)
def test_the_schema(command, capsys):
    for arguments in CASES[command]:
        code, value = printed(capsys, command, *arguments)
        assert code == 0
        assert problems(value, SCHEMA["$defs"][command]) == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["convert", "custom.onnx", "-o", "out"], 1),
        (["info", "none.onnx"], 2),
        (["info", "model.onnx", "--wat"], 2),
        (["run", "model.onnx", "--input", "x=none.npy"], 2),
        (["convert", "model.onnx", "-o", "x.npy"], 2),
    ],
)
def test_errors(arguments, code, capsys):
    found, value = printed(capsys, *arguments)
    assert found == code
    assert problems(value, SCHEMA["$defs"]["error"]) == []


def test_unsupported_nodes_are_in_the_schema_and_end_with_1(capsys):
    code, value = printed(capsys, "info", "custom.onnx")
    assert code == 1
    assert problems(value, SCHEMA["$defs"]["info"]) == []
    assert [node["name"] for node in value["unsupported"]] == ["Swish_0"]


def test_a_plan_that_fails_ends_with_1(capsys):
    code, value = printed(capsys, "plan", "custom.onnx", "--formats", "saved_model,tflite,keras")
    assert code == 1
    assert problems(value, SCHEMA["$defs"]["plan"]) == []
    assert [answer["format"] for answer in value["formats"]] == ["saved_model", "tflite", "tflite", "keras"]
    assert [[node["name"] for node in answer["nodes"]] for answer in value["formats"]] == [["Swish_0"]] * 4
    code, value = printed(capsys, "plan", "model.onnx", "--formats", "onnx")
    assert code == 2


def test_a_part_that_fails(capsys):
    code, value = printed(capsys, "bisect", "custom.onnx", "-o", "small.onnx")
    assert code == 0
    assert problems(value, SCHEMA["$defs"]["bisect"]) == []
    assert value["nodes"] == ["Swish_0"]
    code, value = printed(capsys, "bisect", "model.onnx", "-o", "none.onnx")
    assert code == 1
    assert problems(value, SCHEMA["$defs"]["bisect"]) == []
    assert not Path("none.onnx").exists()


def test_numbers_that_json_has_not(capsys):
    _, value = printed(capsys, "run", "model.onnx", "--input", "x.npy")
    assert value["outputs"]["y"]["values"] == [["NaN", "Infinity", 0.0]]
    assert json.loads(as_json.text([1 + 2j, np.float32("nan"), b"x", np.int64(3)])) == [[1, 2], "NaN", "x", 3]


def test_signatures_and_dtypes_are_the_same_everywhere(capsys):
    _, info = printed(capsys, "info", "images.onnx")
    _, convert = printed(capsys, "convert", "images.onnx", "-o", "out")
    expected = [{"name": "x", "dtype": "float32", "shape": ["N", 3, 8, 8]}]
    assert info["inputs"] == convert["inputs"] == expected
    _, moved = printed(capsys, "convert", "images.onnx", "-o", "out", "--channels-last-inputs", "x")
    assert moved["inputs"] == [{"name": "x", "dtype": "float32", "shape": ["N", 8, 8, 3], "order": "channels-last"}]
    _, run = printed(capsys, "run", "images.onnx", "--input", "random")
    assert run["outputs"]["y"]["dtype"] == "float32"


def test_the_checker_of_schemas_finds_what_is_wrong():
    value = {"name": "x", "dtype": 3, "shape": [True], "more": 1}
    found = problems(value, SCHEMA["$defs"]["value"])
    assert [re.sub(":.*", "", text) for text in found] == ["$.dtype", "$.shape[0]", "$"]
    assert problems({"dtype": None}, SCHEMA["$defs"]["value"]) == ["$: name is missing", "$: shape is missing"]
