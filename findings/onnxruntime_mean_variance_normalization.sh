#!/bin/sh
# onnxruntime 1.32.0: MeanVarianceNormalization (opset 13) of data that does not vary is NaN; the operator's own
# function body in the standard divides by the deviation plus 1e-9 and gives 0, as the reference evaluator does. Seen:
#     onnxruntime nan, reference evaluator 0.0
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

model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["": 13]>
g (float[1, 2, 2, 2] x) => (float[1, 2, 2, 2] y) { y = MeanVarianceNormalization (x) }""")
x = np.full((1, 2, 2, 2), 3, np.float32)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
runtime = session.run(None, {"x": x})[0]
reference = ReferenceEvaluator(model).run(None, {"x": x})[0]
print(f"onnxruntime {runtime[0, 0, 0, 0]}, reference evaluator {reference[0, 0, 0, 0]}")
raise SystemExit(not (np.isnan(runtime).all() and (reference == 0).all()))
PYTHON
