"""From an ONNX forecaster, an LSTM, to a Keras model that is trained further on other series.

Run it with ``python example/keras_recurrent.py [FOLDER]``.
"""

import sys
from pathlib import Path

from onnx_tf.cli.console import import_tensorflow

import_tensorflow()  # without the lines that it writes to the screen

import keras  # noqa: E402
import numpy as np  # noqa: E402
import onnx  # noqa: E402
from loss_curve import draw  # noqa: E402

from onnx_tf import convert, to_keras  # noqa: E402

target = Path(sys.argv[1] if len(sys.argv) > 1 else "build/keras_recurrent")
target.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(0)
keras.utils.set_random_seed(0)

forecaster = onnx.parser.parse_model("""
<ir_version: 8, opset_import: ["": 17]>
forecaster (float[batch, 24, 1] series) => (float[batch, 1] forecast) {
    zero = Constant<value_int=0>()
    by_time = Transpose<perm=[1, 0, 2]>(series)
    steps, last, cell = LSTM<hidden_size=16>(by_time, w, r, b)
    state = Gather<axis=0>(last, zero)
    forecast = Gemm(state, w_out, b_out)
}
""")
for name, shape in {"w": (1, 64, 1), "r": (1, 64, 16), "b": (1, 128), "w_out": (16, 1), "b_out": (1,)}.items():
    array = rng.normal(0, 0.2, shape).astype(np.float32)
    forecaster.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
onnx.save(forecaster, target / "forecaster.onnx")

done = convert(target / "forecaster.onnx", target / "forecaster.keras")  # compared with ONNX Runtime
print(done.accuracy)
model = to_keras(target / "forecaster.onnx", training=True)
model.summary()

# Sines of several periods, and what comes next.
phases, periods = rng.uniform(0, 6, (256, 1)), rng.uniform(6, 12, (256, 1))
waves = np.sin(phases + 2 * np.pi * np.arange(25) / periods).astype(np.float32)
series, following = waves[:, :24, None], waves[:, 24:]
model.compile(keras.optimizers.Adam(0.02), "mse")
history = model.fit(series, following, batch_size=64, epochs=15, verbose=0).history
print(f"loss {history['loss'][0]:.3f} to {history['loss'][-1]:.3f}")
assert history["loss"][-1] < 0.5 * history["loss"][0]
draw(history["loss"], target / "loss.svg")

model.save(target / "tuned.keras")
expected = model(series[:1], training=False).numpy()
loaded = keras.saving.load_model(target / "tuned.keras")
np.testing.assert_allclose(loaded(series[:1], training=False), expected, atol=1e-5)
loaded.export(target / "tuned.tflite", format="litert", verbose=False)
print("written:", *sorted(path.name for path in target.iterdir()))
