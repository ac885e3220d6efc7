#!/bin/sh
# onnx 1.23.2: the reference evaluator of LRN squares the first channels only, as many as the batch has images, so
# results depend on the batch; of one channel and two images it raises. ONNX Runtime follows the formula. Seen:
#     2 images of 3 channels: reference off by 5.8e+00, onnxruntime by 1.5e-08
#     2 images of 1 channel: IndexError
# Exits with 0 while this is so.
set -eu
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install -q onnx==1.23.2 onnxruntime==1.32.0 numpy
"$venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator


def model(channels: int) -> onnx.ModelProto:
    return onnx.parser.parse_model(f"""<ir_version: 8, opset_import: ["": 13]>
    g (float[2, {channels}, 1, 1] x) => (float[2, {channels}, 1, 1] y) {{
        y = LRN <size = 1, alpha = 1.0, beta = 1.0, bias = 1.0> (x) }}""")


x = np.arange(1, 7, dtype=np.float32).reshape(2, 3, 1, 1)
formula = x / (1 + x**2)
reference = ReferenceEvaluator(model(3)).run(None, {"x": x})[0]
session = onnxruntime.InferenceSession(model(3).SerializeToString(), providers=["CPUExecutionProvider"])
runtime = session.run(None, {"x": x})[0]
errors = abs(reference - formula).max(), abs(runtime - formula).max()
print(f"2 images of 3 channels: reference off by {errors[0]:.1e}, onnxruntime by {errors[1]:.1e}")
try:
    ReferenceEvaluator(model(1)).run(None, {"x": x[:, :1]})
    raised = "nothing"
except IndexError:
    raised = "IndexError"
print(f"2 images of 1 channel: {raised}")
raise SystemExit(not (errors[0] > 1 and errors[1] < 1e-6 and raised == "IndexError"))
PYTHON
