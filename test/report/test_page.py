"""What a report tells, as text: all that was found is in it, and nothing that would need a network."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import onnx
import pytest

from onnx_tf import CheckError, PathError, WriteError, convert, onnx_op
from onnx_tf.check import values as checking
from onnx_tf.check.compare import Difference
from onnx_tf.check.values import CheckedValue, Values
from onnx_tf.cli import main
from onnx_tf.registry import registry
from onnx_tf.report import collecting
from onnx_tf.report.error_plot import MAX_POINTS, error_plot
from onnx_tf.report.node_data import INFINITE, node_data
from test.models import text_model
from test.test_docs import image_network

NET = """g (float[N, 3, 8, 8] x) => (float[N, 4, 8, 8] y) {
  s = Sigmoid(x)
  e = Concat <axis = 1> (s, t)
  y = Softmax <axis = 1> (e)
  t = ReduceSum <keepdims = 1> (s, axis)
}"""


def written(tmp_path: Path, model: onnx.ModelProto, **options: Any) -> tuple[Any, str]:
    """Return a conversion with its report as text."""
    path = tmp_path / "report.html"
    done = convert(model, tmp_path / "out", formats=["saved_model", "tflite"], report=path, **options)
    return done, path.read_text(encoding="utf-8")


class _Outline(HTMLParser):
    """Reads a page as a screen reader does: headings, what has a name, tables."""

    VOID = ("meta", "br", "i", "td", "th")

    def __init__(self) -> None:
        super().__init__()
        self.levels: list[int] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if "id" in given:
            self.ids.append(str(given["id"]))
        if str(given.get("href", "")).startswith("#"):
            self.targets.append(str(given["href"])[1:])
        if "aria-labelledby" in given:
            self.targets += str(given["aria-labelledby"]).split()
        if given.get("role") == "region":
            assert given.get("aria-label"), attrs


def outline(text: str) -> _Outline:
    found = _Outline()
    found.feed(text)
    return found


def test_all_is_on_the_page(tmp_path) -> None:
    done, text = written(tmp_path, image_network())
    for part in (
        "It computes what ONNX Runtime does",
        "float32[batch, 3, 32, 32]",
        "<code>scores</code>",
        done.rep.layout_report.totals()[1:],
        "CONV_2D",
        "fold constants",
        "tensorflow",
        "report_node_data.json",
        "prefers-color-scheme: dark",
    ):
        assert part in text
    for artifact in done.artifacts:
        assert artifact.path.name in text
    for operator in ("Conv", "Relu", "GlobalAveragePool", "Flatten", "MatMul"):
        assert f"<td>{operator}<" in text
    assert not re.search("<script|<link|<iframe|<img|src=|url[(]|@import|https?://", text)


def test_the_page_has_an_outline_and_all_links_lead_somewhere(tmp_path) -> None:
    found = outline(written(tmp_path, image_network())[1])
    assert found.levels[0] == 1
    assert found.levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(found.levels, found.levels[1:], strict=False))
    assert len(set(found.ids)) == len(found.ids)
    assert set(found.targets) <= set(found.ids)


def test_pictures_say_what_they_are(tmp_path) -> None:
    text = written(tmp_path, image_network())[1]
    pictures = [ElementTree.fromstring(svg) for svg in re.findall("<svg.*?</svg>", text, re.DOTALL)]
    assert len(pictures) == 2
    for picture in pictures:
        assert picture.get("role") == "img"
        assert picture.findtext("title")
    assert "none of them differs" in pictures[0].findtext("desc", "")


def test_the_data_of_nodes_are_of_model_explorer_s_form(tmp_path) -> None:
    written(tmp_path, image_network())
    data = json.loads((tmp_path / "report_node_data.json").read_text())
    assert set(data) == {"results", "thresholds"}
    assert {"c", "r", "p", "f", "scores"} <= set(data["results"])
    assert all(set(result) == {"value"} and 0 <= result["value"] < 1 for result in data["results"].values())
    limits = [threshold["value"] for threshold in data["thresholds"]]
    assert limits == sorted(limits)
    assert all(set(threshold) == {"value", "bgColor", "textColor"} for threshold in data["thresholds"])


def test_a_value_that_differs_is_named(tmp_path, monkeypatch) -> None:
    real = checking.compare

    def wrong(expected: Any, found: Any, *rest: Any) -> Any:
        return real(expected, {name: value + (name == "r") * np.float32(1) for name, value in found.items()}, *rest)

    monkeypatch.setattr(checking, "compare", wrong)
    _, text = written(tmp_path, image_network())
    assert "Its outputs are ONNX Runtime&#x27;s, values inside are not" in text
    assert "1 of 5 values inside differ, the first at node Relu_1 (Relu)." in text
    assert text.count('class="differs"') == 1
    data = json.loads((tmp_path / "report_node_data.json").read_text())
    assert data["results"]["r"]["value"] > 1 > data["results"]["c"]["value"]


def test_without_a_check_there_is_no_comparison(tmp_path) -> None:
    _, text = written(tmp_path, image_network(), check=False)
    assert "It was not compared with ONNX Runtime" in text
    assert "The values inside were not compared: comparisons were left out" in text
    assert not (tmp_path / "report_node_data.json").exists()


def test_without_onnx_runtime_there_is_a_report(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(collecting, "has_onnx_runtime", lambda: False)
    assert "ONNX Runtime is not installed" in written(tmp_path, image_network())[1]


@pytest.fixture
def handlers() -> Iterator[None]:
    known = {key: list(versions) for key, versions in registry._handlers.items()}
    yield
    registry._handlers.clear()
    registry._handlers.update(known)


@pytest.mark.usefixtures("handlers")
def test_what_onnx_runtime_cannot_run_is_said(tmp_path) -> None:
    @onnx_op("Same", domain="my.domain", since=1)
    def same(x: Any) -> Any:
        return x + 0.0

    overrides = {"nodes": [{"node": "r", "replace_by": "my.domain.Same"}]}
    _, text = written(tmp_path, image_network(), overrides=overrides)
    assert "It was not compared with ONNX Runtime" in text
    assert "my.domain" in text
    with pytest.raises(CheckError):
        written(tmp_path, image_network(), overrides=overrides, check=True)
    assert "could not be compared" in (tmp_path / "report.html").read_text()


def test_a_keras_model_has_values_too(tmp_path) -> None:
    convert(image_network(), tmp_path / "m.keras", report=tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    assert "All 5 values inside agree" in text
    assert "m.keras" in text


def test_names_are_text_not_markup(tmp_path) -> None:
    model = text_model("g (float[2] x) => (float[2] y) { y = Relu(x) }")
    model.graph.name = '"><script>alert(1)</script>'
    model.graph.node[0].name = "<b>&node</b>"
    model.graph.input[0].name = model.graph.node[0].input[0] = "a<i>b"
    convert(model, tmp_path / "m", report=tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    assert not re.search("<script|<b>&node|<i>b", text)
    assert "&lt;b&gt;&amp;node&lt;/b&gt;" in text


def test_check_writes_one_too(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(image_network(), "model.onnx")
    assert main(["convert", "model.onnx", "-o", "m.tflite", "--no-check"]) == 0
    assert main(["check", "model.onnx", "m.tflite", "--report", "r.html"]) == 0
    text = Path("r.html").read_text()
    assert "All 5 values inside agree" in text
    assert "m.tflite: its largest error is" in text
    capsys.readouterr()


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("r.txt", PathError, "the name must end in .html"),
        ("none/r.html", WriteError, "the folder none does not exist"),
        ("folder.html", PathError, "is a folder"),
    ],
)
def test_a_path_that_does_not_fit_is_refused_before_anything_is_written(
    tmp_path, monkeypatch, path: str, error: type[Exception], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.html").mkdir()
    with pytest.raises(error, match=message):
        convert(image_network(), "out", report=path)
    assert not Path("out").exists()


def checked(*differences: Difference) -> tuple[CheckedValue, ...]:
    return tuple(CheckedValue(d.name, f"node_{d.name}", "Add", d, True) for d in differences)


def test_infinite_and_missing_errors_have_places() -> None:
    found = checked(
        Difference("a", math.inf, 1e-3, "the shape is [2], expected [3]"),
        Difference("b", 0.0, 0.0),
        Difference("c", 0.5, 0.0),
        Difference("d", 1e-30, 1e-3),
    )
    picture = ElementTree.fromstring("".join(error_plot(found, "shares")))
    assert len(list(picture.iter("circle"))) == 2
    assert [path.get("class") for path in picture.iter("path")] == ["limit", "differs", "differs"]
    data = json.loads(node_data(Values(found, (), {})))
    assert {name: data["results"][name]["value"] for name in "abc"} == {"a": INFINITE, "b": 0, "c": INFINITE}


def test_a_deep_network_is_drawn_by_the_worst_of_each_stretch() -> None:
    many = checked(*(Difference(str(i), 1e-6, 1e-3) for i in range(5 * MAX_POINTS)))
    worst = dataclasses.replace(many[777], difference=Difference("777", 0.5, 1e-3))
    picture = "".join(error_plot((*many[:777], worst, *many[778:]), "shares"))
    assert picture.count("<circle") < MAX_POINTS
    assert picture.count('class="differs"') == 1
