"""Find the dtype and shape of every value, as far as the model's own inputs tell."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes.common import ShapeInferencePass

# onnx_ir cannot read back the map types that inference gives these operators' values.
_MAP_OPERATORS = frozenset({"CastMap", "DictVectorizer", "ZipMap"})


def infer_shapes(model: ir.Model) -> bool:
    """Set dtypes and shapes of intermediate values; return whether any changed.

    What the file states of intermediate values is dropped first where a standard operator
    computes them: exporters write stale shapes there.
    """
    if any(node.op_type in _MAP_OPERATORS for node in model.graph.all_nodes()):
        return False
    for node in model.graph.all_nodes():
        if node.domain == "":
            for output in node.outputs:
                if not output.is_graph_output():
                    output.shape = None
    return ShapeInferencePass(check_type=False, strict_mode=False, data_prop=True)(model).modified
