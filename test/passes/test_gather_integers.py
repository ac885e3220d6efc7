"""Bools are gathered as integers in SavedModels, which coremltools reads; numbers and names stay."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from onnx_tf import prepare
from onnx_tf.check.artifacts import Prepared
from onnx_tf.check.compare import compare
from test.models import text_model
from test.reference import ort_outputs

X = np.array([[True, False, True], [False, False, True]])
BODIES = {
    "Gather": ("int64[2] i", np.array([2, -3]), "y = Gather <axis = 1> (x, i)"),
    "GatherElements": ("int64[2, 2] i", np.array([[2, -3], [0, 1]]), "y = GatherElements <axis = 1> (x, i)"),
    "GatherND": ("int64[2, 2] i", np.array([[1, 2], [-2, 0]]), "y = GatherND (x, i)"),
    "in a body": (
        "int64[2] i",
        np.array([2, 0]),
        """c = ReduceMax <keepdims = 0> (i) d = Cast <to = 9> (c)
        y = If (d) <then_branch = t () => (bool[N, 2] a) { a = Gather <axis = 1> (x, i) },
                    else_branch = e () => (bool[N, 3] b) { b = Identity(x) }>""",
    ),
}


def operations(function: tf.Graph) -> list[tf.Operation]:
    definition = function.graph.as_graph_def()
    return [*definition.node, *(node for body in definition.library.function for node in body.node_def)]


@pytest.mark.parametrize("name", BODIES)
def test_numbers_stay_and_no_bools_are_gathered(name, tmp_path):
    indices, array, body = BODIES[name]
    dims = "A" if name == "GatherND" else "A, B"
    model = text_model(f"g (bool[N, 3] x, {indices}) => (bool[{dims}] y) {{ {body} }}")
    feed = {"x": X, "i": array}
    rep = prepare(model)
    assert compare(ort_outputs(model, feed), Prepared(rep).run(feed)).fits
    rep.export_graph(tmp_path)
    signature = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    np.testing.assert_array_equal(signature(x=X, i=array)["y"], ort_outputs(model, feed)["y"])
    gathers = [node for node in operations(rep.tf_module.concrete()) if node.op.startswith("Gather")]
    assert gathers
    assert not any(node.attr["Tparams"].type == tf.bool.as_datatype_enum for node in gathers)
    assert "y" in rep.intermediate_values(feed)
