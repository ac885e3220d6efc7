"""Reports and layout pages in a browser: no complaint, no request, readable on phones and in the dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from onnx_tf import convert
from onnx_tf.check import accuracy, values
from onnx_tf.check.compare import compare
from onnx_tf.cli import main
from test.models import text_model
from test.report.browser import CHROMIUM, Browser, browser
from test.zoo.compare import MODELS
from test.zoo.materialize import materialize

MODEL_NAMES = ["espcn", "vit_opset20_gelu", "shufflenetv2_qop", "lstm_stateful_forecaster"]
"""A convolutional network, a transformer, a quantised and a recurrent one."""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (Debian's package is chromium)")

SMALL = """[...document.querySelectorAll('main *, header *')]
  .filter(e => e.innerText && e.checkVisibility() && parseFloat(getComputedStyle(e).fontSize) < 11)
  .filter(e => !e.closest('svg')).map(e => e.outerHTML.slice(0, 80))"""
"""Elements whose text is smaller than phones should show it."""

CONTRAST = """(() => {
  const parts = color => { const n = color.match(/[0-9.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
  const light = ([r, g, b]) => { const l = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
    return .2126 * l(r) + .7152 * l(g) + .0722 * l(b); };
  const behind = e => { for (; e; e = e.parentElement) {
    const c = parts(getComputedStyle(e).backgroundColor); if (c[3] === 1) return c; } return [255, 255, 255]; };
  const found = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility() || ['TITLE', 'title', 'desc', 'STYLE'].includes(e.tagName)) continue;
    const inside = e.closest('svg'), box = inside && e.parentElement.querySelector(':scope > rect');
    const text = parts(inside ? getComputedStyle(e).fill : getComputedStyle(e).color);
    const ground = box ? parts(getComputedStyle(box).fill) : behind(inside ? inside.parentElement : e);
    const [a, b] = [light(text), light(ground)], ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) found.push(`${ratio.toFixed(1)} ${e.outerHTML.slice(0, 80)}`);
  }
  return [...new Set(found)].slice(0, 5);
})()"""
"""Texts with less contrast than the guidelines for accessible pages ask for."""


@pytest.fixture(scope="module")
def page() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module", params=MODEL_NAMES)
def report(request, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    model = materialize(MODELS / f"{request.param}.onnx")
    convert(model, folder / "out", formats=["saved_model", "tflite"], report=folder / "report.html")
    return folder / "report.html"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_a_report(page: Browser, report: Path, width: int, dark: bool) -> None:
    page.open(report, width=width, height=844, dark=dark)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.evaluate("document.querySelector('.verdict').className") == "verdict good"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate(SMALL) == []
    for target in page.evaluate("[...document.querySelectorAll('nav a')].map(link => link.hash)"):
        page.evaluate(f"location.hash = {target!r}")
    assert page.complaints(report) == []


def test_a_screen_reader_finds_names(page: Browser, report: Path) -> None:
    page.open(report)
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    named = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]]
    roles = {role for role, _ in named}
    assert {"heading", "main", "navigation", "image", "table", "columnheader", "status"} <= roles
    for role, name in named:
        assert name or role not in ("heading", "image", "link", "region", "navigation"), role
    images = [name for role, name in named if role == "image"]
    assert images[0] == "Error of each value by depth"
    assert images[1].startswith("the rewritten graph")


def test_a_phone_begins_where_the_graph_does(page: Browser, report: Path) -> None:
    page.open(report, width=390, height=844)
    place = page.evaluate(
        "(() => { const p = document.querySelector('.picture').getBoundingClientRect(),"
        " n = document.querySelector('.graph rect').getBoundingClientRect();"
        " return [n.left - p.left, p.right - n.right]; })()"
    )
    assert min(place) > -40


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_report_of_what_differs_and_has_long_names(page: Browser, tmp_path, monkeypatch, dark: bool) -> None:
    for module in (accuracy, values):
        monkeypatch.setattr(module, "compare", lambda _, found, *rest: compare(found, wrong(found), *rest))
    model = text_model("g (float[2, 3] x) => (float[2, 3] y) { a = Relu(x) y = Neg(a) }")
    model.graph.node[0].name = "/".join(["", *["a_part_of_a_name"] * 9])
    convert(model, tmp_path / "out", report=tmp_path / "report.html")
    page.open(tmp_path / "report.html", width=390, dark=dark)
    assert page.evaluate("document.querySelector('.verdict').className") == "verdict bad"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("document.querySelectorAll('.plot .differs').length") == 2
    assert page.evaluate(CONTRAST) == []
    assert page.complaints(tmp_path / "report.html") == []


def wrong(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: array + np.float32(1) for name, array in arrays.items()}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_a_layout_page(page: Browser, tmp_path_factory, width: int, dark: bool) -> None:
    folder = tmp_path_factory.mktemp("layout")
    onnx.save(materialize(MODELS / "superpoint.onnx"), folder / "model.onnx")
    assert main(["layout", str(folder / "model.onnx"), "--html", str(folder / "layout.html")]) == 0
    page.open(folder / "layout.html", width=width, height=844, dark=dark)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.evaluate(CONTRAST) == []
    assert page.complaints(folder / "layout.html") == []


def test_the_browser_reports_what_a_page_must_not_do(page: Browser, tmp_path) -> None:
    path = tmp_path / "bad.html"
    pale = "<main><p style='color: #aaa; font-size: 9px'>pale and small</p></main>"
    path.write_text(f"{pale}<img src='none.png'><script>console.warn('no'); throw Error('wrong')</script>")
    page.open(path)
    found = " ".join(page.complaints(path))
    assert "none.png" in found
    assert "Runtime.consoleAPICalled" in found
    assert "Runtime.exceptionThrown" in found
    assert len(page.evaluate(CONTRAST)) == len(page.evaluate(SMALL)) == 1
