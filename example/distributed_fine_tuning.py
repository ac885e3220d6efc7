"""Fine-tune a SavedModel on two devices with ``tf.distribute.MirroredStrategy``, and on one for comparison.

Run it with ``python example/distributed_fine_tuning.py``. The devices are two halves of the CPU here; with GPUs leave
``devices`` out and the strategy takes all of them.
"""

import tempfile

import numpy as np
import onnx
import tensorflow as tf

from onnx_tf import prepare

STEPS, BATCH = 20, 64
CPUS = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], CPUS)

rng = np.random.default_rng(0)
model = onnx.parser.parse_model("""
<ir_version: 8, opset_import: ["": 17]>
classifier (float[batch, 8] features) => (float[batch, 3] logits) {
    hidden = Gemm(features, w1, b1)
    active = Relu(hidden)
    logits = MatMul(active, w2)
}
""")
for name, shape in {"w1": (8, 16), "b1": (16,), "w2": (16, 3)}.items():
    model.graph.initializer.append(onnx.numpy_helper.from_array(rng.normal(0, 0.3, shape).astype(np.float32), name))
folder = tempfile.mkdtemp()
prepare(model).export_graph(folder)

features = rng.normal(size=(STEPS * BATCH, 8)).astype(np.float32)
labels = features[:, :3].argmax(axis=1)
batches = tf.data.Dataset.from_tensor_slices((features, labels)).batch(BATCH)


def losses(strategy):
    """Return the loss of each step; the strategy has its own copies of the variables on each of its devices."""
    with strategy.scope():
        loaded = tf.saved_model.load(folder)
        optimizer = tf.keras.optimizers.SGD(0.1)
        optimizer.build(loaded.trainable_variables)

    def replica_step(x, y):
        with tf.GradientTape() as tape:
            logits = loaded.signatures["serving_default"](x)["logits"]
            each = tf.keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)
            loss = tf.reduce_sum(each) / BATCH
        variables = loaded.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    @tf.function
    def step(x, y):
        return strategy.reduce("SUM", strategy.run(replica_step, (x, y)), axis=None)

    return [float(step(x, y)) for x, y in strategy.experimental_distribute_dataset(batches)]


two = tf.distribute.MirroredStrategy(devices=["CPU:0", "CPU:1"])
mirrored, single = losses(two), losses(tf.distribute.OneDeviceStrategy("CPU:0"))
print(f"{two.num_replicas_in_sync} devices: loss {mirrored[0]:.4f} at first, {mirrored[-1]:.4f} after {STEPS} steps")
print(f"1 device:  loss {single[0]:.4f} at first, {single[-1]:.4f} after {STEPS} steps")
print(f"largest difference of a loss: {np.abs(np.subtract(mirrored, single)).max():.1e}")
np.testing.assert_allclose(mirrored, single, rtol=1e-4)
assert mirrored[-1] < mirrored[0]
