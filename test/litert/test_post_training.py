"""Files quantised by data: kinds, interfaces, steps, what stays in floats, and how far they are from ONNX Runtime."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from tensorflow.lite.python import schema_py_generated as schema

from onnx_tf import ConversionError, OptionError, UnsupportedError, convert
from onnx_tf.check import litert
from onnx_tf.export.file_graph import FileGraph
from onnx_tf.export.post_training import files, process
from onnx_tf.export.post_training.calibrating import calibrated, quantized
from onnx_tf.export.post_training.floats import computing_floats
from onnx_tf.export.post_training.kinds import KINDS
from test.litert.served import ServedLiteRT
from test.litert.test_quantized_files import network as quantized_network
from test.models import node_model, text_model


def quantise_here(_what, _code, folder, **_):
    process.main(Path(folder))


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    """Let the quantiser run in this process, and the interpreter in one for all files: they start once."""
    monkeypatch.setattr(files, "call_telling", quantise_here)
    monkeypatch.setattr(litert.LiteRT, "_call", ServedLiteRT._call)


def numbers(*shape, low=0.0, high=1.0, seed=0):
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


def network() -> onnx.ModelProto:
    """A convolution, a pool and a product, with an open batch."""
    weights = {"filter": numbers(4, 3, 3, 3, low=-1), "bias": numbers(4), "matrix": numbers(4, 5, low=-1)}
    weights["filter"] *= np.array([0.1, 1, 10, 3], np.float32).reshape(4, 1, 1, 1)
    nodes = [
        helper.make_node("Conv", ["x", "filter", "bias"], ["c"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], "pool"),
        helper.make_node("Flatten", ["p"], ["f"], "flatten"),
        helper.make_node("MatMul", ["f", "matrix"], ["y"], "head"),
    ]
    return node_model(nodes, {"x": ["N", 3, 8, 8]}, ["y"], weights)


X = numbers(10, 3, 8, 8, low=-1)


def opened(path) -> FileGraph:
    model = schema.ModelT.InitFromPackedBuf(Path(path).read_bytes(), 0)
    return FileGraph(model, model.subgraphs[0])


def ends(path) -> list[str]:
    """The dtypes of a file's inputs and outputs."""
    file = opened(path)
    return [str(file.dtype(int(index))) for index in (*file.graph.inputs, *file.graph.outputs)]


def written(model, folder, kind, data, **options):
    (made,) = convert(model, folder / "model.tflite", tflite=[kind], data=data, **options).artifacts
    return made


@pytest.fixture(scope="module", name="all_kinds")
def _all_kinds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(files, "call_telling", quantise_here)
        monkeypatch.setattr(litert.LiteRT, "_call", ServedLiteRT._call)
        done = convert(network(), folder / "net", formats=["tflite"], tflite=["float32", *KINDS], data={"x": X})
    return {written.path.name: written for written in done.artifacts}


def test_files_have_the_names_of_their_kinds(all_kinds):
    assert list(all_kinds) == [f"net_{kind}.tflite" for kind in ("float32", *KINDS)]


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("dynamic_range_quant", "float32"),
        ("integer_quant", "float32"),
        ("full_integer_quant", "int8"),
        ("integer_quant_with_int16_act", "float32"),
        ("full_integer_quant_with_int16_act", "int16"),
    ],
)
def test_each_kind_is_near_onnx_runtime(kind, dtype, all_kinds):
    made = all_kinds[f"net_{kind}.tflite"]
    assert ends(made.path) == [dtype, dtype]
    assert made.verdict.samples == ((8, 2) if kind else None)
    assert made.verdict.is_good
    assert [output.name for output in made.verdict.fresh] == ["y"]
    least = 60 if kind == "dynamic_range_quant" else 30  # of 1,024 weights or fewer dynamic ranges stay in floats
    assert made.verdict.fresh[0].noise_ratio > least
    assert made.floats == ()


def test_names_and_the_open_batch_are_kept(all_kinds):
    for kind in KINDS:
        file = opened(all_kinds[f"net_{kind}.tflite"].path)
        (given,), (result,) = file.graph.inputs, file.graph.outputs
        assert (file.tensor(given).name, file.tensor(result).name) == (b"x", b"y")
        assert list(file.tensor(given).shapeSignature) == [-1, 3, 8, 8]
        assert list(file.tensor(result).shapeSignature) == [-1, 5]


def test_two_conversions_are_equal_byte_by_byte(all_kinds, tmp_path):
    kinds = ["integer_quant", "full_integer_quant_with_int16_act", "dynamic_range_quant"]
    done = convert(network(), tmp_path / "net", formats=["tflite"], tflite=kinds, data=({"x": row} for row in X))
    for made in done.artifacts:
        assert made.path.read_bytes() == all_kinds[made.path.name].path.read_bytes()


def test_weights_per_channel_or_per_tensor(all_kinds, tmp_path):
    sizes = []
    per_tensor = written(network(), tmp_path, "integer_quant", {"x": X}, quantize_weights="per-tensor", check=False)
    for path in (all_kinds["net_integer_quant.tflite"].path, per_tensor.path):
        file = opened(path)
        (conv,) = file.of_kind("CONV_2D")
        sizes.append(file.steps(int(conv.inputs[1])).scale.size)
    assert sizes == [4, 1]


def test_a_softmax_of_many_classes_has_floats_beside_16_bits(tmp_path):
    nodes = [
        helper.make_node("MatMul", ["x", "matrix"], ["s"], "scores"),
        helper.make_node("Softmax", ["s"], ["y"], "softmax"),
    ]
    matrix = numbers(8, 3000, low=-4, high=4)
    model = node_model(nodes, {"x": [1, 8]}, ["y"], {"matrix": matrix})
    data = {"x": matrix.T[:10, None]}  # each scores one class far above the others
    made = written(model, tmp_path, "integer_quant_with_int16_act", data)
    assert [operator.node for operator in made.floats] == ["softmax"]
    assert made.verdict.fresh[0].noise_ratio > 30
    whole = written(model, tmp_path, "full_integer_quant_with_int16_act", data)
    assert [operator.node for operator in whole.quantized.coarse] == ["softmax"]
    assert whole.verdict.fresh[0].noise_ratio < 25


@pytest.mark.parametrize(("taken", "given"), [("uint8", "uint8"), ("uint8", "float32"), ("float32", "int8")])
def test_interfaces(taken, given, tmp_path):
    sides = {"quantized_inputs": taken, "quantized_outputs": given}
    made = written(network(), tmp_path, "full_integer_quant", {"x": X}, **sides)
    assert ends(made.path) == [taken, given]
    assert made.verdict.fresh[0].noise_ratio > 30


def test_two_inputs_have_steps_of_their_own(tmp_path):
    model = text_model("g (float[N, 8] a, float[N, 8] b) => (float[N, 8] y) { y = Add(a, b) }")
    data = {"a": numbers(6, 8, low=-1), "b": numbers(6, 8, low=0, high=100)}
    made = written(
        model, tmp_path, "full_integer_quant", lambda: ({n: v[i] for n, v in data.items()} for i in range(6))
    )
    file = opened(made.path)
    found = {file.tensor(i).name.decode(): float(file.steps(i).scale[0]) for i in map(int, file.graph.inputs)}
    used = {name: array[[0, 1, 2, 3, 5]] for name, array in data.items()}  # the fifth is compared with
    assert list(found) == ["a", "b"]
    for name, array in used.items():
        spread = max(array.max(), 0) - min(array.min(), 0)
        assert found[name] == pytest.approx(spread / 255, rel=1e-4)
    assert made.verdict.fresh[0].largest < 1.5


def test_integers_pass_beside_16_bits(tmp_path):
    """TensorFlow's quantiser of 16 bits refuses models of integers and bools."""
    table = numbers(16, 8, low=-1)
    model = text_model(
        "g (int64[N, 6] ids, int64[N, 6] mask) => (float[N, 6, 8] y) {"
        "e = Gather(table, ids) m = Cast<to = 1>(mask) axes = Constant<value_ints = [2]>()"
        "u = Unsqueeze(m, axes) y = Mul(e, u) }"
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(table, "table"))
    rng = np.random.default_rng(0)
    data = {"ids": rng.integers(0, 16, (6, 6)), "mask": rng.integers(0, 2, (6, 6))}
    made = written(model, tmp_path, "integer_quant_with_int16_act", data)
    assert ends(made.path) == ["int64", "int64", "float32"]
    assert made.verdict.fresh[0].noise_ratio > 40
    assert "GATHER" in made.operators


def test_nodes_stay_in_floats(tmp_path):
    for kind, pattern in itertools.product(("integer_quant", "integer_quant_with_int16_act"), ("conv", "c*v", "relu")):
        made = written(network(), tmp_path, kind, {"x": X}, keep_float=[pattern])
        file = opened(made.path)
        (conv,) = file.of_kind("CONV_2D")
        assert all(map(file.is_float, map(int, conv.inputs)))
        assert ("CONV_2D", "it is to stay in floats") in [(o.kind, o.reason) for o in made.floats]
        assert made.verdict.fresh[0].noise_ratio > 30


def test_weights_of_dynamic_ranges_stay_in_floats(tmp_path):
    model = node_model(
        [
            helper.make_node("MatMul", ["x", "a"], ["h"], "first"),
            helper.make_node("MatMul", ["h", "b"], ["y"], "second"),
        ],
        {"x": ["N", 64]},
        ["y"],
        {"a": numbers(64, 64, low=-1), "b": numbers(64, 64, low=-1)},
    )
    made = written(model, tmp_path, "dynamic_range_quant", None, keep_float=["second"])
    file = opened(made.path)
    assert [str(file.dtype(int(o.inputs[1]))) for o in file.of_kind("FULLY_CONNECTED")] == ["int8", "float32"]
    assert made.verdict.origin == "random numbers"
    assert made.verdict.fresh[0].noise_ratio > 30


def test_nodes_that_are_not_there(tmp_path):
    with pytest.raises(OptionError, match=r"no node is called 'convo'; there are 'conv'"):
        written(network(), tmp_path, "integer_quant", {"x": X}, keep_float=["convo"])
    assert not list(tmp_path.iterdir())


def test_floats_are_refused_in_files_of_integers(tmp_path):
    model = text_model("g (float[N, 4] x) => (float[N, 4] y) { c = Cos(x) y = Relu(c) }")
    with pytest.raises(
        UnsupportedError, match=r"ai.onnx.Cos .*: COS has no integer kernel, and full_integer_quant"
    ) as caught:
        written(model, tmp_path, "full_integer_quant", {"x": numbers(4, 4)})
    assert [node.op_type for node in caught.value.nodes] == ["Cos"]
    assert not list(tmp_path.iterdir())
    made = written(model, tmp_path, "integer_quant", {"x": numbers(4, 4)})
    assert [(o.kind, o.reason) for o in made.floats] == [("COS", "has no integer kernel")]


def test_divisors_of_data(tmp_path):
    """LiteRT's kernel of 8 bits refuses divisors whose integer is 0, whatever number that is."""
    model = text_model("g (float[N, 64] x, float[N, 64] d) => (float[N, 64] y) { y = Div(x, d) }")
    data = {"x": numbers(4, 64), "d": numbers(4, 64, low=0.1)}
    with pytest.raises(UnsupportedError, match="fails on divisors"):
        written(model, tmp_path, "full_integer_quant", data)
    assert [o.kind for o in written(model, tmp_path, "integer_quant", data).floats] == ["DIV"]


def test_pads_of_maxima_take_no_steps(tmp_path):
    """Pads of minus infinity would take all steps."""
    model = text_model(
        "g (float[1, 2, 8, 8] x) => (float[1, 2, 4, 4] y) "
        "{ y = MaxPool<kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 0, 0]>(x) }"
    )
    made = written(model, tmp_path, "full_integer_quant", {"x": numbers(5, 2, 8, 8, low=-3, high=-1)})
    assert made.verdict.fresh[0].largest < 1.5
    assert made.verdict.fresh[0].step < 0.02


MASKED = {
    "added": "m = Cast<to = 1>(mask) one = Constant<value_float = 1.0>() low = Constant<value_float = -3e38>()"
    " d = Sub(one, m) a = Mul(d, low) s = Add(x, a)",
    "chosen": "c = Cast<to = 9>(mask) low = Constant<value_float = -inf>() s = Where(c, x, low)",
}


@pytest.mark.parametrize("form", MASKED)
@pytest.mark.parametrize("kind", ["integer_quant", "integer_quant_with_int16_act"])
def test_masks_take_no_steps(form, kind, tmp_path):
    text = MASKED[form].replace("-inf", "-1e30")
    model = text_model(
        f"g (float[1, 4, 16] x, int64[1, 4, 16] mask) => (float[1, 4, 16] y) {{ {text} y = Softmax(s) }}"
    )
    if form == "chosen":
        next(n for n in model.graph.node if n.output[0] == "low").attribute[0].f = -np.inf
    mask = np.random.default_rng(0).integers(0, 2, (6, 1, 4, 16))
    mask[..., 0] = 1
    made = written(model, tmp_path, kind, {"x": numbers(6, 4, 16, low=-4, high=4), "mask": mask})
    assert made.verdict.fresh[0].noise_ratio > 25
    assert made.verdict.fresh[0].agreement == 1


def test_averages_of_what_is_clipped_are_not_clipped(tmp_path):
    model = text_model(
        "g (float[1, 4, 8, 8] x) => (float[1, 4, 4, 4] y) {"
        "low = Constant<value_float = 0.0>() high = Constant<value_float = 6.0>()"
        "p = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(x) y = Clip(p, low, high) }"
    )
    x = numbers(6, 4, 8, 8, low=-30, high=30)
    made = written(model, tmp_path, "integer_quant", {"x": x})
    assert made.verdict.fresh[0].largest < 2
    assert made.verdict.fresh[0].noise_ratio > 25


def test_normalizations_stay_in_floats(tmp_path):
    model = text_model("g (float[1, 8, 64] x) => (float[1, 8, 64] y) { y = LayerNormalization<axis = -1>(x, s, b) }")
    for name in ("s", "b"):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(64, np.float32), name))
    x = numbers(6, 8, 64, low=-1) * numbers(6, 8, 1, low=0.1, high=3, seed=1)
    ratios = {}
    for kind in ("integer_quant", "full_integer_quant"):
        made = written(model, tmp_path, kind, {"x": x[:, np.newaxis]})
        ratios[kind] = made.verdict.fresh[0].noise_ratio
        told = made.floats or made.quantized.coarse
        assert [operator.node[:18] for operator in told] == ["LayerNormalization"]
        assert "variance" in told[0].reason
    assert ratios["integer_quant"] > ratios["full_integer_quant"] + 5


def test_layers_are_judged_and_tuned(tmp_path):
    weights = {"a": numbers(16, 16, low=-1), "b": numbers(16, 16, low=-1)}
    weights["a"][:, 3] *= 1000  # one channel that takes the steps of all
    weights["b"][3] /= 1000
    model = node_model(
        [helper.make_node("MatMul", ["x", "a"], ["h"], "wide"), helper.make_node("MatMul", ["h", "b"], ["y"], "last")],
        {"x": ["N", 16]},
        ["y"],
        weights,
    )
    x = numbers(10, 16, low=-1)
    made = written(model, tmp_path, "integer_quant", {"x": x}, per_layer=True)
    assert made.quantized.tuning.losses[0][0] in ("wide", "last")
    assert made.quantized.tuning.steps == ()
    poor = made.verdict.fresh[0].noise_ratio
    made = written(model, tmp_path, "integer_quant", {"x": x}, tune=True)
    tuning = made.quantized.tuning
    assert [set(nodes) for nodes, _ in tuning.steps] == [{"wide", "last"}]
    assert tuning.after > tuning.before + 10
    assert made.verdict.fresh[0].noise_ratio > poor + 10


def test_a_poor_file_says_so(tmp_path):
    model = text_model("g (float[N, 4] x) => (float[N, 4] y) { k = Constant<value_float = 1e4>() y = Add(x, k) }")
    made = written(model, tmp_path, "integer_quant", {"x": numbers(10, 4)})
    assert not made.verdict.is_good
    assert made.verdict.agreement < 0.9


def test_given_inputs_are_compared_with(tmp_path):
    made = written(network(), tmp_path, "integer_quant", {"x": X}, check={"x": X[:3]})
    assert made.verdict.samples == (10, 1)
    assert made.verdict.origin == "given to compare with"


def test_random_numbers_stand_for_data_by_name_alone(tmp_path):
    with pytest.warns(UserWarning, match="random numbers stand for calibration data"):
        made = written(network(), tmp_path, "full_integer_quant", "random", check=False)
    assert ends(made.path) == ["int8", "int8"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tflite": ["integer_quant"]}, "integer_quant is calibrated with data of yours"),
        ({"tflite": ["float32"], "data": {"x": X}}, "calibration data .* are for quantised .tflite files"),
        ({"tflite": ["float16"], "keep_float": ["conv"]}, "how to quantise is told, and no kind"),
        ({"tflite": ["integer_quant"], "data": {"x": X}, "quantized_inputs": "int8"}, "are for full_integer_quant"),
        ({"tflite": ["full_integer_quant"], "data": {"x": X}, "quantized_inputs": "int4"}, "must be one of 'int8'"),
        ({"tflite": ["full_integer_quant"], "data": {"x": X}, "keep_float": ["conv"]}, "holds no floats"),
        ({"tflite": ["dynamic_range_quant"], "tune": True}, "judge what integers lose"),
        ({"tflite": ["integer_quant"], "data": {"x": X}, "quantize_weights": "per-row"}, "must be 'per-channel' or"),
        (
            {"tflite": ["full_integer_quant_with_int16_act"], "data": {"x": X}, "quantized_outputs": "uint8"},
            "takes and gives int16 or float32",
        ),
    ],
)  # fmt: skip
def test_options_that_do_not_fit(options, message, tmp_path):
    with pytest.raises(OptionError, match=message):
        convert(network(), tmp_path / "model.tflite", **options)
    assert not list(tmp_path.iterdir())


def test_a_model_that_is_quantised_already(tmp_path):
    with pytest.raises(
        OptionError, match="is quantised already: integer_quant keeps its own scales; full_integer_quant"
    ):
        written(quantized_network(), tmp_path, "full_integer_quant", None)
    made = written(quantized_network(), tmp_path, "integer_quant", {"x0": numbers(5, 3, 8, 8)}, dequantize=True)
    assert made.verdict.fresh


def test_a_quantiser_that_dies_is_an_error(tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(files, "_RUN", "import os\nos.abort()")
    with pytest.raises(ConversionError, match=r"TensorFlow's quantiser died \(exit code"):
        written(network(), tmp_path, "integer_quant", {"x": X})
    assert os.listdir(tmp_path) == []


def test_small_shares_of_softmax_have_steps_of_their_own(tmp_path):
    text = "g (float[1, 4, 200] x, float[1, 200, 8] v) => (float[1, 4, 8] y) { s = Softmax(x) y = MatMul(s, v) }"
    data = {"x": numbers(6, 4, 200), "v": numbers(6, 200, 8, low=-1)}
    made = written(text_model(text), tmp_path, "integer_quant", data)
    assert [operator.kind for operator in made.floats] == ["SOFTMAX"]
    assert made.verdict.fresh[0].noise_ratio > 30


def test_results_in_the_place_of_operands_leave_ranges_alone(tmp_path):
    """A sum takes the place of its operand, whose range TensorFlow's own calibration then reads from the sum."""
    body = "m = MatMul(x, x) k = Constant<value_float = 100.0>() y = Add(m, k)"
    model = text_model(f"g (float[1, 8, 8] x) => (float[1, 8, 8] y) {{ {body} }}")
    made = written(model, tmp_path, "full_integer_quant", {"x": numbers(4, 8, 8, low=-1)})
    file = opened(made.path)
    (product,) = file.of_kind("BATCH_MATMUL")
    assert float(file.steps(int(product.outputs[0])).scale[0]) < 0.1


def recurrent(op_type: str, time: int) -> tuple[onnx.ModelProto, np.ndarray]:
    gates = {"GRU": 3, "LSTM": 4, "RNN": 1}[op_type]
    weights = {"w": numbers(1, gates * 8, 6, low=-0.5, high=0.5), "r": numbers(1, gates * 8, 8, low=-0.3, high=0.3)}
    node = helper.make_node(op_type, ["x", "w", "r"], ["y"], "layer", hidden_size=8)
    return node_model([node], {"x": [time, 3, 6]}, ["y"], weights), numbers(10, time, 3, 6, low=-1)


def test_what_the_quantiser_does_by_chance_is_settled(tmp_path):
    """It left a Split in floats or not, from one call to the next."""
    model, x = recurrent("GRU", 8)
    content = convert(model, tmp_path / "float.tflite", check=False).path.read_bytes()
    base, _ = calibrated(content, [{"x": row} for row in x])
    how = {"wide": False, "inputs": "int8", "outputs": "int8", "per_tensor": False}
    found = {quantized(base, how) for _ in range(12)}
    assert len(found) == 1
    assert not computing_floats(found.pop())


def test_loops_stay_in_floats(tmp_path):
    model, x = recurrent("LSTM", 40)
    made = written(model, tmp_path, "integer_quant", {"x": x})
    assert made.operators["WHILE"] == 1
    assert [operator.node for operator in made.floats] == ["layer"]
    assert made.verdict.fresh[0].noise_ratio > 25
    with pytest.raises(UnsupportedError, match=r"'layer': ai\.onnx\.LSTM .*full_integer_quant holds no floats"):
        convert(model, tmp_path / "full.tflite", tflite=["full_integer_quant"], data={"x": x})
    with pytest.raises(ConversionError, match=r"it does so on loops, and the file has WHILE; .* are unrolled"):
        convert(model, tmp_path / "wide.tflite", tflite=["integer_quant_with_int16_act"], data={"x": x})
