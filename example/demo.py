"""Convert two networks, check their numbers against references, write them as SavedModels.

Run it with ``make demo``, or ``python example/demo.py [FOLDER]``.
"""

import sys
from pathlib import Path

from onnx_tf.cli.console import import_tensorflow

import_tensorflow()  # without the lines that it writes to the screen

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import tensorflow as tf  # noqa: E402

from onnx_tf import prepare  # noqa: E402

ROOT = Path(__file__).parents[1]
TARGET = Path(sys.argv[1] if len(sys.argv) > 1 else "build/demo")


def convert_and_check(name, model, x, expected, reference):
    rep = prepare(model)
    print(f"{name}: inputs {list(rep.inputs)}, outputs {list(rep.outputs)}, {len(rep.tf_module.weights)} variables")
    folder = TARGET / name
    rep.export_graph(folder)
    signature = tf.saved_model.load(str(folder)).signatures["serving_default"]
    served = signature(tf.constant(x))[rep.outputs[0]].numpy()
    print(f"  {reference:14s} {np.ravel(expected)[:5]} ...")
    for way, result in {"run": np.asarray(rep.run(x)), "SavedModel": served}.items():
        error = np.abs(result - expected).max() / np.abs(expected).max()
        print(f"  {way:14s} {np.ravel(result)[:5]} ...  relative difference {error:.1e}")
        assert error < 1e-3, "the numbers are wrong"
    print(f"  The numbers are right. The SavedModel lies in {folder.resolve()}")


# A network that the onnx package carries, with the output that belongs to a ramp from 0 to 1.
data = Path(onnx.__file__).parent / "backend/test/data/light"
x = np.linspace(0, 1, 3 * 224 * 224, endpoint=False, dtype=np.float32).reshape(1, 3, 224, 224)
expected = onnx.numpy_helper.to_array(onnx.load_tensor(data / "light_resnet50_output_0.pb"))
convert_and_check("light_resnet50", data / "light_resnet50.onnx", x, expected, "shipped output")

# That one's weights are all alike. One with random weights, against ONNX Runtime:
sys.path.insert(0, str(ROOT))
from test.reference import ort_outputs  # noqa: E402
from test.zoo.materialize import materialize  # noqa: E402

model = materialize(ROOT / "test/zoo/models/resnet18.onnx")
expected = ort_outputs(model, {"input": x})["output"]
convert_and_check("resnet18", model, x, expected, "ONNX Runtime")
