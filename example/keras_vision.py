"""From an ONNX image classifier to a Keras model with a new head: its features stay, the head is trained.

Run it with ``python example/keras_vision.py [FOLDER]``.
"""

import sys
from pathlib import Path

from onnx_tf.cli.console import import_tensorflow

import_tensorflow()  # without the lines that it writes to the screen

import keras  # noqa: E402
import numpy as np  # noqa: E402
import onnx  # noqa: E402
from loss_curve import draw  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402

from onnx_tf import to_keras  # noqa: E402

target = Path(sys.argv[1] if len(sys.argv) > 1 else "build/keras_vision")
target.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(0)
keras.utils.set_random_seed(0)


def classifier():
    """Return a network of two blocks with batch normalization, as a file would have it."""
    nodes, weights, value, channels = [], {}, "image", 3
    for index, depth in enumerate((8, 16), start=1):
        name = f"block{index}"
        weights[f"{name}.weight"] = rng.normal(0, 0.4, (depth, channels, 3, 3))
        for part, own in {"scale": 1, "shift": 0, "mean": 0, "variance": 1}.items():
            weights[f"{name}.{part}"] = np.full(depth, own)
        conv = helper.make_node(
            "Conv", [value, f"{name}.weight"], [f"{name}.c"], f"{name}/conv", strides=[2, 2], pads=[1] * 4
        )
        inputs = [f"{name}.c", *(f"{name}.{part}" for part in ("scale", "shift", "mean", "variance"))]
        norm = helper.make_node("BatchNormalization", inputs, [f"{name}.n"], f"{name}/norm")
        relu = helper.make_node("Relu", [f"{name}.n"], [f"{name}.r"], f"{name}/relu")
        nodes, value, channels = [*nodes, conv, norm, relu], f"{name}.r", depth
    weights["head.weight"], weights["head.bias"] = rng.normal(0, 0.3, (channels, 10)), np.zeros(10)
    nodes += [
        helper.make_node("GlobalAveragePool", [value], ["pooled"], "pool"),
        helper.make_node("Flatten", ["pooled"], ["features"], "features"),
        helper.make_node("Gemm", ["features", "head.weight", "head.bias"], ["scores"], "head"),
    ]
    tensors = [onnx.numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 32, 32])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 10])
    graph = helper.make_graph(nodes, "classifier", [image], [scores], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


onnx.save(classifier(), target / "classifier.onnx")

# Images lie as Keras users have them, N, height, width, C; layers have the names of the ONNX nodes.
model = to_keras(target / "classifier.onnx", training=True, channels_last_inputs="all")
backbone = keras.Model(model.inputs, model.get_layer("features").output, name="backbone")
backbone.trainable = False
inputs = keras.Input((32, 32, 3), name="image")
scores = keras.layers.Dense(3, name="new_head")(backbone(inputs, training=False))
tuned = keras.Model(inputs, scores, name="three_classes")
tuned.compile(
    keras.optimizers.Adam(0.05), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
)

# Three classes: which of the colours is the brightest.
images = rng.normal(0, 0.5, (240, 32, 32, 3)).astype(np.float32)
labels = rng.integers(0, 3, 240)
images[np.arange(240), :, :, labels] += 1
frozen = [weight.numpy() for weight in backbone.weights]
history = tuned.fit(images, labels, batch_size=32, epochs=15, verbose=0).history
loss, accuracy = tuned.evaluate(images, labels, verbose=0)
print(f"loss {history['loss'][0]:.3f} to {loss:.3f}, accuracy {accuracy:.2f}")
assert loss < history["loss"][0]
assert accuracy > 0.9
assert all((weight.numpy() == old).all() for weight, old in zip(backbone.weights, frozen, strict=True))
draw(history["loss"], target / "loss.svg")

tuned.save(target / "tuned.keras")
tuned.export(target / "tuned.tflite", format="litert", verbose=False)
expected = tuned(images[:4], training=False).numpy()
loaded = keras.saving.load_model(target / "tuned.keras")
np.testing.assert_allclose(loaded(images[:4], training=False), expected, atol=1e-5)
print("written:", *sorted(path.name for path in target.iterdir()))
