"""Fine-tune a converted model and write it back as a SavedModel.

Run it with ``python example/fine_tune.py``.
"""

import tempfile

import numpy as np
import onnx
import tensorflow as tf

from onnx_tf import prepare

rng = np.random.default_rng(0)
model = onnx.parser.parse_model("""
<ir_version: 8, opset_import: ["": 17]>
classifier (float[batch, 8] features, float[8, 16] w1, float[16] b1, float[16, 3] w2, float ratio)
    => (float[batch, 3] logits) {
    hidden = Gemm(features, w1, b1)
    active = Relu(hidden)
    some = Dropout(active, ratio)
    logits = MatMul(some, w2)
}
""")
for name, shape in {"w1": (8, 16), "b1": (16,), "w2": (16, 3)}.items():
    model.graph.initializer.append(onnx.numpy_helper.from_array(rng.normal(0, 0.3, shape).astype(np.float32), name))
model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(0.1, np.float32), "ratio"))
del model.graph.input[1:]

rep = prepare(model, training=True)  # rep.tf_module drops, rep.run and the SavedModel do not
print("variables:", {name: tuple(variable.shape) for name, variable in rep.tf_module.weights.items()})

features = rng.normal(size=(256, 8)).astype(np.float32)
labels = features[:, :3].argmax(axis=1)
variables = list(rep.tf_module.trainable_variables)
optimizer = tf.keras.optimizers.Adam(0.01)
cross_entropy = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@tf.function
def step():
    with tf.GradientTape() as tape:
        loss = cross_entropy(labels, rep.tf_module(features)["logits"])
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
    return loss


def accuracy():
    return float((rep.run(features).argmax(axis=1) == labels).mean())


before = accuracy()
for _ in range(100):
    loss = step()
print(f"accuracy {before:.2f} before, {accuracy():.2f} after, loss {loss:.3f}")
assert accuracy() > max(before, 0.9)

folder = tempfile.mkdtemp()
rep.export_graph(folder)
served = tf.saved_model.load(folder).signatures["serving_default"](tf.constant(features))["logits"]
np.testing.assert_allclose(served, rep.run(features), rtol=1e-4, atol=1e-5)
