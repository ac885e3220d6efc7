from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper

from onnx_tf import InputError, ModelError, OnnxTfError, UnsupportedError, prepare
from onnx_tf.model.loading import load_model
from onnx_tf.model.validation import MAX_IR_VERSION
from test.models import external_model, node_model, relu_model, text_model
from test.reference import ort_outputs

X = np.array([[-1, 0, 2]], np.float32)


@pytest.mark.parametrize("source", ["path", "str", "bytes", "bytearray", "proto", "ir"])
def test_every_source_loads_and_is_left_unchanged(tmp_path, source):
    proto = relu_model()
    data = proto.SerializeToString()
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    given = {
        "path": path,
        "str": str(path),
        "bytes": data,
        "bytearray": bytearray(data),
        "proto": proto,
        "ir": ir.from_proto(proto),
    }[source]
    for _ in range(2):
        np.testing.assert_array_equal(prepare(given).run(X), [[0, 0, 2]])
    assert proto.SerializeToString() == data


def cyclic():
    nodes = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])]
    return node_model(nodes, {"x": [1]}, ["b"])


def self_reading():
    return node_model([helper.make_node("Add", ["x", "a"], ["a"])], {"x": [1]}, ["a"])


def missing_value():
    return node_model([helper.make_node("Add", ["x", "nowhere"], ["y"], name="adder")], {"x": [1]}, ["y"])


def missing_output():
    return node_model([helper.make_node("Relu", ["x"], ["y"])], {"x": [1]}, ["z"])


def two_producers():
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Abs", ["x"], ["y"], name="second")]
    return node_model(nodes, {"x": [1]}, ["y"])


def input_overwritten():
    return node_model([helper.make_node("Relu", ["x"], ["x"], name="eater")], {"x": [1]}, ["x"])


def duplicate_input():
    model = relu_model()
    model.graph.input.append(model.graph.input[0])
    return model


def duplicate_initializer():
    model = node_model([helper.make_node("Add", ["x", "w"], ["y"])], {"x": [1]}, ["y"], {"w": np.ones(1, np.float32)})
    model.graph.initializer.append(model.graph.initializer[0])
    return model


def unknown_opset():
    return relu_model(opset=999)


def no_opset():
    model = relu_model()
    del model.opset_import[:]
    return model


def no_opset_for_domain():
    return node_model([helper.make_node("Thing", ["x"], ["y"], domain="acme")], {"x": [1]}, ["y"])


def new_ir_version():
    return relu_model(ir_version=MAX_IR_VERSION + 1)


def no_ir_version():
    model = relu_model()
    model.ClearField("ir_version")
    return model


def no_graph():
    model = relu_model()
    model.ClearField("graph")
    return model


def short_initializer():
    model = node_model([helper.make_node("Add", ["x", "w"], ["y"])], {"x": [4]}, ["y"], {"w": np.ones(4, np.float32)})
    model.graph.initializer[0].raw_data = b"1234"
    return model


def huge_initializer():
    model = node_model([helper.make_node("Add", ["x", "w"], ["y"])], {"x": [4]}, ["y"], {"w": np.ones(4, np.float32)})
    model.graph.initializer[0].dims[:] = [1 << 40, 1 << 40]
    return model


def negative_initializer():
    model = node_model([helper.make_node("Add", ["x", "w"], ["y"])], {"x": [4]}, ["y"], {"w": np.ones(4, np.float32)})
    model.graph.initializer[0].dims[:] = [-4]
    return model


def unknown_dtype():
    model = node_model([helper.make_node("Add", ["x", "w"], ["y"])], {"x": [4]}, ["y"], {"w": np.ones(4, np.float32)})
    model.graph.initializer[0].data_type = 999
    return model


def input_without_type():
    model = relu_model()
    model.graph.input[0].ClearField("type")
    return model


def recursive_functions():
    model = text_model("g (float[1] x) => (float[1] y) { y = local.f(x) }")
    model.opset_import.add(domain="local", version=1)
    for name, callee in (("f", "h"), ("h", "f")):
        body = [helper.make_node(callee, ["a"], ["b"], domain="local")]
        model.functions.append(
            helper.make_function("local", name, ["a"], ["b"], body, [helper.make_opsetid("local", 1)])
        )
    return model


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (cyclic, "cycle"),
        (self_reading, "cycle"),
        (missing_value, "node 'adder' (Add) reads 'nowhere'"),
        (missing_output, "'z' is computed by no node"),
        (two_producers, "'second' (Abs) writes the value 'y'"),
        (input_overwritten, "'x'"),
        (duplicate_input, "graph input 'x'"),
        (duplicate_initializer, "'w'"),
        (unknown_opset, "opset 999"),
        (no_opset, "imports no opset"),
        (new_ir_version, f"IR version {MAX_IR_VERSION + 1}"),
        (no_ir_version, "no IR version"),
        (no_graph, "no graph"),
        (short_initializer, "'w'"),
        (huge_initializer, "'w'"),
        (negative_initializer, "'w'"),
        (unknown_dtype, "'w'"),
        (input_without_type, "'x'"),
        (recursive_functions, "function"),
    ],
)
def test_a_broken_model_is_refused_in_one_line(make, says):
    with pytest.raises(ModelError) as caught:
        prepare(make())
    message = str(caught.value)
    assert says in message
    assert "\n" not in message
    assert 20 < len(message) < 300


def test_a_missing_import_names_the_domain():
    with pytest.raises(UnsupportedError, match="imports no opset for domain 'acme'"):
        prepare(no_opset_for_domain())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"hello world, this is a text file", "not an ONNX model"),
        (bytes(1000), "not an ONNX model"),
        (relu_model().SerializeToString()[:-20], "cut short"),
        (relu_model().SerializeToString()[:12], ""),
    ],
)
def test_what_is_no_model_is_refused_in_one_line(tmp_path, content, says):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    for source in (path, content):
        with pytest.raises(ModelError) as caught:
            prepare(source)
        assert says in str(caught.value)
        assert "\n" not in str(caught.value)


def test_every_truncation_is_an_error_of_ours():
    model = node_model([helper.make_node("Add", ["x", "w"], ["y"])], {"x": [4]}, ["y"], {"w": np.ones(4, np.float32)})
    data = model.SerializeToString()
    for length in range(len(data)):
        try:
            load_model(data[:length])
        except OnnxTfError as error:
            assert "\n" not in str(error)  # noqa: PT017


@pytest.mark.parametrize("source", [None, 3, ["model.onnx"], object()])
def test_other_types_are_refused(source):
    with pytest.raises(ModelError, match="pass a path, bytes"):
        prepare(source)


def test_a_folder_and_a_missing_file_are_refused(tmp_path):
    with pytest.raises(ModelError, match=r"is a directory: pass the \.onnx file"):
        prepare(tmp_path)
    with pytest.raises(ModelError, match="does not exist"):
        prepare(tmp_path / "none.onnx")
    with pytest.raises(ModelError):
        prepare("")


@pytest.mark.parametrize("name", ["file/model.onnx", "m" * 300])
def test_an_unreadable_file_is_refused(name, tmp_path):
    (tmp_path / "file").write_bytes(relu_model().SerializeToString())
    with pytest.raises(ModelError, match=r"cannot be read|does not exist"):  # which, the platform decides
        prepare(tmp_path / name)


class TestExternalData:
    def test_it_is_found_beside_the_model(self, tmp_path, monkeypatch):
        path = external_model(tmp_path)
        x = np.ones((4, 4), np.float32)
        expected = x + np.arange(16, dtype=np.float32).reshape(4, 4)
        np.testing.assert_array_equal(prepare(path).run(x), expected)
        monkeypatch.chdir(tmp_path)
        np.testing.assert_array_equal(prepare("model.onnx").run(x), expected)
        np.testing.assert_array_equal(prepare(onnx.load(path)).run(x), expected)

    def test_a_subfolder_is_fine(self, tmp_path):
        (tmp_path / "data").mkdir()
        assert prepare(external_model(tmp_path, location="data/w.bin")).run(np.zeros((4, 4), np.float32))[0][0, 1] == 1

    def test_the_file_may_go_once_the_model_is_prepared(self, tmp_path):
        rep = prepare(external_model(tmp_path))
        (tmp_path / "w.bin").unlink()
        assert rep.run(np.zeros((4, 4), np.float32))[0][0, 1] == 1

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            (lambda folder: (folder / "w.bin").unlink(), "does not exist"),
            (lambda folder: (folder / "w.bin").write_bytes(bytes(60)), "cut short"),
            (lambda folder: ((folder / "w.bin").unlink(), (folder / "w.bin").mkdir()), "does not exist"),
        ],
    )
    def test_missing_and_short_files_are_refused(self, tmp_path, change, says):
        path = external_model(tmp_path)
        change(tmp_path)
        with pytest.raises(ModelError, match=says):
            prepare(path)

    @pytest.mark.parametrize("kind", ["parent", "absolute", "symlink", "linked folder"])
    def test_a_file_outside_the_folder_is_refused(self, tmp_path, kind):
        secret = tmp_path / "secret.bin"
        secret.write_bytes(bytes(64))
        folder = tmp_path / "model"
        folder.mkdir()
        location = {"parent": "../secret.bin", "absolute": str(secret), "linked folder": "up/secret.bin"}.get(kind, "w")
        if kind == "linked folder":
            (folder / "up").symlink_to(tmp_path)
        path = external_model(folder, location=location)
        if kind == "symlink":
            (folder / "w").unlink()
            (folder / "w").symlink_to(secret)
        with pytest.raises(ModelError, match="outside the model's folder"):
            prepare(path)

    def test_bytes_have_no_folder(self, tmp_path):
        path = external_model(tmp_path)
        with pytest.raises(ModelError, match="came without a folder"):
            prepare(path.read_bytes())


def sparse_model(values, indices, dims, *, constant=False) -> onnx.ModelProto:
    tensor = helper.make_sparse_tensor(
        onnx.numpy_helper.from_array(np.array(values, np.float32), "w"),
        onnx.numpy_helper.from_array(np.array(indices, np.int64), "w_indices"),
        dims,
    )
    nodes = [helper.make_node("Add", ["x", "w"], ["y"])]
    if constant:
        nodes.insert(0, helper.make_node("Constant", [], ["w"], sparse_value=tensor))
    model = node_model(nodes, {"x": dims}, ["y"])
    if not constant:
        model.graph.sparse_initializer.append(tensor)
    return model


@pytest.mark.parametrize("constant", [False, True])
class TestSparseTensors:
    @pytest.mark.parametrize(
        ("values", "indices", "dims"),
        [
            ([5, 6], [2, 0], [4]),
            ([5, 6], [0, 3], [2, 2]),
            ([5, 6], [[0, 1], [1, 0]], [2, 2]),
            ([], np.zeros(0), [3]),
            ([], np.zeros((0, 2)), [3, 2]),
        ],
    )
    def test_they_become_dense(self, constant, values, indices, dims):
        model = sparse_model(values, indices, dims, constant=constant)
        x = np.ones(dims, np.float32)
        (expected,) = ort_outputs(model, {"x": x}).values()
        np.testing.assert_array_equal(prepare(model).run(x), expected)

    @pytest.mark.parametrize(
        ("indices", "dims", "says"),
        [
            ([0, -1], [4], "at -1"),
            ([0, 4], [4], "at 4"),
            ([0, -3], [2, 2], "at -3"),
            ([[0, 1], [1, -1]], [2, 2], r"at \[1, -1\]"),
            ([[0, 1], [1, 2]], [2, 2], r"at \[1, 2\]"),
            ([[0, 2], [1, 1]], [4], "one position per value"),
            ([0], [4], "one position per value"),
            ([[0], [1]], [2, 2], "one position per value"),
        ],
    )
    def test_a_position_outside_is_refused_as_by_onnxruntime(self, constant, indices, dims, says):
        model = sparse_model([5, 6], indices, dims, constant=constant)
        with pytest.raises(Exception, match="ONNXRuntimeError"):
            ort_outputs(model, {"x": np.ones(dims, np.float32)})
        with pytest.raises(ModelError, match=f"sparse tensor 'w' .*{says}"):
            load_model(model)

    @pytest.mark.parametrize("part", ["values", "indices"])
    def test_external_data_lies_beside_the_model(self, constant, part, tmp_path, monkeypatch):
        model = sparse_model([5, 6], [3, 0], [4], constant=constant)
        expected = prepare(model).run(np.zeros(4, np.float32))
        found = model.graph.node[0].attribute[0].sparse_tensor if constant else model.graph.sparse_initializer[0]
        tensor = getattr(found, part)
        folder = tmp_path / "model"
        folder.mkdir()
        (folder / "data.bin").write_bytes(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        location = tensor.external_data.add(key="location", value="data.bin")
        path = folder / "model.onnx"
        path.write_bytes(model.SerializeToString())
        monkeypatch.chdir(tmp_path)
        (tmp_path / "data.bin").write_bytes(bytes(64))
        np.testing.assert_array_equal(prepare(path).run(np.zeros(4, np.float32)), expected)
        with pytest.raises(ModelError, match="came without a folder"):
            load_model(path.read_bytes())
        location.value = "../data.bin"
        path.write_bytes(model.SerializeToString())
        with pytest.raises(ModelError, match="outside the model's folder"):
            load_model(path)
        location.value = "none.bin"
        path.write_bytes(model.SerializeToString())
        with pytest.raises(ModelError, match="does not exist"):
            load_model(path)
        location.value = "data.bin"
        path.write_bytes(model.SerializeToString())
        (folder / "data.bin").write_bytes(bytes(2))
        with pytest.raises(ModelError, match="cut short"):
            load_model(path)


def dims_model(inputs, outputs) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, inputs)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, outputs)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


class TestDimensionsThatStandForOpenOnes:
    @pytest.mark.parametrize("outputs", [[-1, -1], [-1, 3], ["N", 3], None, [-7, -9]])
    def test_negative_ones_are_open(self, outputs):
        model = dims_model([-1, 3], outputs)
        rep = prepare(model)
        for rows in (2, 0, 5):
            x = np.full((rows, 3), -1, np.float32)
            np.testing.assert_array_equal(rep.run(x), ort_outputs(model, {"x": x})["y"])
        assert rep.signatures["serving_default"].structured_input_signature[0][0].shape == (None, 3)

    def test_they_are_in_bodies_too(self):
        model = text_model(
            "g (float[N] x, bool c) => (float[N] y) { y = If (c) <then_branch = t () => (float[2] a) "
            "{ a = Relu(x) }, else_branch = e () => (float[2] b) { b = Neg(x) }> }"
        )
        for attribute in model.graph.node[0].attribute:
            attribute.g.output[0].type.tensor_type.shape.dim[0].dim_value = -1
        x = np.float32([1, -2, 3])
        np.testing.assert_array_equal(prepare(model).run(x=x, c=np.array(False)), -x)

    @pytest.mark.parametrize("outputs", [[0, 3], [0, 0], ["N", 3]])
    def test_zeros_are_open_where_else_nothing_would_be_computed(self, outputs):
        x = np.full((2, 3), -1, np.float32)
        np.testing.assert_array_equal(prepare(dims_model([0, 3], outputs)).run(x), np.zeros((2, 3)))
        assert prepare(dims_model([0, 3], outputs)).run(x[:0]).shape == (0, 3)

    def test_zeros_are_lengths_where_an_output_has_elements(self):
        model = text_model("g (float[0, 3] x, float[2, 3] z) => (float[2, 3] y) { y = Concat <axis = 0> (x, z) }")
        z = np.ones((2, 3), np.float32)
        np.testing.assert_array_equal(prepare(model).run([np.zeros((0, 3), np.float32), z]), z)
        with pytest.raises(InputError, match=r"'x' is float32\[0, 3\]"):
            prepare(model).run([z, z])


def test_all_unsupported_nodes_are_named():
    nodes = [helper.make_node(f"Thing{i % 4}", ["x"], [f"y{i}"], name=f"node_{i}", domain="acme") for i in range(5)]
    model = node_model(nodes, {"x": [1]}, [f"y{i}" for i in range(5)])
    model.opset_import.add(domain="acme", version=1)
    with pytest.raises(UnsupportedError) as caught:
        prepare(model)
    assert [node.name for node in caught.value.nodes] == [f"node_{i}" for i in range(5)]
    for i in range(5):
        assert f"'node_{i}'" in str(caught.value)
    assert "acme.Thing3" in str(caught.value)
    assert "@onnx_op" in str(caught.value)


@pytest.mark.parametrize("ir_version", [3, 4, 8, MAX_IR_VERSION])
def test_ir_versions(ir_version):
    np.testing.assert_array_equal(prepare(relu_model(ir_version=ir_version)).run(X), [[0, 0, 2]])


def test_old_models_without_opset_import_have_opset_1():
    model = relu_model(ir_version=1)
    del model.opset_import[:]
    assert load_model(model).opset_imports == {"": 1}


def test_nodes_are_sorted():
    nodes = [helper.make_node("Neg", ["a"], ["y"]), helper.make_node("Relu", ["x"], ["a"])]
    np.testing.assert_array_equal(prepare(node_model(nodes, {"x": [2]}, ["y"])).run([-1.0, 2.0]), [0, -2])


def nested(levels: int) -> onnx.ModelProto:
    def body(name: str, node: onnx.NodeProto) -> onnx.GraphProto:
        return helper.make_graph([node], name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])])

    graph = body("y0", helper.make_node("Relu", ["x"], ["y0"]))
    for level in range(1, levels):
        name = f"y{level}"
        other = body(f"{name}_else", helper.make_node("Neg", ["x"], [f"{name}_else"]))
        graph = body(name, helper.make_node("If", ["c"], [name], then_branch=graph, else_branch=other))
    graph.input.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, [1]))
    graph.input.append(helper.make_tensor_value_info("c", TensorProto.BOOL, []))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("levels", [30, 90])
def test_deep_nesting_never_crashes(levels):
    """Protocol buffers stop at a depth of 100 messages, which is some 30 levels of If: some versions refuse more."""
    with contextlib.suppress(DecodeError):
        assert len(load_model(nested(levels)).graph) == 1


def test_unnamed_nodes_get_stable_names_of_their_own():
    body = "g (float[1] x) => (float[1] y) { a = Relu(x) b = Relu(a) y = Relu(b) }"
    names = [[node.name for node in load_model(text_model(body)).graph] for _ in range(2)]
    assert names[0] == names[1]
    assert len(set(names[0])) == 3
    assert all(names[0])


def test_node_names_that_clash_with_invented_ones_stay():
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Relu", ["a"], ["y"], name="Relu_0"),
    ]
    names = [node.name for node in load_model(node_model(nodes, {"x": [1]}, ["y"])).graph]
    assert names[1] == "Relu_0"
    assert names[0] != "Relu_0"


def test_loading_is_lazy_about_huge_declared_dimensions():
    model = text_model("g (float[1000000, 1000000] x) => (float[1000000, 1000000] y) { y = Relu(x) }")
    assert prepare(model).inputs == ("x",)


def test_loaded_models_keep_external_weights_mapped(tmp_path):
    model = load_model(external_model(tmp_path))
    assert isinstance(model.graph.initializers["w"].const_value, ir.ExternalTensor)
    assert Path(model.graph.initializers["w"].const_value.base_dir) == tmp_path


def in_memory(first, second, output):
    x = ir.val("x", ir.DataType.FLOAT, ["N", 3])
    nodes = [ir.node("Relu", [x])]
    for op_type in ("Exp", "Neg"):
        nodes.append(ir.node(op_type, nodes[-1].outputs))
    for node, name in zip(nodes, (first, second, output), strict=True):
        node.outputs[0].name = name
    nodes[-1].outputs[0].type = ir.TensorType(ir.DataType.FLOAT)
    graph = ir.Graph([x], nodes[-1].outputs, nodes=nodes, opset_imports={"": 17}, name="g")
    return ir.Model(graph, ir_version=8)


@pytest.mark.parametrize("names", [("a", "a", "y"), ("y", "y", "y"), ("x", "x", "y"), (None, None, "y"), ("", "", "y")])
def test_values_of_a_model_in_memory_may_share_a_name_or_have_none(names):
    model = in_memory(*names)
    before = [node.outputs[0].name for node in model.graph]
    rep = prepare(model)
    assert rep.outputs == ("y",)
    values = rep.intermediate_values(X)
    assert len(values) == 4
    for value, expected in zip(values.values(), (X, np.maximum(X, 0), np.exp(np.maximum(X, 0))), strict=False):
        np.testing.assert_allclose(value, expected, rtol=1e-6)
    np.testing.assert_allclose(values["y"], -np.exp(np.maximum(X, 0)), rtol=1e-6)
    assert [node.outputs[0].name for node in model.graph] == before


def test_an_output_without_a_name_gets_one():
    (name,) = prepare(in_memory("a", "b", "")).outputs
    assert name


def test_a_path_with_a_null_character():
    with pytest.raises(ModelError, match="holds a null character"):
        prepare("a\0b.onnx")


@pytest.mark.parametrize("equation", ["i1->i", "i;j->ij", "[i]->i", "i*j->ij"])
def test_an_equation_holds_letters_alone(equation):
    model = text_model("g (float[2] x) => (float[2] y) { y = Relu(x) }")
    model.graph.node[0].CopyFrom(onnx.helper.make_node("Einsum", ["x"], ["y"], name="e", equation=equation))
    with pytest.raises(ModelError, match=r"node 'e' \(Einsum\) has the equation .*: it takes letters from a to z"):
        prepare(model)
