"""Whatever is wrong in a file is said by the place: each of these is refused before another library looks at it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnx_tf import ModelError, RunError, prepare
from onnx_tf.errors import ConversionError
from onnx_tf.runtime import memory
from test.models import external_model, text_model


def one_node(
    op_type: str, inputs: Sequence[Any], outputs: int = 1, opset: int = 18, **attributes: Any
) -> onnx.ModelProto:
    """Return a model of one node called ``node``; inputs are shapes of floats, arrays, or ``None`` where absent."""
    names = ["" if value is None else f"x{index}" for index, value in enumerate(inputs)]
    results = [f"y{index}" for index in range(outputs)]
    named = dict(zip(names, inputs, strict=True))
    graph = helper.make_graph(
        [helper.make_node(op_type, names, results, name="node", **attributes)],
        "g",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, v) for n, v in named.items() if isinstance(v, list)],
        [helper.make_empty_tensor_value_info(name) for name in results],
        [numpy_helper.from_array(v, n) for n, v in named.items() if isinstance(v, np.ndarray)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


IMAGE, FILTERS = [1, 2, 8, 8], np.ones([2, 2, 3, 3], np.float32)

REFUSED: dict[str, tuple[onnx.ModelProto, str]] = {
    "attribute of a wrong type": (
        one_node("Concat", [[2], [2]], axis="rows"),
        "'axis' is of type STRING, expected INT",
    ),
    "input missing": (one_node("Add", [[2], None]), "its input 'B' is missing"),
    "too few inputs": (one_node("Gemm", [[2, 2]]), "it has 1 inputs, the operator takes 2 to 3"),
    "too many inputs": (one_node("Relu", [[2], [2]]), "it has 2 inputs, the operator takes 1"),
    "no inputs": (one_node("Concat", [], axis=0), "it has 0 inputs, the operator takes 1 or more"),
    "too many outputs": (one_node("Relu", [[2]], outputs=2), "it has 2 outputs, the operator gives 1 at most"),
    "strides of 0": (one_node("Conv", [IMAGE, FILTERS], strides=[1, 0]), "'strides' holds 0: 1 to"),
    "dilations of 0": (one_node("Conv", [IMAGE, FILTERS], dilations=[0, 1]), "'dilations' holds 0: 1 to"),
    "kernel of 0": (one_node("MaxPool", [IMAGE], kernel_shape=[0, 2]), "'kernel_shape' holds 0: 1 to"),
    "huge kernel": (one_node("MaxPool", [IMAGE], kernel_shape=[2**40, 2]), "'kernel_shape' holds 1099511627776"),
    "huge pads": (one_node("MaxPool", [IMAGE], kernel_shape=[2, 2], pads=[2**40] * 4), "'pads' holds 1099511627776"),
    "no groups": (one_node("Conv", [IMAGE, FILTERS], group=0), "'group' holds 0: 1 to"),
    "blocks of 0": (one_node("DepthToSpace", [[1, 4, 2, 2]], blocksize=0), "'blocksize' holds 0: 1 to"),
    "axis beyond all ranks": (one_node("Softmax", [[2, 2]], axis=2**40), "'axis' holds 1099511627776: -1024 to 1023"),
    "no permutation": (one_node("Transpose", [[2, 2]], perm=[0, 0]), r"'perm' is \[0, 0\], which does not name each"),
    "axis that is not there": (one_node("Transpose", [[2, 2]], perm=[0, 2]), "'perm' is .* which does not name each"),
    "no direction": (
        one_node("RNN", [[2, 1, 2], [1, 3, 2], [1, 3, 3]], hidden_size=3, direction="up"),
        "'direction' is 'up': forward, reverse, bidirectional was expected",
    ),
    "more parts than outputs": (one_node("Split", [[6]], num_outputs=2**30), "it has 1 outputs"),
    "value beyond memory": (
        one_node("ConstantOfShape", [np.array([1 << 30, 1 << 30])]),
        r"'y0' has the shape \[1073741824, 1073741824\], which takes 4611686018427387904 bytes",
    ),
    "dimensions beyond 64 bits": (one_node("Relu", [[1 << 62, 1 << 62]]), "'x0' has the shape"),
    "tensor where a sequence is": (
        one_node("SequenceAt", [[2], np.array(0)]),
        "its input 'input_sequence' takes a sequence, but 'x0' is a tensor",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_wrong_is_refused_by_node(what: str) -> None:
    model, expected = REFUSED[what]
    with pytest.raises(ModelError, match=expected) as raised:
        prepare(model)
    assert raised.value.node == "node" or "'x0'" in str(raised.value)


@pytest.mark.parametrize("what", ["strides of 0", "no direction", "input missing", "more parts than outputs"])
def test_a_glance_does_not_find_it_right(what: str) -> None:
    from onnx_tf.handler_table import known_handlers
    from onnx_tf.model.survey import has_only_handled_nodes

    assert not has_only_handled_nodes(REFUSED[what][0], known_handlers(()))
    right = one_node("Conv", [IMAGE, FILTERS], strides=[1, 2])
    assert has_only_handled_nodes(right, known_handlers(()))


def test_windows_of_microsofts_operators_are_held_against_the_same_ranges() -> None:
    model = one_node("FusedConv", [IMAGE, FILTERS], strides=[0, 1])
    model.graph.node[0].domain = "com.microsoft"
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    with pytest.raises(ModelError, match=r"com.microsoft.FusedConv, opset 1\): attribute 'strides' holds 0"):
        prepare(model)


def test_sequences_have_one_dtype_and_are_no_tensors() -> None:
    mixed = text_model(
        """g (float[2] x, int64[2] i) => (float[2] y)
        { s = SequenceConstruct(x, i) zero = Constant<value_int = 0>() y = SequenceAt(s, zero) }"""
    )
    with pytest.raises(ModelError, match="its inputs hold FLOAT and INT64, but a sequence has one dtype"):
        prepare(mixed)
    with pytest.raises(ModelError, match="its input 'X' takes a tensor, but 's' is a sequence"):
        prepare(text_model("g (float[2] x) => (float[2] y) { s = SequenceConstruct(x, x) y = Relu(s) }"))


@pytest.mark.parametrize("version", [0, -3, 2**31, 2**40])
def test_opset_versions_are_positive_numbers_of_32_bits(version: int) -> None:
    model = text_model("g (float[2] x) => (float[2] y) { y = Relu(x) }")
    model.opset_import.append(helper.make_opsetid("local", version))
    with pytest.raises(ModelError, match=f"imports opset {version} of local: versions count from 1"):
        prepare(model)


def test_attributes_are_stated_once() -> None:
    model = one_node("Softmax", [[2, 2]], axis=0)
    model.graph.node[0].attribute.append(helper.make_attribute("axis", 1))
    with pytest.raises(ModelError, match="has two attributes called 'axis'"):
        prepare(model)


def test_dimensions_beside_one_of_0_count() -> None:
    model = text_model("g (float[2] x) => (float[2] y) { y = Add(x, w) }")
    model.graph.initializer.append(TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[0, 1 << 62, 1 << 62]))
    with pytest.raises(ModelError, match=r"initializer 'w' has the shape .* which no memory holds"):
        prepare(model)


def test_batch_dims_beyond_the_axes_are_refused() -> None:
    with pytest.raises(ConversionError, match=r"node 'node' .* batch_dims 3 and index tuples of 1 need more axes"):
        prepare(one_node("GatherND", [[2, 2], np.zeros([2, 1], np.int64)], batch_dims=3))


def test_the_inverse_of_a_spectrum_of_nothing_is_refused() -> None:
    model = one_node("DFT", [[1, 1, 2]], axis=1, inverse=1, onesided=1)
    with pytest.raises(ConversionError, match=r"node 'node' .* half of a spectrum of 0 elements has no inverse"):
        prepare(model)


def test_what_a_machine_has_no_memory_for_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    rep = prepare(text_model("g (float[4] x) => (float[4] y) { y = Relu(x) }"))
    monkeypatch.setattr(memory, "_memory", lambda: 15)
    with pytest.raises(RunError, match=r"node 'Relu_0' computes 'y' of shape \[4\], which takes 16 bytes"):
        rep.run(np.zeros(4, np.float32))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("offset", "-8", "its entry holds offset='-8'"),
        ("offset", "two", "its entry holds offset='two'"),
        ("length", "-1", "its entry holds length='-1'"),
        ("location", "", "its entry holds location=''"),
        ("location", "w.bin\0", r"its entry holds location='w.bin\\x00'"),
        ("offset", str(2**70), "bytes of .*, which has 64"),
        ("length", "1000", "needs 1000 bytes of .*, which has 64"),
    ],
)
def test_entries_of_external_data_are_checked(tmp_path: Path, key: str, value: str, expected: str) -> None:
    path = external_model(tmp_path)
    model = onnx.load(path, load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        entry.value = value if entry.key == key else entry.value
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=expected):
        prepare(path)


def test_shapes_in_messages_lie_in_the_order_of_the_onnx_value() -> None:
    filters = np.zeros([2, 3, 3, 3], np.float32)
    with pytest.raises(ConversionError) as raised:
        prepare(one_node("Conv", [[1, 4, 8, 7], filters]))
    assert raised.value.inputs == {"x0": "float32[1, 4, 8, 7]", "x1": "float32[2, 3, 3, 3]"}
    model = one_node("Conv", [["N", "C", 8, 7], filters])
    with pytest.raises(RunError) as failed:
        prepare(model).run(np.zeros([1, 4, 8, 7], np.float32))
    assert failed.value.inputs is not None
    assert failed.value.inputs["x0"] == "float32[1, 4, 8, 7]"


def test_calls_in_each_other_without_end_are_said_to_be_too_deep() -> None:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    functions = [helper.make_function("local", "f0", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])], opsets)]
    for level in range(1, 3000):
        node = helper.make_node(f"f{level - 1}", ["a"], ["b"], domain="local")
        functions.append(helper.make_function("local", f"f{level}", ["a"], ["b"], [node], opsets))
    model = one_node("f2999", [[2]], opset=17)
    model.graph.node[0].domain = "local"
    model.opset_import.append(helper.make_opsetid("local", 1))
    model.functions.extend(functions)
    with pytest.raises(ConversionError, match="the model's functions or graphs are nested too deep"):
        prepare(model)


@pytest.mark.parametrize("field", [b"Relu", b"node", b"y0", b"NOTSET"])
def test_names_and_words_are_text(field: bytes) -> None:
    """What is damaged there is not handed to libraries that want text."""
    op_type = "MaxPool" if field == b"NOTSET" else "Relu"
    attributes: dict[str, Any] = {"auto_pad": "NOTSET", "kernel_shape": [2, 2]} if op_type == "MaxPool" else {}
    content = one_node(op_type, [IMAGE], **attributes).SerializeToString()
    with pytest.raises(ModelError, match=r"no UTF-8 text.*the file is damaged"):
        prepare(content.replace(field, b"\xff" * len(field)))


def test_ranks_that_an_operator_does_not_take_are_said_to_be_that() -> None:
    model = one_node("Attention", [[2, 12], [1, 2, 12], [1, 2, 12]], opset=23, q_num_heads=2, kv_num_heads=2)
    with pytest.raises(ConversionError, match=r"'node'.*not of the ranks or kinds that the operator takes"):
        prepare(model)


def test_operators_of_microsoft_without_their_inputs_are_refused_by_node() -> None:
    model = one_node("DequantizeLinear", [np.array([1, 2], np.int32)], opset=1, domain="com.microsoft")
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    with pytest.raises(ConversionError, match=r"'node'.*the operator takes 2 or more inputs, the node has 1"):
        prepare(model)


@pytest.mark.parametrize("op_type", ["BlackmanWindow", "HammingWindow", "HannWindow"])
def test_windows_larger_than_any_signal_are_refused(op_type: str) -> None:
    with pytest.raises(ConversionError, match=r"'node'.*a window of 2147483647 elements"):
        prepare(one_node(op_type, [np.array(2**31 - 1, np.int32)]))


def test_one_output_has_one_type() -> None:
    model = one_node("Relu", [IMAGE])
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    model.graph.output.append(helper.make_tensor_value_info("y0", TensorProto.FLOAT16, None))
    with pytest.raises(ModelError, match=r"the output 'y0' is stated twice, of two types"):
        prepare(model)


def test_counts_of_ngrams_are_no_negative_numbers() -> None:
    attributes = {"mode": "TF", "min_gram_length": 1, "max_gram_length": 1, "max_skip_count": 0}
    lists = {"ngram_counts": [0, -(2**63)], "ngram_indexes": [0, 1], "pool_int64s": [2, 3]}
    with pytest.raises(ModelError, match=r"'ngram_counts' holds -9223372036854775808: 0 to"):
        prepare(one_node("TfIdfVectorizer", [np.array([2, 3])], **attributes, **lists))
