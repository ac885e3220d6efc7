"""Convert a model with an operator that ONNX does not have.

Run it with ``python example/custom_op.py``.
"""

import numpy as np
import onnx
import tensorflow as tf

from onnx_tf import UnsupportedError, onnx_op, prepare

model = onnx.parser.parse_model("""
<ir_version: 8, opset_import: ["": 17, "acme": 1]>
network (float[batch, 4] x) => (float[batch, 4] y) {
    h = acme.Swish <beta = 2.0> (x)
    y = Softmax(h)
}
""")

try:
    prepare(model)
except UnsupportedError as error:
    print(error)


@onnx_op("Swish", domain="acme")
def swish(x, *, beta=1.0):
    return x * tf.sigmoid(beta * x)


x = np.array([[-1, 0, 1, 2]], np.float32)
y = prepare(model).run(x)
h = x / (1 + np.exp(-2 * x))
np.testing.assert_allclose(y, np.exp(h) / np.exp(h).sum(), rtol=1e-5)
print("with the handler:", y[0])
