"""Every Python snippet and shell line of the README and of doc/ runs; so does every example."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

import onnx_tf.handlers  # noqa: F401  (fills the registry that is restored below)
from onnx_tf.cli import main
from onnx_tf.export.post_training.recipes import PACKAGES
from onnx_tf.registry import registry
from test.consumers.catalog import script_metadata
from test.litert.pairs import Pairs

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "bench" / "README.md", *sorted((ROOT / "doc").rglob("*.md"))]
BLOCK = re.compile(r"^```([\w{}]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NOT_RUN = ("text", "kotlin", "cpp", "{toctree}")
STATIC = {
    "activation_tensor_config": {"num_bits": 8, "symmetric": False, "granularity": "TENSORWISE"},
    "weight_tensor_config": {"num_bits": 8, "symmetric": True, "granularity": "CHANNELWISE"},
    "compute_precision": "INTEGER",
    "explicit_dequantize": False,
}
"""How a recipe of ai-edge-quantizer quantises, in 8 bits."""
LINK = re.compile(r"\]\(([^)#]+)")


def image_network() -> onnx.ModelProto:
    """A small network from ``image`` [batch, 3, 32, 32] to ``scores`` [batch, 10]."""
    rng = np.random.default_rng(0)
    weights = {"filter": (8, 3, 3, 3), "bias": (8,), "matrix": (8, 10)}
    nodes = [
        helper.make_node("Conv", ["image", "filter", "bias"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "matrix"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 32, 32])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 10])],
        [onnx.numpy_helper.from_array(rng.normal(size=s).astype(np.float32), n) for n, s in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def quantized_network() -> onnx.ModelProto:
    """A small network whose convolution and product are quantised, and whose Softmax is not in LiteRT's steps."""
    graph = Pairs()
    x = graph.input(1, 3, 16, 16)
    y = graph.pair(graph.node("Relu", graph.node("Conv", x, graph.weights(8, 3, 3, 3))))
    y = graph.pair(graph.node("GlobalAveragePool", y))
    y = graph.node("Flatten", y)
    y = graph.pair(graph.node("MatMul", y, graph.weights(8, 5, axis=1)))
    return graph.model([graph.pair(graph.node("Softmax", y))])


def detector() -> onnx.ModelProto:
    """A model from ``boxes`` [batch, 8, 4] and ``scores`` [batch, 2, 8] to the ``selected`` ones."""
    graph = helper.make_graph(
        [helper.make_node("NonMaxSuppression", ["boxes", "scores", "most"], ["selected"])],
        "detector",
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["batch", 8, 4]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 2, 8]),
        ],
        [helper.make_tensor_value_info("selected", TensorProto.INT64, [None, 3])],
        [onnx.numpy_helper.from_array(np.array([3]), "most")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write_models(folder: Path) -> None:
    """Write the files that the documents take for granted."""
    onnx.save(image_network(), folder / "model.onnx")
    onnx.save(quantized_network(), folder / "quantised.onnx")
    onnx.save(detector(), folder / "detector.onnx")
    (folder / "photos").mkdir()
    for index in range(2):
        pixels = np.random.default_rng(index).integers(0, 256, (40, 30, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{index}.jpg")
    recipe = [{"regex": ".*", "operation": "*", "algorithm_key": "min_max_uniform_quantize", "op_config": STATIC}]
    recipe += [{"regex": ".*", "operation": end, "algorithm_key": "no_quantize"} for end in ("INPUT", "OUTPUT")]
    (folder / "mixed.json").write_text(json.dumps(recipe))
    np.save(folder / "x.npy", np.random.default_rng(1).uniform(size=(1, 3, 32, 32)).astype(np.float32))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_snippets_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    handlers = {key: list(versions) for key, versions in registry._handlers.items()}
    write_models(tmp_path)
    namespace: dict[str, object] = {}
    try:
        for language, code in BLOCK.findall(page.read_text()):
            if language == "python":
                exec(compile(code, str(page), "exec"), namespace)
            elif language == "sh":
                for line in code.splitlines():
                    run_line(line)
            else:
                assert language in NOT_RUN, f"a block of {page.name} says no language that is known"
    finally:
        registry._handlers.clear()
        registry._handlers.update(handlers)


def run_line(line: str) -> None:
    program, *arguments = shlex.split(line, comments=True)
    if program == "onnx-tf":
        needs_quantizer = "--recipe" in arguments and not any(map(importlib.util.find_spec, PACKAGES))
        assert main(arguments) == (2 if needs_quantizer else 0), line
    elif program == "make":
        subprocess.run(["make", "--dry-run", *arguments], cwd=ROOT, check=True, capture_output=True)
    elif program in ("python", "python3"):
        name = arguments[arguments.index("-m") + 1] if "-m" in arguments else arguments[0]
        path = ROOT / name.replace(".", "/") if "-m" in arguments else ROOT / name
        assert path.exists() or path.with_suffix(".py").exists() or name == "pytest", line
    else:
        assert line.startswith(("pip install", "git ")), f"nothing here checks: {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


EXAMPLES = [path for path in sorted((ROOT / "example").glob("*.py")) if script_metadata(path) is None]
"""Those that need no other packages: ``python -m test.consumers --examples`` runs the others."""


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda script: script.name)
def test_the_examples_run(script, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout
