#!/bin/sh
# onnx 1.23.2: shape inference of Einsum takes the size of a letter from the first operand that has it, where numpy,
# PyTorch and ONNX Runtime broadcast a size of 1. For "ij,jk->ijk" of [2, 1] and [3, 4] it says [2, 1, 4]. Seen:
#     inferred [2, 1, 4], numpy (2, 3, 4), reference evaluator (2, 3, 4)
# Exits with 0 while this is so.
set -eu
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install -q onnx==1.23.2 numpy
"$venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["": 17]>
g (float[2, 1] x, float[3, 4] y) => (float[a, b, c] z) { z = Einsum <equation = "ij,jk->ijk"> (x, y) }""")
model.graph.output[0].type.tensor_type.ClearField("shape")
shape = onnx.shape_inference.infer_shapes(model, data_prop=True).graph.output[0].type.tensor_type.shape
inferred = [dim.dim_value for dim in shape.dim]
x, y = np.ones((2, 1), np.float32), np.ones((3, 4), np.float32)
of_numpy = np.einsum("ij,jk->ijk", x, y).shape
of_reference = ReferenceEvaluator(model).run(None, {"x": x, "y": y})[0].shape
print(f"inferred {inferred}, numpy {of_numpy}, reference evaluator {of_reference}")
raise SystemExit(not (inferred == [2, 1, 4] and of_numpy == of_reference == (2, 3, 4)))
PYTHON
