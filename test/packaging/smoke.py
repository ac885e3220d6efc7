"""What a fresh installation must do, with this package from the wheel alone: run by ``python smoke.py``."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import onnx_tf
from onnx_tf import convert, prepare

SHOWN = (
    "tensorflow",
    "onnx",
    "onnx-ir",
    "numpy",
    "onnxruntime",
    "ai-edge-litert",
    "keras",
    "tensorflow-probability",
    "tf-keras",
    "rich",
    "pillow",
    "PyYAML",
)


def network() -> onnx.ModelProto:
    """Return a convolution with a normalisation, a pool and a dense layer, from [N, 3, 16, 16] to [N, 10]."""
    rng = np.random.default_rng(0)
    shapes = {"filter": (8, 3, 3, 3), "scale": (8,), "bias": (8,), "mean": (8,), "matrix": (8, 10)}
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    weights["variance"] = np.abs(rng.normal(size=8)).astype(np.float32) + 0.5
    nodes = [
        helper.make_node("Conv", ["image", "filter"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("BatchNormalization", ["c", "scale", "bias", "mean", "variance"], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "matrix"], ["m"]),
        helper.make_node("Softmax", ["m"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 16, 16])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 10])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def main() -> None:
    """Convert a network to every kind of file, compare the numbers, and call the program."""
    print(", ".join(f"{name} {importlib.metadata.version(name)}" for name in SHOWN), flush=True)
    package = Path(onnx_tf.__file__).parent
    assert "site-packages" in package.parts, package
    assert (package / "py.typed").exists()
    model = network()
    x = np.random.default_rng(1).normal(size=(2, 3, 16, 16)).astype(np.float32)
    (expected,) = ReferenceEvaluator(model).run(None, {"image": x})
    np.testing.assert_allclose(prepare(model).run(x)["scores"], expected, rtol=1e-4, atol=1e-6)
    onnx.save(model, "model.onnx")
    formats = ["saved_model", "tflite", "keras", "keras_source", "weights"]
    done = convert("model.onnx", "out", formats=formats, check=True)
    assert done.fits, [str(artifact.accuracy) for artifact in done.artifacts]
    assert all("ONNX Runtime" in artifact.accuracy.reference for artifact in done.artifacts)
    quantized = convert("model.onnx", "int8.tflite", tflite=["full_integer_quant"], data={"image": x})
    assert quantized.artifacts[0].verdict is not None
    Path("overrides.yaml").write_text("nodes: []\n")
    for arguments in (
        ["--version"],
        ["ops", "Conv"],
        ["info", "model.onnx"],
        ["convert", "model.onnx", "-o", "model.tflite", "--check", "--overrides", "overrides.yaml"],
        ["check", "model.onnx", "out/saved_model"],
    ):
        subprocess.run(
            [str(Path(sys.executable).with_name("onnx-tf")), *arguments], check=True, stdout=subprocess.DEVNULL
        )


if __name__ == "__main__":
    main()
