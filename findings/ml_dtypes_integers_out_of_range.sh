#!/bin/sh
# onnx 1.23.2 with ml_dtypes 0.6.0 and with ml_dtypes 0.7.0.
#
# ONNX leaves undefined what Cast makes of floats that an integer dtype does not hold. Its official cases have such
# floats, and the expected values are computed by the ml_dtypes that is installed: up to 0.6 the lowest bits of the
# integer, from 0.7 on zero. A backend that passes test_cast_FLOAT_to_INT4 with one of them fails with the other. Seen:
#     0.6.0: -9 as int4 is 7, test_cast_FLOAT_to_INT4 expects 7
#     0.7.0: -9 as int4 is 0, test_cast_FLOAT_to_INT4 expects 0
# Exits with 0 while this is so.
set -eu
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
cd "$venv"
seen() {
    "$venv/bin/pip" install -q onnx==1.23.2 numpy==2.4.6 "ml_dtypes==$1"
    "$venv/bin/python" -W ignore - <<'PYTHON'
import ml_dtypes
import numpy as np
import onnx
from onnx.backend.test.loader import load_model_tests

case = next(case for case in load_model_tests(kind="node") if case.name == "test_cast_FLOAT_to_INT4")
if case.data_sets is not None:
    (inputs, outputs), = case.data_sets
else:
    with open(f"{case.model_dir}/test_data_set_0/output_0.pb", "rb") as file:
        outputs = [onnx.TensorProto.FromString(file.read())]
expected = outputs[0] if isinstance(outputs[0], np.ndarray) else onnx.numpy_helper.to_array(outputs[0])
made = np.float32(-9).astype(ml_dtypes.int4)
print(f"{ml_dtypes.__version__}: -9 as int4 is {made}, {case.name} expects {expected.reshape(-1)[0]}")
PYTHON
}
old=$(seen 0.6.0)
new=$(seen 0.7.0)
echo "$old"
echo "$new"
[ "$old" = "0.6.0: -9 as int4 is 7, test_cast_FLOAT_to_INT4 expects 7" ]
[ "$new" = "0.7.0: -9 as int4 is 0, test_cast_FLOAT_to_INT4 expects 0" ]
