"""Edits before conversion: shapes fixed, a part cut out."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import tensorflow as tf
from onnx import TensorProto, helper

from onnx_tf import EditError, OnnxTfError, OptionError, convert, prepare
from onnx_tf.edits import cut, edited_source, fix_shapes
from onnx_tf.model.loading import load_model
from onnx_tf.options import Options
from test.models import external_model, node_model, text_model
from test.reference import ort_outputs

RNG = np.random.default_rng(0)


def shapes(model: ir.Model) -> dict[str, list[Any]]:
    return {
        str(value.name): [dim if isinstance(dim, int) else dim.value for dim in value.shape or ()]
        for value in [*model.graph.inputs, *model.graph.outputs]
    }


def operators(rep: Any) -> set[str]:
    return {node.context.op_type for node in rep.tf_module.graph.all_nodes()}


def check(model: onnx.ModelProto, feed: dict[str, Any], **edits: Any) -> Any:
    """Compare the edited model with ONNX Runtime, which runs the same edit; return the rep."""
    rep = prepare(model, **edits)
    expected = ort_outputs(edited_source(model, Options.of(**edits)), feed)
    results = rep.run(feed)
    assert list(results.keys()) == list(expected)
    for name, want in expected.items():
        np.testing.assert_allclose(results[name], want, rtol=1e-5, atol=1e-6)
    return rep


TWO = """g (float[N, 3, H] x, float[N, 3, 1] z, float[2, K] k) => (float[N, 3, H] y, float[2, K] n) {
  a = Add(x, z)
  y = Relu(a)
  n = Neg(k)
}"""


class TestFixShapes:
    @pytest.mark.parametrize(
        ("edits", "x", "z", "k", "y"),
        [
            ({"batch_size": 5}, [5, 3, "H"], [5, 3, 1], [2, "K"], [5, 3, "H"]),
            ({"batch_size": 2}, [2, 3, "H"], [2, 3, 1], [2, "K"], [2, 3, "H"]),
            ({"input_shapes": {"x": [5, 3, 4]}}, [5, 3, 4], [5, 3, 1], [2, "K"], [5, 3, 4]),
            ({"input_shapes": {"z": (5, 3, 1)}}, [5, 3, "H"], [5, 3, 1], [2, "K"], [5, 3, "H"]),
            ({"input_shapes": {"x": [None, -1, 4], "k": ["?", 7]}}, ["N", 3, 4], ["N", 3, 1], [2, 7], ["N", 3, 4]),
            ({"input_shapes": {"x": ["N", 3, 4]}}, ["N", 3, 4], ["N", 3, 1], [2, "K"], ["N", 3, 4]),
            ({"input_shapes": {"x": [5, 3, 4]}, "batch_size": 2}, [5, 3, 4], [5, 3, 1], [2, "K"], [5, 3, 4]),
            ({"input_shapes": {"x": np.array([5, 3, 4])}}, [5, 3, 4], [5, 3, 1], [2, "K"], [5, 3, 4]),
            ({"input_shapes": {"x": [0, 3, 4]}}, [0, 3, 4], [0, 3, 1], [2, "K"], [0, 3, 4]),
        ],
    )
    def test_open_dimensions_become_numbers_wherever_their_symbol_occurs(self, edits, x, z, k, y):
        model = load_model(text_model(TWO))
        options = Options.of(**edits)
        edited = fix_shapes(model, options.batch_size, dict(options.input_shapes))
        assert shapes(edited) == {"x": x, "z": z, "k": k, "y": y, "n": k}
        assert shapes(model)["x"] == ["N", 3, "H"]

    def test_numbers_stay(self):
        feed = {"x": RNG.normal(size=(5, 3, 4)), "z": RNG.normal(size=(5, 3, 1)), "k": RNG.normal(size=(2, 7))}
        rep = check(text_model(TWO), {n: a.astype(np.float32) for n, a in feed.items()}, batch_size=5)
        assert [spec.shape[0] for spec in rep.signatures["serving_default"].structured_input_signature[0]] == [5, 5, 2]

    def test_expressions_of_symbols_are_known_too(self):
        model = text_model("g (float[past, 2] a, float[new, 2] b, float[n] m) => (float[n] y) { y = Relu(m) }")
        for value in (model.graph.input[2], model.graph.output[0]):
            value.type.tensor_type.shape.dim[0].dim_param = "past + new"
        edited = fix_shapes(load_model(model), None, {"a": [3, 2], "b": [4, 2]})
        # Older releases of onnx_ir do not evaluate expressions: the dimension stays open there.
        known = [7] if hasattr(ir.SymbolicDim, "evaluate") else ["past + new"]
        assert shapes(edited) == {"a": [3, 2], "b": [4, 2], "m": known, "y": known}
        assert shapes(fix_shapes(load_model(model), None, {"a": [3, 2]}))["m"] == ["past + new"]
        model.graph.input[2].type.tensor_type.shape.dim[0].dim_param = "2*new"
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch size"
        assert shapes(fix_shapes(load_model(model), 4))["m"] == [8]
        assert shapes(fix_shapes(load_model(model), 4))["a"] == [4, 2]

    def test_shape_arithmetic_is_folded(self):
        model = text_model("""g (float[N, C, H, W] x) => (float[N, D] y) {
          s = Shape(x)
          zero = Constant <value_ints = [0]> ()
          n = Gather(s, zero)
          rest = Constant <value_ints = [-1]> ()
          t = Concat <axis = 0> (n, rest)
          r = Reshape(x, t)
          count = Size(x)
          f = Cast <to = 1> (count)
          y = Mul(r, f)
        }""")
        x = RNG.normal(size=(2, 3, 4, 5)).astype(np.float32)
        assert "Shape" in operators(prepare(model))
        for edits in ({"input_shapes": {"x": [2, 3, 4, 5]}}, {"input_shapes": {"x": [None, 3, 4, 5]}, "batch_size": 2}):
            rep = check(model, {"x": x}, **edits)
            assert not operators(rep) & {"Shape", "Size", "Gather", "Concat", "Cast"}
            assert rep.signatures["serving_default"].structured_outputs["y"].shape == (2, 60)

    def test_what_the_file_says_of_other_values_does_not_contradict(self):
        model = text_model("g (float[N, 2] x) => (float[1, 4] y) { a = Concat <axis = 1> (x, x) y = Relu(a) }")
        model.graph.value_info.append(helper.make_tensor_value_info("a", TensorProto.FLOAT, [1, 4]))
        edited = fix_shapes(load_model(model), 3)
        assert shapes(edited) == {"x": [3, 2], "y": [3, 4]}
        assert [list(node.outputs[0].shape) for node in edited.graph] == [[3, 4], [3, 4]]
        rep = check(model, {"x": np.ones((3, 2), np.float32)}, batch_size=3)
        assert rep.signatures["serving_default"].structured_outputs["y"].shape == (3, 4)

    def test_an_input_of_unknown_rank_gets_one(self):
        model = node_model([helper.make_node("Relu", ["x"], ["y"])], {"x": [1]}, ["y"])
        model.graph.input[0].type.tensor_type.ClearField("shape")
        assert shapes(fix_shapes(load_model(model), None, {"x": [2, 3]})) == {"x": [2, 3], "y": [2, 3]}

    @pytest.mark.parametrize(
        ("edits", "says"),
        [
            (
                {"input_shapes": {"xx": [1]}},
                r"no input 'xx' \(did you mean 'x'\?\); its inputs are: x: float32\[N, 3, H\]; z: .*; k: ",
            ),
            ({"input_shapes": {"x": [1, 3]}}, r"has 2 dimensions, the input is x: float32\[N, 3, H\]"),
            ({"input_shapes": {"x": [1, 4, 2]}}, r"dimension 1 of 'x' is 3, not 4; the input is x: float32\[N, 3, H\]"),
            (
                {"input_shapes": {"x": [1, 3, 2], "z": [2, 3, 1]}},
                r"dimension 0 of 'z' would be 2, but 'N' is 1 already",
            ),
            ({"input_shapes": {"x": [1, 3, -2]}}, "-2 is no dimension of 'x'"),
            ({"input_shapes": {"x": [1, 3, 2.5]}}, "2.5 is no dimension of 'x'"),
            ({"input_shapes": {"x": [1, 3, "W"]}}, "'W' is no dimension of 'x'"),
            ({"input_shapes": {"x": 3}}, "'x' needs a list of dimensions, got 3"),
            ({"input_shapes": {"x": "1,3,2"}}, "'x' needs a list of dimensions"),
            ({"input_shapes": {"x": [1, 3, 2]}, "batch_size": 0}, "batch_size must be a positive whole number, got 0"),
            ({"batch_size": 1.5}, "got 1.5"),
            ({"batch_size": True}, "got True"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, edits, says):
        with pytest.raises(EditError, match=says) as caught:
            prepare(text_model(TWO), **edits)
        assert "\n" not in str(caught.value)
        assert isinstance(caught.value, OnnxTfError)
        assert isinstance(caught.value, ValueError)

    def test_a_batch_for_which_no_input_is_open_is_refused(self):
        model = text_model("g (float[1, 3] x, float s) => (float[1, 3] y) { y = Add(x, s) }")
        with pytest.raises(EditError, match=r"batch_size=2: no input .* x: float32\[1, 3\]; s: float32\[\]"):
            prepare(model, batch_size=2)
        assert shapes(fix_shapes(load_model(model), 1))["x"] == [1, 3]

    def test_long_lists_of_inputs_are_cut_short(self):
        nodes = [helper.make_node("Sum", [f"x{i}" for i in range(300)], ["y"])]
        model = node_model(nodes, {f"x{i}": [1] for i in range(300)}, ["y"])
        with pytest.raises(EditError, match=r"are: 'x\d+', .* and 290 more$") as caught:
            prepare(model, input_shapes={"x3000": [1]})
        assert "'x300'" not in str(caught.value)
        assert "'x30'" in str(caught.value)


BRANCHES = """g (float[N, 4] x, float[N, 4] z) => (float[N, 4] y, float[N, 4] q) {
  a = Relu(x)
  b = Neg(z)
  c = Add(a, b)
  d = Exp(a)
  y = Mul(c, d)
  q = Abs(z)
}"""
X, Z = (RNG.normal(size=(3, 4)).astype(np.float32) for _ in range(2))


class TestCut:
    @pytest.mark.parametrize(
        ("inputs", "outputs", "takes"),
        [
            ((), ["a"], ["x"]),
            ((), ["q"], ["z"]),
            ((), ["d", "b"], ["x", "z"]),
            (["a", "b"], ["y"], ["a", "b"]),
            (["b", "a"], ["c", "y"], ["b", "a"]),
            (["c", "d"], ["y"], ["c", "d"]),
            (["a", "z"], (), ["a", "z"]),
            (["a", "z"], ["y", "a", "q", "z"], ["a", "z"]),
            (["x", "z"], ["a"], ["x", "z"]),
            ("a", "d", ["a"]),
        ],
    )
    def test_between_any_values(self, inputs, outputs, takes):
        values = {"x": X, "z": Z, "a": np.maximum(X, 0), "b": -Z}
        values |= {"c": values["a"] + values["b"], "d": np.exp(values["a"])}
        edits = {"input_names": inputs, "output_names": outputs}
        rep = check(text_model(BRANCHES), {name: values[name] for name in takes}, **edits)
        assert list(rep.inputs) == takes
        assert list(rep.outputs) == (list(outputs) or ["y", "q"])

    def test_the_given_model_stays(self):
        model = load_model(text_model(BRANCHES))
        before = ir.to_proto(model)
        cut(model, ["a", "b"], ["c"])
        assert ir.to_proto(model) == before

    def test_types_and_open_dimensions_are_inferred(self):
        edited = cut(load_model(text_model(BRANCHES)), ["a", "b"], ["c"])
        assert shapes(edited) == {"a": ["N", 4], "b": ["N", 4], "c": ["N", 4]}
        both = prepare(text_model(BRANCHES), input_names=["a", "b"], output_names=["c"], batch_size=3)
        assert both.signatures["serving_default"].structured_outputs["c"].shape == (3, 4)
        with pytest.raises(EditError, match=r"no input 'x'; its inputs are: a: float32\[N, 4\]; b: "):
            prepare(text_model(BRANCHES), input_names=["a", "b"], output_names=["c"], input_shapes={"x": [3, 4]})

    @pytest.mark.parametrize(
        ("inputs", "outputs", "says"),
        [
            (["aa"], ["y"], r"input_names: 'aa' is unknown \(did you mean 'a'\?\); values of the model are 'a', "),
            ((), ["yy"], r"output_names: 'yy' is unknown \(did you mean 'y'\?\); values of the model are 'y', "),
            (
                ["c"],
                ["y"],
                r"the outputs 'y' need 'd' besides the inputs 'c' \(computed from the graph inputs 'x'\): add",
            ),
            (["a"], ["y"], "the outputs 'y' need 'b' besides the inputs 'a'"),
            (["d"], ["y", "d"], r"the outputs 'y', 'd' need 'c' besides the inputs 'd' \(.* inputs 'x', 'z'\)"),
            (["x"], ["y"], "the outputs 'y' need 'b' besides the inputs 'x'"),
            (["a"], (), "the outputs 'q' are not reached from the inputs 'a', but from the graph inputs 'z': add"),
            (["y"], ["c"], "the outputs 'c' are not reached from the inputs 'y', but from the graph inputs 'x', 'z'"),
            (["a", "b", "d"], ["c"], "no output needs 'd'"),
        ],
    )
    def test_incomplete_cuts_say_what_is_missing(self, inputs, outputs, says):
        with pytest.raises(EditError, match=says) as caught:
            prepare(text_model(BRANCHES), input_names=inputs, output_names=outputs)
        assert "\n" not in str(caught.value)

    def test_a_graph_input_that_is_needed_as_it_is(self):
        model = text_model("g (float[2] x, float[2] z) => (float[2] y) { a = Relu(x) y = Add(a, z) }")
        with pytest.raises(EditError, match="the outputs 'y' need 'z' besides the inputs 'a'"):
            prepare(model, input_names=["a"])
        check(model, {"a": X[0, :2], "z": Z[0, :2]}, input_names=["a", "z"])

    def test_one_of_several_results_of_a_node(self):
        model = text_model(
            """g (float[N, 4] x) => (float[N, 2] y) {
          a, b = Split <axis = 1, num_outputs = 2> (x)
          c = Mul(a, b)
          y = Add(c, a)
        }""",
            opset=18,
        )
        given = {"a": X[:, :2] + 1, "b": X[:, 2:]}
        np.testing.assert_allclose(
            check(model, given, input_names=["a", "b"]).run(given)[0], given["a"] * given["b"] + given["a"]
        )
        rep = check(model, {"x": X, "a": given["a"]}, input_names=["x", "a"])
        assert rep.inputs == ("x", "a")

    @pytest.mark.parametrize("inputs", [["r", "c"], ["x", "c"]])
    def test_values_that_bodies_capture_are_uses(self, inputs):
        model = text_model("""g (float[N, 4] x, bool c) => (float[N, 4] y) {
          r = Relu(x)
          s = Neg(r)
          i = If (c) <
            then_branch = t () => (float[N, 4] p) { p = Add(s, r) },
            else_branch = e () => (float[N, 4] q) {
              q = If (c) <then_branch = tt () => (float[N, 4] u) { u = Exp(s) },
                          else_branch = ee () => (float[N, 4] v) { v = Abs(r) }>
            }>
          y = Mul(i, i)
        }""")
        given = {"x": X, "r": np.maximum(X, 0), "c": np.array(False)}
        check(model, {name: given[name] for name in inputs}, input_names=inputs)
        with pytest.raises(EditError, match="the outputs 'y' need 's', 'r' besides the inputs 'c'"):
            prepare(model, input_names=["c"])
        with pytest.raises(EditError, match="'u' is a value of a body of If, Loop or Scan"):
            prepare(model, output_names=["u"])
        assert prepare(model, output_names=["s"]).inputs == ("x",)

    def test_a_body_that_gives_an_outer_value(self):
        model = text_model("""g (float[N, 4] x, bool c) => (float[N, 4] y) {
          r = Relu(x)
          i = If (c) <then_branch = t () => (float[N, 4] r) {},
                      else_branch = e () => (float[N, 4] q) { q = Neg(x) }>
          y = Exp(i)
        }""")
        rep = prepare(model, input_names=["x", "c"])
        np.testing.assert_allclose(rep.run(x=X, c=np.array(True))[0], np.exp(np.maximum(X, 0)), rtol=1e-5)

    def test_a_loop_body_between(self):
        model = text_model("""g (float[N, 4] x, int64 n) => (float[N, 4] y) {
          w = Exp(x)
          t = Constant <value = bool {1}> ()
          l = Loop (n, t, w) <body = b (int64 i, bool k, float[N, 4] s) => (bool kk, float[N, 4] ss) {
            kk = Identity(k)
            ss = Add(s, w)
          }>
          y = Relu(l)
        }""")
        check(model, {"w": X, "n": np.array(3)}, input_names=["w", "n"])
        check(model, {"x": X, "n": np.array(3)}, output_names=["l"])

    def test_an_initializer_becomes_an_input(self):
        model = text_model("g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { a = Add(x, w) y = Mul(a, w) }")
        check(model, {"x": X[0, :2], "w": Z[0, :2]}, input_names=["x", "w"])
        check(model, {"a": X[0, :2]}, input_names=["a"])
        assert prepare(model, output_names=["w"]).run([]).tolist() == [1, 2]

    def test_a_value_whose_type_is_not_known_is_refused_with_advice(self):
        nodes = [
            helper.make_node("Relu", ["x"], ["a"]),
            helper.make_node("Thing", ["a"], ["b"], domain="acme"),
            helper.make_node("Neg", ["b"], ["y"]),
        ]
        model = node_model(nodes, {"x": [3, 4]}, ["y"])
        model.opset_import.add(domain="acme", version=1)
        with pytest.raises(EditError, match=r"type of 'b' is not known.*acme\.Thing.*value_info.* at 'a', 'y'"):
            prepare(model, input_names=["b"])
        model.graph.value_info.append(helper.make_tensor_value_info("b", TensorProto.FLOAT, ["N", 4]))
        np.testing.assert_array_equal(prepare(model, input_names=["b"]).run(X), -X)

    def test_operators_whose_types_only_the_schema_tells(self):
        nodes = [
            helper.make_node("Relu", ["x"], ["a"]),
            helper.make_node("Binarizer", ["a"], ["b"], domain="ai.onnx.ml", threshold=0.5),
            helper.make_node("FeatureVectorizer", ["b", "a"], ["f"], domain="ai.onnx.ml", inputdimensions=[4, 4]),
            helper.make_node("Neg", ["f"], ["y"]),
        ]
        model = node_model(nodes, {"x": [3, 4]}, ["y"])
        model.opset_import.add(domain="ai.onnx.ml", version=3)
        check(model, {"b": Z, "a": X}, input_names=["b", "a"])
        rep = check(model, {"f": np.hstack([Z, X])}, input_names=["f"], input_shapes={"f": [None, 8]})
        assert rep.signatures["serving_default"].structured_input_signature[0][0].shape == (None, 8)

    def test_calls_of_the_models_functions_are_values_like_others(self):
        model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["": 17, "local": 1]>
        g (float[N, 4] x) => (float[N, 4] y) { a = local.f(x) b = local.h(a) y = Relu(b) }
        <domain: "local", opset_import: ["": 17]> f (x) => (y) { y = Exp(x) }
        <domain: "local", opset_import: ["": 17]> h (x) => (y) { t = Neg(x) y = Abs(t) }""")
        check(model, {"a": X}, input_names=["a"])
        check(model, {"x": X}, output_names=["a"])
        assert [f.name for f in cut(load_model(model), ["a"]).functions.values()] == ["h"]
        with pytest.raises(EditError, match="'t' is unknown"):
            prepare(model, output_names=["t"])

    @pytest.mark.parametrize("at", ["s", "i", "l", "o", "e"])
    def test_at_a_sequence_or_optional(self, at):
        model = text_model(
            """g (float[N, 4] x, float[N, 4] z, bool c) => (float[M, 4] y) {
          s = SequenceConstruct(x, z)
          i = If (c) <then_branch = t () => (seq(float[N, 4]) p) { p = SequenceInsert(s, x) },
                      else_branch = e () => (seq(float[N, 4]) q) { q = Identity(s) }>
          n = Constant <value_int = 2> ()
          b = Constant <value = bool {1}> ()
          l = Loop (n, b, i) <body = w (int64 k, bool g, seq(float[N, 4]) m) => (bool gg, seq(float[N, 4]) mm) {
            gg = Identity(g)
            mm = SequenceInsert(m, z)
          }>
          o = Optional(l)
          e = OptionalGetElement(o)
          y = ConcatFromSequence <axis = 0> (e)
        }""",
            opset=18,
        )
        feed = {"x": X, "z": Z, "c": np.array(True)}
        whole = ort_outputs(model, feed)["y"]
        first = prepare(model, output_names=[at])
        taken = {name: feed[name] for name in first.inputs}
        (handed,) = first.run(taken)
        rest = {"z": Z, "c": np.array(True), "x": X} if at == "s" else {"z": Z} if at == "i" else {}
        second = prepare(model, input_names=[at, *rest])
        np.testing.assert_array_equal(second.run({at: handed, **rest})[0], whole)
        source = edited_source(model, Options.of(output_names=[at]))
        if at != "o":  # ONNX Runtime gives no optionals to Python
            np.testing.assert_array_equal(ort_outputs(source, taken)[at], handed)
            source = edited_source(model, Options.of(input_names=[at, *rest]))
            np.testing.assert_array_equal(ort_outputs(source, {at: handed, **rest})["y"], whole)

    def test_names_that_are_taken(self):
        nodes = [
            helper.make_node("Split", ["x"], ["a", "a_before_cut"], axis=1),
            helper.make_node("Mul", ["a", "a_before_cut"], ["y"]),
        ]
        model = node_model(nodes, {"x": [3, 4]}, ["y"])
        check(model, {"x": X, "a": X[:, :2]}, input_names=["x", "a"])


OVERRIDABLE = "g (float[N, 2] x, float[2] w) => (float[N, 2] y) <float[2] w = {1, 2}> { a = Add(x, w) y = Mul(a, w) }"


class TestInitializersThatAreInputs:
    X = X[:, :2]

    @pytest.mark.parametrize(
        "edits",
        [
            {"batch_size": 3},
            {"input_shapes": {"x": [3, 2]}},
            {"input_shapes": {"w": [2]}},
            {"output_names": ["y"]},
            {"output_names": ["a"]},
            {"input_names": ["x"]},
            {"input_names": ["x", "w"]},
            {"input_names": ["w", "x"], "batch_size": 3},
        ],
        ids=str,
    )
    def test_they_keep_their_default_and_can_be_given(self, edits):
        model = text_model(OVERRIDABLE)
        rep = check(model, {"x": self.X}, **edits)
        assert rep.overridable == {"w"}
        assert rep.inputs == ("x",)
        given = {"x": self.X, "w": np.float32([3, 4])}
        expected = ort_outputs(edited_source(model, Options.of(**edits)), given)
        for name, want in expected.items():
            np.testing.assert_allclose(rep.run(given)[name], want, rtol=1e-6)

    def test_they_go_where_nothing_needs_them(self):
        model = text_model(OVERRIDABLE.replace("y = Mul(a, w)", "y = Neg(x)"))
        rep = check(model, {"x": self.X}, output_names=["y"])
        assert not rep.overridable

    def test_their_shape_is_that_of_the_default(self):
        with pytest.raises(EditError, match="dimension 0 of 'w' is 2, not 3"):
            prepare(text_model(OVERRIDABLE), input_shapes={"w": [3]})

    def test_a_symbol_of_theirs_never_contradicts_the_default(self):
        model = text_model(OVERRIDABLE)
        model.graph.input[1].type.tensor_type.shape.dim[0].dim_param = "N"
        check(model, {"x": self.X}, batch_size=3)


def optional_model() -> onnx.ModelProto:
    kind = helper.make_optional_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, ["N", 4]))
    model = text_model(
        """g (float[N, 4] x, float[N, 4] o) => (float[N, 4] y, bool h) {
      h = OptionalHasElement(o)
      a = Relu(x)
      y = If (h) <then_branch = t () => (float[N, 4] p) { e = OptionalGetElement(o) p = Add(a, e) },
                  else_branch = e () => (float[N, 4] q) { q = Identity(a) }>
    }""",
        opset=18,
    )
    model.graph.input[1].type.CopyFrom(kind)
    return model


class TestOptionalInputs:
    @pytest.mark.parametrize("edits", [{"batch_size": 3}, {"input_shapes": {"o": [3, 4]}}, {"output_names": ["y"]}])
    def test_they_may_be_absent_still(self, edits):
        rep = prepare(optional_model(), **edits)
        np.testing.assert_array_equal(rep.run({"x": X, "o": None})["y"], np.maximum(X, 0))
        np.testing.assert_array_equal(rep.run({"x": X, "o": Z})["y"], np.maximum(X, 0) + Z)

    def test_they_go_where_nothing_needs_them(self):
        assert prepare(optional_model(), output_names=["a"]).inputs == ("x",)
        assert prepare(optional_model(), output_names=["h"]).inputs == ("o",)
        np.testing.assert_array_equal(prepare(optional_model(), input_names=["a", "o"]).run([X, None])["y"], X)


class TestTheEditedSource:
    def test_it_is_the_source_where_nothing_is_edited(self, tmp_path):
        path = external_model(tmp_path)
        assert edited_source(path, Options()) is path

    def test_it_holds_external_data(self, tmp_path):
        source = edited_source(external_model(tmp_path), Options.of(output_names=["y"]))
        x = np.ones((4, 4), np.float32)
        np.testing.assert_array_equal(ort_outputs(source, {"x": x})["y"], x + np.arange(16).reshape(4, 4))

    def test_it_has_dimensions_that_loading_opened(self):
        model = text_model("g (float[0, 2] x) => (float[0, 2] y) { y = Relu(x) }")
        x = np.ones((3, 2), np.float32)
        np.testing.assert_array_equal(ort_outputs(edited_source(model, Options()), {"x": x})["y"], x)

    def test_maps_keep_their_types(self):
        graph = helper.make_graph(
            [
                helper.make_node("CastMap", ["m"], ["t"], domain="ai.onnx.ml", map_form="SPARSE", max_map=3),
                helper.make_node("Relu", ["t"], ["y"]),
                helper.make_node("Neg", ["y"], ["z"]),
            ],
            "g",
            [onnx.ValueInfoProto(name="m")],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "yz"],
        )
        kind = graph.input[0].type.map_type
        kind.key_type = TensorProto.INT64
        kind.value_type.tensor_type.elem_type = TensorProto.FLOAT
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        feed = {"m": {0: -1.0, 2: 3.0}}
        rep = prepare(model, output_names=["y"])
        want = ort_outputs(edited_source(model, Options.of(output_names=["y"])), feed)["y"]
        np.testing.assert_array_equal(rep.run(feed), want)
        with pytest.raises(EditError, match="'m' is no tensor"):
            prepare(model, input_shapes={"m": [1]})


def test_options_are_hashable():
    edits = {"batch_size": 2, "input_shapes": {"x": [1, None, "?"]}, "input_names": ["x"], "output_names": "y"}
    options = Options.of(layout="keep", channels_last_inputs=["x"], **edits)
    assert hash(options) == hash(Options.of(layout="keep", channels_last_inputs=("x",), **edits))
    assert options.output_names == ("y",)
    assert dataclasses.replace(options, batch_size=3) != options
    assert Options.of(channels_last_outputs="all").channels_last_outputs == "all"


ODD = {
    "input_names must be a list of names, not 5": {"input_names": 5},
    r"output_names must be a list of names, not \[5\]": {"output_names": [5]},
    "output_names must be a list of names, not b'y'": {"output_names": b"y"},
    "channels_last_inputs must be a list of names, not 3": {"channels_last_inputs": 3},
    r"input_shapes must be a dict of shapes by input name, not \[1, 3\]": {"input_shapes": [1, 3]},
    "device 3 is not known": {"device": 3},
    "batch_size must be a positive whole number, got 9223372036854775808; the largest is 9223372036854775807": {
        "batch_size": 1 << 63
    },
    "9223372036854775808 is no dimension of 'x'": {"input_shapes": {"x": [1 << 63, 3]}},
    "True is no dimension of 'x'": {"input_shapes": {"x": [True, 3]}},
}


@pytest.mark.parametrize("message", ODD)
def test_values_of_no_sense(message):
    with pytest.raises(OptionError, match=message):
        prepare(text_model("g (float[N, 3] x) => (float[N, 3] y) { y = Relu(x) }"), **ODD[message])


def test_convert_checks_the_edited_model(tmp_path):
    shape = {"x": [5, 3, 4]}
    model = text_model(TWO)
    done = convert(model, tmp_path / "out", input_shapes=shape, output_names=["y"], freeze=True, check=True)
    assert done.accuracy is not None
    assert [output.name for output in done.accuracy.outputs] == ["y"]
    assert done.accuracy.fits
    signature = tf.saved_model.load(str(done.path)).signatures["serving_default"]
    assert signature.structured_input_signature[1]["z"].shape == (5, 3, 1)
    assert signature.structured_outputs["y"].shape == (5, 3, 4)
