"""Convert a network that the onnx package carries, check its numbers, write it as a SavedModel.

Run it with ``make demo``, or ``python example/demo.py [FOLDER]``.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import tensorflow as tf

from onnx_tf import prepare

network = "light_resnet50"
data = Path(onnx.__file__).parent / "backend/test/data/light"
model = data / f"{network}.onnx"
expected = onnx.numpy_helper.to_array(onnx.load_tensor(data / f"{network}_output_0.pb"))
target = Path(sys.argv[1] if len(sys.argv) > 1 else "build/demo") / network

rep = prepare(model)
print(f"{model.name}: inputs {list(rep.inputs)}, outputs {list(rep.outputs)}")

# The input that the reference output belongs to: a ramp from 0 to 1.
shape = (1, 3, 224, 224)
x = (np.arange(np.prod(shape)) / np.prod(shape)).reshape(shape).astype(np.float32)
y = rep.run(x)
print(f"run:        first outputs {np.ravel(y)[:4]}, {np.abs(y - expected).max():.1e} from the reference")

rep.export_graph(target)
serve = tf.saved_model.load(str(target)).signatures["serving_default"]
z = serve(tf.constant(x))[rep.outputs[0]].numpy()
print(f"SavedModel: first outputs {np.ravel(z)[:4]}, {np.abs(z - expected).max():.1e} from the reference")

for result in (y, z):
    np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-6)
print(f"The numbers are right. The SavedModel lies in {target.resolve()}")
