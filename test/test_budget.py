"""What a conversion may make out of a file: bytes of constants and nodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnx_tf import ModelError, OptionError, convert, prepare, to_keras
from onnx_tf.budget import MAX_UNROLLED_NODES, Budget
from onnx_tf.cli import main
from onnx_tf.errors import ConversionError
from onnx_tf.options import Options
from onnx_tf.pipeline import Lowered, lower
from test.models import node_model, text_model

X = np.array([1, -2, 3], np.float32)


def lowered(model: onnx.ModelProto, **limits: int) -> Lowered:
    return lower(model, Options(**limits))  # type: ignore[arg-type]


def operators(result: Lowered) -> list[str]:
    return [node.context.op_type for node in result.graph.all_nodes()]


def test_limits_are_whole_numbers() -> None:
    with pytest.raises(OptionError, match=r"max_nodes must be a whole number, not -1"):
        Options(max_nodes=-1)
    with pytest.raises(OptionError, match=r"max_constant_bytes must be a whole number, not '1 GB'"):
        prepare(text_model("g (float[3] x) => (float[3] y) { y = Relu(x) }"), max_constant_bytes="1 GB")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "made",
    ["made = Sub(a, b)", "made = Mul(a, b)", "made = Where(flag, a, b)", "made = Max(a, b)", "made = Gather(a, many)"],
)
def test_what_does_not_fit_is_computed_when_the_model_runs(made: str) -> None:
    """Every operator draws from the budget: two vectors of 100 become 10,000 elements."""
    model = text_model(f"g (float[3] x) => (y) {{ {made} total = ReduceSum<keepdims = 0>(made) y = Add(x, total) }}")
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(np.ones([100, 1], np.float32), "a"),
            numpy_helper.from_array(np.ones([1, 100], np.float32), "b"),
            numpy_helper.from_array(np.ones([1, 100], np.bool_), "flag"),
            numpy_helper.from_array(np.zeros([100, 100], np.int64), "many"),
        ]
    )
    folded, kept = lowered(model), lowered(model, max_constant_bytes=10_000)
    operator = made.split(" = ")[1].split("(")[0]
    assert operator not in operators(folded)
    assert operator in operators(kept)
    assert kept.budget.constant_bytes <= 10_000 < folded.budget.constant_bytes
    expected = prepare(model).run([X])[0]
    np.testing.assert_array_equal(prepare(model, max_constant_bytes=10_000).run([X])[0], expected)


def test_all_folded_constants_draw_from_one_budget() -> None:
    lines = " ".join(f"r{i} = Exp(c{i}) h{i + 1} = Add(h{i}, r{i})" for i in range(10))
    model = text_model(f"g (float[100] h0) => (float[100] h10) {{ {lines} }}")
    arrays = [np.full(100, i, np.float32) for i in range(10)]
    model.graph.initializer.extend(numpy_helper.from_array(array, f"c{i}") for i, array in enumerate(arrays))
    result = lowered(model, max_constant_bytes=1200)
    assert operators(result).count("Exp") == 7
    assert result.budget.constant_bytes == 1200


def calls(depth: int, width: int = 2) -> onnx.ModelProto:
    """Return a model with functions that each call the one before ``width`` times: ``width ** depth`` nodes."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    functions = []
    for level in range(depth):
        op, domain = ("Relu", "") if level == 0 else (f"f{level - 1}", "local")
        nodes = [helper.make_node(op, [f"v{i}"], [f"v{i + 1}"], domain=domain) for i in range(width)]
        functions.append(helper.make_function("local", f"f{level}", ["v0"], [f"v{width}"], nodes, opsets))
    model = node_model(
        [helper.make_node(f"f{depth - 1}", ["x"], ["y"], name="call", domain="local")], {"x": [3]}, ["y"]
    )
    model.opset_import.append(helper.make_opsetid("local", 1))
    model.functions.extend(functions)
    return model


def test_calls_of_calls_that_multiply_are_refused_before_they_are_made() -> None:
    assert lowered(calls(3)).budget.nodes == 8
    with pytest.raises(ModelError, match=r"'call' calls the function local.f39, .* 1099511627776 nodes") as raised:
        lowered(calls(40))
    assert (raised.value.step, raised.value.node) == ("inline functions", "call")
    assert "allow more with max_nodes" in str(raised.value)
    with pytest.raises(ModelError, match=r"more than are left of max_nodes=7"):
        lowered(calls(3), max_nodes=7)


def test_every_way_to_convert_takes_the_limits(tmp_path: Path) -> None:
    for way in (
        lambda: convert(calls(3), tmp_path / "model", max_nodes=7),
        lambda: convert(calls(3), tmp_path / "model.tflite", max_nodes=7),
        lambda: to_keras(calls(3), max_nodes=7),
    ):
        with pytest.raises(ModelError, match=r"more than are left of max_nodes=7"):
            way()
    assert not list(tmp_path.iterdir())


def test_the_command_line_takes_them_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "model.onnx", tmp_path / "out"
    onnx.save(calls(3), path)
    assert main(["convert", str(path), "-o", str(out), "--max-nodes", "7"]) == 1
    assert "allow more with --max-nodes" in capsys.readouterr().err
    assert main(["convert", str(path), "-o", str(out), "--max-nodes", "8"]) == 0
    onnx.save(sparse([10]), path)
    assert main(["info", str(path), "--max-constant-bytes", "39"]) == 1
    assert "allow more with --max-constant-bytes" in capsys.readouterr().err
    assert main(["convert", str(path), "-o", str(out), "--max-constant-bytes", "1k"]) == 0


def test_calls_of_functions_without_nodes_count() -> None:
    model = calls(40)
    model.functions[0].ClearField("node")
    model.functions[0].output[0] = "v0"
    with pytest.raises(ModelError, match=r"'call' calls the function local.f39"):
        lowered(model)


def test_functions_that_nothing_calls_are_not_made() -> None:
    model = calls(40)
    model.graph.node[0].CopyFrom(helper.make_node("f2", ["x"], ["y"], domain="local"))
    assert lowered(model).budget.nodes == 8


def sparse(dims: list[int]) -> onnx.ModelProto:
    values = numpy_helper.from_array(np.array([5], np.float32), "w")
    indices = numpy_helper.from_array(np.array([1], np.int64))
    model = text_model("g (float[3] x) => (y) { total = ReduceMax<keepdims = 0>(w) y = Add(x, total) }")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, dims))
    return model


def test_sparse_tensors_that_would_be_too_large_are_refused() -> None:
    np.testing.assert_array_equal(prepare(sparse([10])).run([X])[0], X + 5)
    for dims in ([1 << 40], [1 << 40, 1 << 40, 1 << 40]):
        with pytest.raises(ModelError, match=r"sparse tensor 'w' .* max_constant_bytes=2147483648: allow more"):
            lowered(sparse(dims))
    with pytest.raises(ModelError, match=r"takes 40 bytes as a dense one"):
        lowered(sparse([10]), max_constant_bytes=39)


def nested_loops(depth: int, count: int, inner: str = "h = Relu(v{0})") -> onnx.ModelProto:
    """Return loops of a known trip count in each other; ``inner`` is what the innermost computes."""
    body = inner.format(depth)
    for level in range(depth, 0, -1):
        at = level - 1
        give = f"w{level} = Identity(h)" if level == depth else f"w{level} = Identity(o{level + 1})"
        body = (
            f"o{level} = Loop(count, yes, v{at}) <body = b{level} (int64 i{level}, bool c{level}, float[3] v{level})"
            f" => (bool d{level}, float[3] w{level}) {{ d{level} = Identity(c{level}) {body} {give} }}>"
        )
    model = text_model(f"g (float[3] v0) => (float[3] o1) {{ {body} }}")
    model.graph.initializer.append(helper.make_tensor("count", TensorProto.INT64, [], [count]))
    model.graph.initializer.append(helper.make_tensor("yes", TensorProto.BOOL, [], [True]))
    return model


def operations(model: onnx.ModelProto) -> int:
    graph = prepare(model).tf_module.concrete().graph
    functions = graph.as_graph_def().library.function
    return len(graph.get_operations()) + sum(len(function.node_def) for function in functions)


def test_loops_in_loops_are_unrolled_to_the_limit_for_all_of_them() -> None:
    model = nested_loops(4, 12)
    np.testing.assert_array_equal(prepare(model).run([X])[0], np.maximum(X, 0))
    assert operations(model) < 12 * MAX_UNROLLED_NODES
    budget = Budget()
    with budget.unrolling(10, 4) as outer, budget.unrolling(4, 3) as inner, budget.unrolling(4, 2) as innermost:
        assert (outer, inner, innermost) == (True, True, False)
    with budget.unrolling(MAX_UNROLLED_NODES, 1) as again:
        assert again


def test_bodies_without_nodes_count() -> None:
    with Budget().unrolling(1_000_000, 0) as allowed:
        assert not allowed


def test_a_trace_that_multiplies_is_refused() -> None:
    """Each loop whose end only the run tells is traced in several forms, and all that is in it each time."""
    text = """g (float[3] v, bool go) => (float[3] o1) { o1 = Loop(, go, v) <body = b (int64 i, bool c, float[3] w)
        => (bool d, float[3] h) { m = ReduceMax<keepdims = 0>(w) d = Less(m, m) h = Relu(w) }> }"""
    model = text_model(text)
    np.testing.assert_array_equal(prepare(model).run([X, np.array(True)])[0], np.maximum(X, 0))
    budget = Budget(max_nodes=3)
    budget.begin_trace(2)
    for _ in range(5):
        budget.trace_node()
    with pytest.raises(ConversionError, match="traced more often than max_nodes=3 allows"):
        budget.trace_node()


def test_long_gaps_and_grams_are_written_out_within_the_budget() -> None:
    """A vocabulary's longest gram and a row's length bound what an operator asks for."""
    node = helper.make_node(
        "TfIdfVectorizer", ["x"], ["y"], name="grams", mode="TF", min_gram_length=1, max_gram_length=1_000_000,
        max_skip_count=1_000_000, ngram_counts=[0, 1], ngram_indexes=[0, 1], pool_int64s=[7, 7, 8],
    )  # fmt: skip
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info("x", TensorProto.INT64, ["N", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    np.testing.assert_array_equal(prepare(model).run([np.array([[7, 8, 1, 8]], np.int64)])[0], [[1, 2]])
    graph.input[0].type.tensor_type.shape.dim[1].dim_param = "L"
    model.graph.CopyFrom(graph)
    with pytest.raises(ConversionError, match=r"'grams' .* written out in 2000002 operations, .* max_nodes=100000"):
        prepare(model)


def test_more_parts_than_the_budget_are_a_list_that_the_run_makes() -> None:
    model = text_model(
        """g (float[12] x) => (float[k] y) { one = Constant<value_int = 1>() at = Constant<value_int = 7>()
        parts = SplitToSequence(x, one) y = SequenceAt(parts, at) }"""
    )
    x = np.arange(12, dtype=np.float32)
    written, kept = prepare(model), prepare(model, max_nodes=11)
    for rep in (written, kept):
        np.testing.assert_array_equal(rep.run([x])[0], [7])
    assert not any("While" in operation.type for operation in written.graph.get_operations())
    assert any("While" in operation.type for operation in kept.graph.get_operations())
