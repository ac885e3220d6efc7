"""Write a SavedModel, then load and call it with TensorFlow alone.

Run it with ``python example/serve.py``.
"""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import tensorflow as tf

from onnx_tf import prepare

model = Path(onnx.__file__).parent / "backend/test/data/light/light_shufflenet.onnx"
folder = tempfile.mkdtemp()
prepare(model).export_graph(folder)

# From here on nothing of onnx_tf is needed.
loaded = tf.saved_model.load(folder)
signature = loaded.signatures["serving_default"]
print("inputs: ", signature.structured_input_signature[1])
print("outputs:", signature.structured_outputs)

x = tf.constant(np.random.default_rng(0).uniform(size=(1, 3, 224, 224)).astype(np.float32))
by_position = signature(x)
by_name = signature(**{"gpu_0/data_0": x})  # any ONNX name is a keyword
for name, tensor in by_name.items():
    np.testing.assert_array_equal(tensor, by_position[name])
    print(f"{name}: {tensor.dtype.name}{tensor.shape}, sum {tf.reduce_sum(tensor):.3f}")
