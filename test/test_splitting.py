"""Models in parts: each within its size, together the model."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from onnx_tf import OnnxTfError, OptionError, convert
from onnx_tf.model.loading import load_model
from onnx_tf.splitting.cuts import parts_of
from test.models import node_model

RNG = np.random.default_rng(5)


def deep_model(count: int = 5) -> onnx.ModelProto:
    """Return dense layers of 1 kB each, the first of which is added to the last: a value that passes over parts."""
    nodes, value = [], "x"
    for i in range(count):
        nodes.append(onnx.helper.make_node("MatMul", [value, f"w{i}"], [f"m{i}"], name=f"dense_{i}"))
        nodes.append(onnx.helper.make_node("Relu", [f"m{i}"], [f"r{i}"]))
        value = f"r{i}"
    nodes.append(onnx.helper.make_node("Add", [value, "r0"], ["y"]))
    weights = {f"w{i}": RNG.normal(size=(16, 16)).astype(np.float32) / 4 for i in range(count)}
    return node_model(nodes, {"x": ["N", 16]}, ["y", "r1"], weights)


@pytest.mark.parametrize(("limit", "count"), [(1024, 5), (2048, 3), (10_000, 1)])
def test_parts_are_within_the_size(limit, count):
    model = load_model(deep_model())
    parts = parts_of(model, limit)
    assert len(parts) == count
    known = {"x"}
    for part in parts:
        assert known.issuperset(part.input_names)
        known.update(part.output_names)
    assert known.issuperset({"y", "r1"})
    if count == 5:
        assert parts[-1].input_names == ("r3", "r0")


def test_a_cut_is_where_little_goes_on():
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "a"], ["wide"]),
        onnx.helper.make_node("MatMul", ["wide", "b"], ["narrow"]),
        onnx.helper.make_node("MatMul", ["narrow", "c"], ["wide_again"]),
        onnx.helper.make_node("MatMul", ["wide_again", "d"], ["y"]),
    ]
    shapes = {"a": (4, 64), "b": (64, 2), "c": (2, 64), "d": (64, 8)}
    weights = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    parts = parts_of(load_model(node_model(nodes, {"x": ["N", 4]}, ["y"], weights)), 2600)
    assert [part.output_names for part in parts] == [("narrow",), ("y",)]


@pytest.mark.parametrize("name", ["m.tflite", "m"])
def test_together_they_are_the_model(name, tmp_path):
    told = []
    done = convert(deep_model(), tmp_path / name, split_size=2048, check=True, progress=told.append)
    paths = [written.path for written in done.artifacts]
    assert [path.name for path in paths] == [name.replace("m", f"m_{i}", 1) for i in (1, 2, 3)]
    assert all(path.exists() for path in paths)
    assert done.fits
    assert {output.name for output in done.artifacts[-1].accuracy.outputs} == {"y", "r1"}
    assert len(done.artifacts[-1].accuracy.fed) == 3
    plan = json.loads((tmp_path / "m.parts.json").read_text())["parts"]
    assert [part["path"] for part in plan] == [path.name for path in paths]
    assert plan[0]["inputs"] == ["x"]
    assert "y" in plan[-1]["outputs"]
    assert list(done.rep.inputs) == ["x"]
    assert "Converting, part 2 of 3" in told
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*(p.name for p in paths), "m.parts.json"])


def test_a_part_that_is_wrong_is_found(tmp_path, monkeypatch):
    from onnx_tf.splitting import writing

    cut = writing._cut

    def damaged(whole, part):
        model = cut(whole, part)
        value = next(iter(model.graph.initializers.values()))
        value.const_value = ir.tensor(value.const_value.numpy() * 1.5)
        return model

    monkeypatch.setattr(writing, "_cut", damaged)
    assert not convert(deep_model(), tmp_path / "m.tflite", split_size="2048").fits


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("m.tflite", {"split_size": 100}, r"split_size: node 'dense_0' \(MatMul\) .* have more weights than 100 B"),
        ("m.tflite", {"split_size": "much"}, "split_size must be a size like 1G or 512MiB, not 'much'"),
        ("m.keras", {"split_size": "1G"}, "split_size is for .tflite files and SavedModels"),
        ("m", {"split_size": "1G", "formats": ["tflite"]}, "split_size is for .tflite files and SavedModels"),
        ("m", {"split_size": "1G", "channels_last_inputs": "all"}, "do not go together"),
    ],
)
def test_refused(name, options, says, tmp_path):
    with pytest.raises(OnnxTfError, match=says):
        convert(deep_model(), tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"intermediate_names": ["r1"]}, "intermediate_names do not go together"),
        ({"tflite": ["float32", "float16"]}, "parts of one kind"),
    ],
)
def test_what_parts_cannot_have_is_refused(given, text, tmp_path):
    with pytest.raises(OptionError, match=text):
        convert(deep_model(), tmp_path / ("m.tflite" if "tflite" in given else "m"), split_size=1024, **given)
    assert not list(tmp_path.iterdir())
