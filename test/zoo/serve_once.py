"""Load a SavedModel with TensorFlow alone, call it once, write its outputs beside it."""

import sys
from pathlib import Path

sys.modules["onnx_tf"] = None  # importing it would fail

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

folder = Path(sys.argv[1])
names = (folder / "names.txt").read_text().split("\n")
with np.load(folder / "feed.npz", allow_pickle=True) as arrays:
    feed = {name: tf.constant(arrays[f"_{i}"]) for i, name in enumerate(names)}
results = tf.saved_model.load(str(folder / "model")).signatures["serving_default"](**feed)
outputs = {name: tensor.numpy() for name, tensor in results.items()}
(folder / "outputs.txt").write_text("\n".join(outputs))
np.savez(folder / "outputs.npz", **{f"_{i}": value for i, value in enumerate(outputs.values())})
