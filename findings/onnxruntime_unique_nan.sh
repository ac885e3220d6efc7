#!/bin/sh
# onnxruntime 1.32.0: Unique of floats with a NaN drops it: it counts as equal to a number that it is sorted beside.
# onnx's reference evaluator (and numpy) keeps it as a value of its own, the last. Seen:
#     Unique([3, 1, 2, nan]): onnxruntime [1. 2. 3.], reference evaluator [ 1.  2.  3. nan]
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

model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["": 17]>
g (float[4] x) => (float[n] y) { y = Unique (x) }""")
x = np.array([3, 1, 2, np.nan], np.float32)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
runtime = session.run(None, {"x": x})[0]
reference = ReferenceEvaluator(model).run(None, {"x": x})[0]
print(f"Unique([3, 1, 2, nan]): onnxruntime {runtime}, reference evaluator {reference}")
raise SystemExit(not (np.array_equal(runtime, [1, 2, 3]) and len(reference) == 4 and np.isnan(reference[3])))
PYTHON
