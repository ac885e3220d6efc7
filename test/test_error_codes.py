"""Every error has a code that does not change; each is provoked here, and ``doc/errors.md`` describes it."""

from __future__ import annotations

import importlib
import json
import pickle
import pkgutil
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import onnx_tf
from onnx_tf import OnnxTfError, convert, prepare
from onnx_tf.cli import main
from onnx_tf.cli.reporting import OUTSIDE, report
from onnx_tf.errors import either
from onnx_tf.supervision import isolated
from test.models import relu_model, text_model

PAGE = (Path(__file__).parents[1] / "doc" / "errors.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([a-z-]+)` \| (.+?) \| (.+?) \| `(.+)` \| (.+?) \|$", PAGE, re.MULTILINE)
"""Of the table of codes: code, class, when, an example, what to do."""

ADD = text_model("g (float[A] x, float[B] z) => (float[C] y) { y = Add(x, z) }")
NO_KERNEL = "g (bfloat16[2] x) => (bfloat16[2] y) { y = Gelu(x) }"
CRASH = "import os; from onnx_tf.supervision.child import supervised; supervised(lambda: os._exit(77))"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    onnx.save(relu_model(), "model.onnx")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    return tmp_path


def no_edges() -> onnx.ModelProto:
    model = relu_model()
    model.graph.node[0].input[0] = "nothing"
    return model


def of_keras() -> None:
    convert(text_model("g (string[N] x) => (string[N] y) { y = Identity(x) }"), "model.keras")


def of_one_rank() -> None:
    nodes = " ".join(f"z{i + 1} = Softmax <axis = -1> (z{i})" for i in range(300))
    prepare(text_model(f"g (float[a, 6] x, int64[n] s) => (float[] z300) {{ z0 = Reshape(x, s) {nodes} }}"))


PROVOKED: dict[str, Callable[[], Any]] = {
    "invalid-model": lambda: prepare(no_edges()),
    "unreadable-file": lambda: prepare("none.onnx"),
    "invalid-option": lambda: prepare(relu_model(), layout="other"),  # type: ignore[arg-type]
    "invalid-edit": lambda: prepare(relu_model(), output_names=["nope"]),
    "invalid-input": lambda: prepare(relu_model()).run(np.zeros((2, 3))),
    "unsupported-node": lambda: prepare(text_model("g (float[2] x) => (float[2] y) { y = Bogus(x) }")),
    "conversion-failed": lambda: prepare(text_model("g (float[2] x, float[3] z) => (float[c] y) { y = Add(x, z) }")),
    "unknown-rank": of_one_rank,
    "run-failed": lambda: prepare(ADD).run([np.ones(2, np.float32), np.ones(3, np.float32)]),
    "export-refused": of_keras,
    "path-taken": lambda: convert(relu_model(), "mine"),
    "write-failed": lambda: convert(relu_model(), "model.onnx/out"),
    "check-failed": lambda: convert(text_model(NO_KERNEL, opset=20), "out", check=True),
    "process-crashed": lambda: convert(relu_model(), "out", isolated=True),
    "process-limit": lambda: convert(relu_model(), "out", timeout=0.1),
    "wrong-usage": lambda: main(["run", "model.onnx", "--output", "y.txt"]),
}


def classes() -> Iterator[type[OnnxTfError]]:
    """Yield every class of errors that the package has."""
    for module in pkgutil.walk_packages(onnx_tf.__path__, "onnx_tf."):
        if ".handlers" not in module.name and "__main__" not in module.name:
            importlib.import_module(module.name)
    waiting: list[type[OnnxTfError]] = [OnnxTfError]
    while waiting:
        found = waiting.pop()
        if found.__module__.startswith("onnx_tf."):
            yield found
        waiting += found.__subclasses__()


@pytest.mark.parametrize("code", PROVOKED)
def test_each_is_provoked_as_the_page_tells(code, monkeypatch, capsys):
    if code == "process-crashed":
        monkeypatch.setattr(isolated, "_WORK", CRASH)
    if code == "wrong-usage":
        assert main(["run", "model.onnx", "--output", "y.txt", "--json"]) == 2
        error = json.loads(capsys.readouterr().out)["error"]
        said, text, advice = error["code"], error["message"], error["advice"]
    else:
        with pytest.raises(OnnxTfError) as caught:
            PROVOKED[code]()
        said, text, advice = caught.value.code, str(caught.value), caught.value.advice
        assert caught.value.fields().keys() <= {"step", "node", "op", "domain", "version", "inputs", "nodes"}
    assert said == code
    row = next(row for row in ROWS if row[0] == code)
    assert re.fullmatch(re.escape(row[3]).replace(r"\.\.\.", ".*"), " ".join(text.split())), text
    assert advice


def test_the_page_lists_every_code_and_class():
    codes: dict[str, set[str]] = {}
    for cls in classes():
        assert re.fullmatch("[a-z]+(-[a-z]+)*", cls.code)
        codes.setdefault(cls.code, set()).add(cls.__name__)
    assert codes.pop("error") == {"OnnxTfError", "NodeError"}  # which nothing raises
    assert {row[0] for row in ROWS} == {*codes, OUTSIDE}
    for row in ROWS:
        named = set(re.findall(r"`(\w+Error)`", row[1].partition(",")[0]))
        assert named <= codes.get(row[0], set()) or row[0] in ("unknown-rank", OUTSIDE)
    assert PROVOKED.keys() == codes.keys()


def test_nothing_raises_the_base_class():
    folder = Path(onnx_tf.__file__).parent
    found = [path.name for path in folder.rglob("*.py") if re.search(r"raise (OnnxTf|Node)Error\(", path.read_text())]
    assert found == []


def test_advice_is_of_the_error_where_it_is_known():
    error = OnnxTfError("it is broken", advice=either("pass x=1", "add --x 1"))
    assert (error.advice, error.advice_for_command_line()) == ("pass x=1", "add --x 1")
    assert pickle.loads(pickle.dumps(error)).advice == "pass x=1"
    assert OnnxTfError("it is broken").advice == OnnxTfError.next_step


def test_other_errors_have_a_code_too(capsys):
    report(OSError(28, "No space left on device"), as_json=True)
    error = json.loads(capsys.readouterr().out)["error"]
    assert error == {"type": "OSError", "code": OUTSIDE, "message": "No space left on device"}
