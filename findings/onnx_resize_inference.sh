#!/bin/sh
# onnx 1.23.2: shape inference of one Resize node (infer_node_outputs) takes sizes whose length is not known for sizes of
# length 0: it fails for data of any rank but 0, though nothing is wrong; with scales it says nothing. Seen:
#     ranks accepted with sizes of unknown length: [0], with scales: [0, 1, 2, 3, 4]
# Exits with 0 while this is so.
set -eu
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install -q onnx==1.23.2
"$venv/bin/python" - <<'PYTHON'
import onnx
from onnx import TensorProto, helper


def accepted(names: list[str], dtype: int) -> list[int]:
    node = helper.make_node("Resize", names, ["y"])
    ranks = []
    for rank in range(5):
        types = {
            "x": helper.make_tensor_type_proto(TensorProto.FLOAT, [None] * rank),
            names[-1]: helper.make_tensor_type_proto(dtype, [None]),
        }
        schema, opset = onnx.defs.get_schema("Resize", 13), helper.make_opsetid("", 13)
        try:
            onnx.shape_inference.infer_node_outputs(schema, node, types, {}, opset_imports=[opset])
        except onnx.shape_inference.InferenceError:
            continue
        ranks.append(rank)
    return ranks


sizes = accepted(["x", "", "", "sizes"], TensorProto.INT64)
scales = accepted(["x", "", "scales"], TensorProto.FLOAT)
print(f"ranks accepted with sizes of unknown length: {sizes}, with scales: {scales}")
raise SystemExit(not (sizes == [0] and scales == [0, 1, 2, 3, 4]))
PYTHON
