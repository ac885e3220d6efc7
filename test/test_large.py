"""A model of 3 GB with external data: converted in little more memory than its weights take twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

WIDTH = 8192
LAYERS = 12
BYTES = WIDTH * WIDTH * 4

CONVERT = """
import json, resource, sys, time
start = time.perf_counter()
from onnx_tf import prepare
import tensorflow
imported = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rep = prepare(sys.argv[1])
prepared = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rep.export_graph(sys.argv[2])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
unit = 1 if sys.platform == "darwin" else 1024
steps = {"imported": imported * unit, "prepared": prepared * unit, "exported": peak * unit}
print(json.dumps(steps | {"seconds": time.perf_counter() - start}))
"""

SERVE = """
import sys
sys.modules["onnx_tf"] = None
import numpy as np, tensorflow as tf
x = tf.constant(np.load(sys.argv[2]))
np.save(sys.argv[3], tf.saved_model.load(sys.argv[1]).signatures["serving_default"](x)["y"].numpy())
"""


def layer(index: int) -> np.ndarray:
    """Weights that are quick to make: a random strip, shifted and repeated."""
    strip = np.random.default_rng(index).normal(0, WIDTH**-0.5, (WIDTH, 64)).astype(np.float32)
    return np.tile(strip, WIDTH // 64)


def write_model(folder: Path, layers: int) -> Path:
    graph = onnx.GraphProto(name="large")
    graph.input.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", WIDTH]))
    graph.output.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", WIDTH]))
    with (folder / "weights.bin").open("wb") as file:
        for index in range(layers):
            layer(index).tofile(file)
            tensor = graph.initializer.add(name=f"w{index}", data_type=TensorProto.FLOAT, dims=[WIDTH, WIDTH])
            tensor.data_location = TensorProto.EXTERNAL
            entries = {"location": "weights.bin", "offset": str(index * BYTES), "length": str(BYTES)}
            for key, value in entries.items():
                tensor.external_data.add(key=key, value=value)
            target = "y" if index == layers - 1 else f"h{index}"
            graph.node.append(
                helper.make_node("MatMul", ["x" if not index else f"h{index - 1}", f"w{index}"], [target])
            )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_three_gigabytes(tmp_path):
    model = write_model(tmp_path, LAYERS)
    command = [sys.executable, "-c", CONVERT, str(model), str(tmp_path / "model")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    steps = json.loads(done.stdout.splitlines()[-1])
    weights = LAYERS * BYTES
    print({name: round(value / weights, 2) for name, value in steps.items() if name != "seconds"}, steps["seconds"])
    assert weights > 3e9
    assert steps["exported"] < 2.5 * weights

    x = np.random.default_rng(99).normal(size=(2, WIDTH)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "weights.bin").unlink()
    files = [str(tmp_path / name) for name in ("model", "x.npy", "y.npy")]
    subprocess.run([sys.executable, "-c", SERVE, *files], check=True, capture_output=True)
    for index in range(LAYERS):
        x = x @ layer(index)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), x, rtol=1e-3, atol=1e-3 * np.abs(x).max())
