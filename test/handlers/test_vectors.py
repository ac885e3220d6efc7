"""A scalar where a vector is meant: taken where ONNX Runtime takes it, else refused with the input's name and rank."""

from __future__ import annotations

import re

import numpy as np
import onnx
import pytest

from onnx_tf import OnnxTfError, onnx_op, prepare
from onnx_tf.handlers.reduction import REDUCTIONS
from onnx_tf.passes.make_vectors import SCALARS_TAKEN, VECTORS
from onnx_tf.registry import registry
from test.handlers.check import check_op, compare, make_op_model
from test.reference import ort_outputs

X = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
ROW = np.ones(4, np.float32)
COLUMN = np.ones((1, 4, 1), np.float32)


def number(value, dtype=np.int64):
    return np.array(value, dtype)


def numbers(*values):
    return np.array(values, np.int64)


ONE = numbers(1)
CASES = [  # the operator, its inputs, the scalar's name and position, attributes, opset
    ("AffineGrid", [np.ones((1, 2, 3), np.float32), number(4)], ("size", 1), {}, 20),
    ("CenterCropPad", [X, number(2)], ("shape", 1), {"axes": [2]}, 18),
    ("Col2Im", [COLUMN, number(4), numbers(2, 2)], ("image_shape", 1), {}, 18),
    ("Col2Im", [COLUMN, numbers(2, 2), number(2)], ("block_shape", 2), {}, 18),
    ("Compress", [X, number(True, bool)], ("condition", 1), {"axis": 0}, 11),
    ("Compress", [X, number(True, bool)], ("condition", 1), {}, 11),
    ("ConstantOfShape", [number(3)], ("input", 0), {}, 13),
    ("DynamicSlice", [X, number(0), ONE], ("starts", 1), {}, 7),
    ("Expand", [X, number(4)], ("shape", 1), {}, 13),
    ("Expand", [number(2, np.float32), number(4)], ("shape", 1), {}, 13),
    (
        "MaxUnpool",
        [X[:, :1, :1, :1], np.zeros((1, 1, 1, 1), np.int64), number(4)],
        ("output_shape", 2),
        {"kernel_shape": [2, 2]},
        11,
    ),
    ("RoiAlign", [X, np.float32([[0, 0, 1, 1]]), number(0)], ("batch_indices", 2), {}, 16),
    ("TensorScatter", [X, X[:, :, :1], number(0)], ("write_indices", 2), {}, 24),
    ("Pad", [ROW[:1], number(2)], ("pads", 1), {}, 18),
    ("Pad", [ROW[:1], number(2)], ("pads", 1), {}, 13),
    ("Pad", [X, numbers(1, 1), None, number(1)], ("axes", 3), {}, 18),
    *[(op_type, [X, number(1)], ("axes", 1), {}, 18) for op_type in REDUCTIONS],
    ("ReduceSum", [X, number(1)], ("axes", 1), {}, 13),
    ("Reshape", [X, number(24)], ("shape", 1), {}, 13),
    ("Reshape", [X, number(-1)], ("shape", 1), {}, 14),
    ("Resize", [X, None, number(2, np.float32)], ("scales", 2), {"axes": [2]}, 19),
    ("Resize", [X, None, None, number(6)], ("sizes", 3), {"axes": [2]}, 19),
    ("ReverseSequence", [COLUMN[0], number(2)], ("sequence_lens", 1), {}, 10),
    ("Slice", [X, number(0), ONE, ONE, ONE], ("starts", 1), {}, 13),
    ("Slice", [X, numbers(0), number(1), ONE, ONE], ("ends", 2), {}, 13),
    ("Slice", [X, numbers(0), ONE, number(1), ONE], ("axes", 3), {}, 13),
    ("Slice", [X, numbers(0), ONE, ONE, number(1)], ("steps", 4), {}, 13),
    ("Split", [X, number(3)], ("split", 1), {"axis": 2}, 13),
    ("Split", [X, number(3)], ("split", 1), {"axis": 2}, 18),
    ("Squeeze", [X, number(0)], ("axes", 1), {}, 13),
    ("Tile", [ROW, number(2)], ("repeats", 1), {}, 13),
    ("TopK", [ROW, number(2)], ("K", 1), {}, 10),
    ("TopK", [ROW, number(2)], ("K", 1), {}, 11),
    ("Unsqueeze", [X, number(0)], ("axes", 1), {}, 13),
    ("Unsqueeze", [number(3, np.float32), number(-1)], ("axes", 1), {}, 13),
    ("Upsample", [ROW, number(2, np.float32)], ("scales", 1), {}, 9),
]


def _outputs_of_runtime(inputs, make):
    """Return ONNX Runtime's outputs, whether the scalar is constant or not; ``None`` if it refuses both."""
    for constants in [range(len(inputs))[1:], ()]:
        try:
            model = make(constants=tuple(constants))
            return list(ort_outputs(model, {f"x{i}": x for i, x in _given(inputs, constants)}).values())
        except OnnxTfError:
            continue
    return None


def _given(inputs, constants):
    return [(i, x) for i, x in enumerate(inputs) if x is not None and i not in constants]


@pytest.mark.parametrize(("op_type", "inputs", "scalar", "attributes", "opset"), CASES)
def test_scalars(op_type, inputs, scalar, attributes, opset):
    name, position = scalar
    settings = {"opset": opset, "outputs": 2 if op_type == "TopK" else 1}
    expected = _outputs_of_runtime(
        inputs, lambda **more: make_op_model(op_type, inputs, attributes, **settings, **more)
    )
    for constants in [(), (position,)]:
        if expected is not None:
            check_op(op_type, inputs, attributes, constants=constants, reference=expected, **settings)
            continue
        model = make_op_model(op_type, inputs, attributes, constants=constants, **settings)
        model.graph.node[0].name = "the_node"
        with pytest.raises(OnnxTfError) as caught:
            prepare(model).run([x for _, x in _given(inputs, constants)])
        said = str(caught.value)
        assert "'the_node" in said
        assert f"input '{name}' must be a vector (rank 1), but it is a scalar (rank 0)" in said


def test_every_operator_with_vectors_is_among_them():
    shown = {op for op, *_ in CASES}
    assert VECTORS.keys() <= shown
    assert shown > SCALARS_TAKEN


def test_other_ranks_are_refused_too():
    with pytest.raises(OnnxTfError, match=r"input 'axes' must be a vector \(rank 1\), but it is of rank 2"):
        prepare(make_op_model("Squeeze", [X, np.int64([[0]])], opset=13))


@pytest.mark.parametrize(
    ("op_type", "inputs", "said"),
    [
        ("Resize", [X, None, np.float32([2])], "input 'scales' must have 4 elements, one for each axis, but it has 1"),
        ("Resize", [X, None, None, number(4)], "input 'sizes' must have 4 elements, one for each axis, but it has 1"),
        ("CenterCropPad", [X, numbers(2, 2)], "input 'shape' must have 4 elements, one for each axis, but it has 2"),
        ("GatherND", [X, number(0)], "input 'indices' must have rank 1 or more, but it is a scalar (rank 0)"),
        ("ScatterND", [X, number(0), X[0]], "input 'indices' must have rank 1 or more, but it is a scalar (rank 0)"),
    ],
)
@pytest.mark.parametrize("constant", [True, False])
def test_too_few_numbers_are_refused_by_name(op_type, inputs, said, constant):
    model = make_op_model(op_type, inputs, constants=[len(inputs) - 1] if constant else (), opset=21)
    with pytest.raises(OnnxTfError, match=re.escape(said)):
        prepare(model)


@pytest.fixture
def of_unknown_rank():
    """An operator whose result inference does not know."""

    @onnx_op("Unknown", domain="acme")
    def unknown(x):
        return x

    yield
    registry.unregister("Unknown", since=1, domain="acme")


@pytest.mark.usefixtures("of_unknown_rank")
@pytest.mark.parametrize("op_type", ["Unsqueeze", "Expand", "Squeeze", "ReduceSum", "Slice", "Tile", "Reshape"])
def test_scalars_that_only_the_handler_sees(op_type):
    more = ", one" if op_type == "Slice" else ""
    model = onnx.parser.parse_model(f"""<ir_version: 8, opset_import: ["": 17, "acme": 1]>
    agraph (float[1, 2] x, int64 n, int64[1] one) => (y) {{
        m = acme.Unknown (n)
        y = {op_type} (x, m{more})
    }}""")
    feed = [np.float32([[1, 2]]), number(1), ONE]
    if op_type in SCALARS_TAKEN:
        assert prepare(model).run(feed)[0].size == 2
        return
    with pytest.raises(OnnxTfError, match=r"input '\w+' must be a vector \(rank 1\), but it is a scalar \(rank 0\)"):
        prepare(model).run(feed)


@pytest.mark.parametrize("line", ["Unsqueeze (a, one)", "Expand (a, four)"])
def test_scalars_between_convolutions(line):
    """In a graph whose memory orders are chosen."""
    text = f"""<ir_version: 8, opset_import: ["": 17]>
    agraph (float[1, 3, 4, 4] x, float[3, 3, 1, 1] w) => (float[n, c, h, v] y)
    <int64 one = {{1}}, int64 four = {{4}}> {{
        a = Conv (x, w)
        b = {line}
        shape = Constant <value_ints = [1, 3, 4, 4]> ()
        c = Reshape (b, shape)
        y = Conv (c, w)
    }}"""
    model = onnx.parser.parse_model(text)
    rng = np.random.default_rng(0)
    feed = {
        "x": rng.normal(size=(1, 3, 4, 4)).astype(np.float32),
        "w": rng.normal(size=(3, 3, 1, 1)).astype(np.float32),
    }
    compare(list(ort_outputs(model, feed).values()), [prepare(model).run(feed)["y"]], rtol=1e-4, atol=1e-4)
