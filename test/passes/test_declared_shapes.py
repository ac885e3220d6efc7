"""What a file declares of computed values changes no number: what is computed counts."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import onnx
import pytest

from onnx_tf import prepare
from test.handlers.check import compare, run_reference
from test.layout.running import simplified
from test.models import text_model

rng = np.random.default_rng(0)
X = rng.normal(size=(1, 1, 6, 10)).astype(np.float32)
GRAPHS = {
    "pool": "p = AveragePool <kernel_shape = [2, 2], strides = [2, 2]> (x) y = Neg (p)",
    "resize": """sizes = Constant <value_ints = [1, 1, 3, 5]> () r = Resize <mode = "nearest"> (x, , , sizes)
        y = Identity (r)""",
    "conv": """c = Conv (x, w) r = Relu (c) p = MaxPool <kernel_shape = [2, 2]> (r)
        y = Transpose <perm = [0, 2, 3, 1]> (p)""",
    "shapes": """p = AveragePool <kernel_shape = [2, 2], strides = [2, 2]> (x) s = Shape (p) r = Reshape (p, s)
        y = Concat <axis = 1> (r, p)""",
    "branches": """t = ReduceMax <keepdims = 0> (x) c = Cast <to = 9> (t)
        b = If (c) <then_branch = t () => (float[1, 1, 6, 10] p) { p = Neg (x) },
                    else_branch = e () => (float[1, 1, 6, 10] q) { q = Relu (x) }>
        y = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (b)""",
    "loop": """n = Constant <value = int64 {2}> ()
        y = Loop (n, , x) <body = l (int64 i, bool c, float[1, 1, 6, 10] a) => (bool d, float[1, 1, 6, 10] b) {
            d = Identity (c) p = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (a) b = Neg (p) }>""",
    "growing loop": """n = Constant <value = int64 {2}> ()
        y = Loop (n, , x) <body = l (int64 i, bool c, float[1, C, 6, 10] a) => (bool d, float[1, E, 6, 10] b) {
            d = Identity (c) s = Shape (a) o = ConstantOfShape (s) b = Concat <axis = 1> (a, o) }>""",
    "product": "f = Flatten (x) y = MatMul (f, m)",
}
CONSTANTS = {
    "w": rng.normal(size=(3, 1, 3, 3)).astype(np.float32),
    "m": rng.normal(size=(60, 4)).astype(np.float32),
}


def model_of(name: str, open_dims: bool) -> onnx.ModelProto:
    """Return a model in which every value's shape is declared, as inference finds it."""
    shape = "N, 1, H, W" if open_dims else "1, 1, 6, 10"
    model = text_model(f"g (float[{shape}] x) => (float[] y) {{ {GRAPHS[name]} }}", opset=18)
    used = {name for node in model.graph.node for name in node.input}
    model.graph.initializer.extend(onnx.numpy_helper.from_array(v, k) for k, v in CONSTANTS.items() if k in used)
    return onnx.shape_inference.infer_shapes(model, data_prop=True)


def declarations(graph: onnx.GraphProto) -> Iterator[onnx.ValueInfoProto]:
    yield from graph.output
    yield from graph.value_info
    for node in graph.node:
        for attribute in node.attribute:
            yield from attribute.g.input[2:]  # of a Loop, what it carries
            yield from declarations(attribute.g)


def declare(value: onnx.ValueInfoProto, dims: list[int]) -> None:
    kind = value.type.tensor_type
    kind.ClearField("shape")
    kind.shape.SetInParent()
    for dim in dims:
        kind.shape.dim.add(dim_value=dim)


def dims_of(value: onnx.ValueInfoProto) -> list[int]:
    return [dim.dim_value or 2 for dim in value.type.tensor_type.shape.dim]


CHANGES = {
    "other numbers": lambda dims: [dim + 2 for dim in dims],
    "permuted": lambda dims: dims[::-1],
    "ones": lambda dims: [1] * len(dims),
    "another rank": lambda dims: [*dims, 1],
    "no rank": lambda _: [],
}


@pytest.mark.parametrize("open_dims", [False, True], ids=["static", "open"])
@pytest.mark.parametrize("name", GRAPHS)
def test_declared_shapes_change_no_result(name, open_dims):
    right = model_of(name, open_dims)
    expected = run_reference(right, {"x": X}, "ort")
    for change in CHANGES.values():
        wrong = onnx.ModelProto.FromString(right.SerializeToString())
        for value in declarations(wrong.graph):
            if value.type.tensor_type.HasField("shape"):
                declare(value, change(dims_of(value)))
        for layout in ("auto", "keep"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                rep = prepare(wrong, layout=layout)
            compare(expected, list(rep.run({"x": X})), rtol=1e-5, atol=1e-6, label=layout)


def test_one_warning_names_the_values():
    model = text_model("g (float[2, 3] x) => (float[2, 4] y, float[3] z) { y = Neg (x) z = Relu (y) }")
    with pytest.warns(
        UserWarning, match=r"shape \[2, 4\] for 'y', its nodes compute \[2, 3\].*likewise for 'z'"
    ) as found:
        simplified(model)
    assert len(found) == 1


def test_a_declared_shape_that_fits_is_no_contradiction():
    model = simplified(
        text_model("g (float[N, 3] x) => (float[batch, 3] y, float[4, 3] z) { y = Neg (x) z = Relu (y) }")
    )
    assert [list(output.shape) for output in model.graph.outputs] == [["N", 3], ["N", 3]]


def test_where_inference_knows_nothing_the_declaration_counts():
    model = text_model("g (float[a, b] x, int64[n] s) => (float[1, 2, 3, 4] y) { y = Reshape (x, s) }")
    assert list(simplified(model).graph.outputs[0].shape) == [1, 2, 3, 4]
