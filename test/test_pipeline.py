"""One list of named steps: timings, the step that failed, and stopping after a step come with it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from onnx_tf import ConversionError, UnsupportedError, prepare
from onnx_tf.cli import main
from onnx_tf.options import Options
from onnx_tf.pipeline import lower, steps
from onnx_tf.registry import Registry, onnx_op, registry
from onnx_tf.targets import LITERT, SAVED_MODEL, Target
from test.models import relu_model, text_model


def test_the_steps_of_a_model():
    names = [step.name for step in steps(Options())]
    assert names[0] == "load"
    assert names[-1] == "bind"
    assert len(set(names)) == len(names)
    inference_only = {"merge initializers", "fold batch normalization"}
    assert inference_only < set(names)
    assert not inference_only & {step.name for step in steps(Options(training=True))}


def test_the_documentation_lists_the_steps():
    text = (Path(__file__).parents[1] / "doc" / "architecture.md").read_text()
    rows = re.findall(r"^\| ([^|]+) \|[^|]*\|[^|]*\|$", text, re.MULTILINE)
    common = [step.name for step in steps(Options())]
    assert rows[1 : rows.index("trace")] == common
    own = [step.name for step in steps(Options(target=LITERT)) if step.name not in common]
    assert rows[rows.index("step for LiteRT") + 1 :][: len(own)] == own


def test_timings_of_all_steps(tmp_path, capsys, monkeypatch):
    rep = prepare(relu_model())
    assert list(rep.timings) == [step.name for step in steps(Options())] + ["trace"]
    assert all(seconds >= 0 for seconds in rep.timings.values())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.onnx").write_bytes(relu_model().SerializeToString())
    assert main(["convert", "model.onnx", "-o", "out", "--timings"]) == 0
    printed = capsys.readouterr().out
    assert all(f" s  {step}\n" in printed for step in [*rep.timings, "write"])
    assert main(["convert", "model.onnx", "-o", "out", "--json", "--check"]) == 0
    assert list(json.loads(capsys.readouterr().out)["timings"]) == [*rep.timings, "write", "check"]


def test_stopping_after_a_step():
    lowered = lower(
        text_model("g (float[2] x) => (float[2] y) { a = Identity(x) y = Relu(a) }"), until="lift constants"
    )
    assert [node.op_type for node in lowered.model.graph] == ["Identity", "Relu"]
    assert not hasattr(lowered, "graph")
    with pytest.raises(ValueError, match="'no such step'"):
        lower(relu_model(), until="no such step")


def test_an_error_names_its_step():
    with pytest.raises(UnsupportedError) as caught:
        prepare(text_model("g (float[2] x) => (float[2] y) { y = NoSuchOperator(x) }"))
    assert caught.value.step == "refuse unsupported"


def test_a_pass_that_fails_is_an_error_that_names_it():
    def fragile_pass(model):
        raise KeyError(len(list(model.graph)))

    with pytest.raises(ConversionError, match="step 'fragile pass': KeyError: 1") as caught:
        lower(relu_model(), Options(target=Target("other", passes=(fragile_pass,))))
    assert isinstance(caught.value.__cause__, KeyError)


def test_handlers_of_a_target_go_first():
    table = Registry(["other", "another"])
    for target, since in [("", 1), ("other", 7), ("", 13), ("another", 1), ("third", 14)]:
        table.register("Relu", lambda x: x, since=since, domain="", target=target)
    found = {version: table.find("", "Relu", version) for version in (1, 6, 7, 13, 14)}
    assert {version: (h.target, h.since) for version, h in found.items()} == {
        1: ("another", 1),
        6: ("another", 1),
        7: ("other", 7),
        13: ("other", 7),
        14: ("other", 7),
    }
    with pytest.raises(ValueError, match="has a handler since version 7 already"):
        table.register("Relu", lambda x: x, since=7, domain="", target="other")


def test_a_handler_of_another_target_changes_nothing():
    @onnx_op("Relu", target="other")
    def wrong_here(x):
        return x

    try:
        assert prepare(relu_model()).run([[-1.0, 0.0, 1.0]])[0].tolist() == [[0.0, 0.0, 1.0]]
        bound = lower(relu_model(), Options(target=Target("mine", forms=("other",), passes=SAVED_MODEL.passes))).graph
        assert bound.nodes[0].handler.function is wrong_here
    finally:
        registry.unregister("Relu", since=1, target="other")
