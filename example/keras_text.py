"""From an ONNX text classifier, one block of a transformer, to a Keras model that is fine-tuned as a whole.

Run it with ``python example/keras_text.py [FOLDER]``.
"""

import sys
from pathlib import Path

from onnx_tf.cli.console import import_tensorflow

import_tensorflow()  # without the lines that it writes to the screen

import keras  # noqa: E402
import numpy as np  # noqa: E402
import onnx  # noqa: E402
from loss_curve import draw  # noqa: E402

from onnx_tf import to_keras  # noqa: E402

target = Path(sys.argv[1] if len(sys.argv) > 1 else "build/keras_text")
target.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(0)
keras.utils.set_random_seed(0)

WORDS, WIDTH, LENGTH = 50, 16, 12
classifier = onnx.parser.parse_model(f"""
<ir_version: 10, opset_import: ["": 20]>
classifier (int64[batch, {LENGTH}] ids) => (float[batch, 2] logits) {{
    ratio = Constant<value_float=0.1>()
    scale = Constant<value_float=0.25>()
    words = Gather(word_table, ids)
    embedded = Add(words, place_table)
    query = MatMul(embedded, query_matrix)
    key = MatMul(embedded, key_matrix)
    value = MatMul(embedded, value_matrix)
    turned = Transpose<perm=[0, 2, 1]>(key)
    product = MatMul(query, turned)
    scores = Mul(product, scale)
    weights = Softmax(scores)
    mixed = MatMul(weights, value)
    some = Dropout(mixed, ratio)
    sum = Add(embedded, some)
    normal = LayerNormalization(sum, gamma, beta)
    hidden = MatMul(normal, hidden_matrix)
    active = Gelu(hidden)
    pooled = ReduceMean<keepdims=0>(active, axes)
    logits = Gemm(pooled, head, head_bias)
}}
""")
shapes = {"word_table": (WORDS, WIDTH), "place_table": (1, LENGTH, WIDTH), "head": (32, 2), "head_bias": (2,)}
shapes |= {f"{part}_matrix": (WIDTH, WIDTH) for part in ("query", "key", "value")}
shapes |= {"hidden_matrix": (WIDTH, 32), "gamma": (WIDTH,), "beta": (WIDTH,)}
for name, shape in shapes.items():
    array = np.ones(shape) if name == "gamma" else rng.normal(0, 0.3, shape)
    classifier.graph.initializer.append(onnx.numpy_helper.from_array(array.astype(np.float32), name))
classifier.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1]), "axes"))
onnx.save(classifier, target / "classifier.onnx")

model = to_keras(target / "classifier.onnx", training=True)  # the Dropout is back
print("layers:", *(layer.name for layer in model.layers))
model.compile(
    keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
)

# Sentences of one kind hold the word 7.
ids = rng.integers(8, WORDS, (256, LENGTH))
labels = rng.integers(0, 2, 256)
ids[labels == 1, rng.integers(0, LENGTH)] = 7
history = model.fit(ids, labels, batch_size=32, epochs=12, verbose=0).history
loss, accuracy = model.evaluate(ids, labels, verbose=0)
print(f"loss {history['loss'][0]:.3f} to {loss:.3f}, accuracy {accuracy:.2f}")
assert loss < 0.5 * history["loss"][0]
assert accuracy > 0.9
draw(history["loss"], target / "loss.svg")

model.save(target / "tuned.keras")
loaded = keras.saving.load_model(target / "tuned.keras")
expected = model(ids[:4], training=False).numpy()
np.testing.assert_allclose(loaded(ids[:4], training=False), expected, atol=1e-5)
loaded.export(target / "tuned.tflite", format="litert", verbose=False)
print("written:", *sorted(path.name for path in target.iterdir()))
