"""Ranks that inference finds for values of which only the operators around them tell it."""

from __future__ import annotations

import pytest

from onnx_tf.model.loading import load_model
from onnx_tf.passes.infer_shapes import infer_shapes
from test.models import text_model

GRAPH = """g (float[a, b, 6] x, bool c, float[4, 3, 2, 2] w, float[2, 5] m) => (float[] y) {{
    axes = Constant <value_ints = [0]> ()
    z = If (c) <then_branch = t () => (float[] s) {{ s = Squeeze (x) }},
                else_branch = e () => (float[] i) {{ i = Unsqueeze (x, axes) }}>
    {body}
}}"""


def ranks(body: str) -> dict[str, int | None]:
    values = load_model(text_model(GRAPH.format(body=body)))
    infer_shapes(values)
    return {str(v.name): None if v.shape is None else v.shape.rank() for n in values.graph for v in n.outputs}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("y = Transpose <perm = [1, 0, 2, 3]> (z)", {"z": 4, "y": 4}),
        ("r = Relu (z) n = Neg (r) y = Conv (n, w)", {"z": 4, "r": 4, "n": 4, "y": 4}),  # backwards through others
        ("y = Concat <axis = 0> (m, z)", {"z": 2, "y": 2}),
        ("y = Gemm (z, m)", {"z": 2, "y": 2}),
        ("f = Flatten (z) y = Relu (f)", {"z": None, "f": 2, "y": 2}),  # of whatever rank
        ("y = Softmax (z)", {"z": None, "y": None}),
        # Sizes of a length that is not known say nothing.
        ("r = Relu (z) s = Shape (r) y = Resize (r, , , s)", {"r": None, "y": None}),
        # What takes the value on one path alone says nothing of it.
        (
            """y = If (c) <then_branch = t2 () => (float[] p) { p = Gemm (z, m) },
                           else_branch = e2 () => (float[] q) { q = Relu (z) }>""",
            {"z": None, "y": None},
        ),
    ],
)
def test_ranks_that_operators_leave_no_choice_of(body, expected):
    found = ranks(body)
    assert {name: found[name] for name in expected} == expected


def test_inputs_keep_what_they_state():
    model = load_model(text_model("g (float[] x, float[4, 3, 2, 2] w) => (float[] y) { y = Conv (x, w) }"))
    infer_shapes(model)
    assert model.graph.inputs[0].shape is None
