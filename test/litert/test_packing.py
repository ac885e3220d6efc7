"""Files written small: what is equal is stored once, and no reader sees a difference."""

from __future__ import annotations

import copy

import flatbuffers
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from tensorflow.lite.python import schema_py_generated as schema

from onnx_tf import convert
from onnx_tf.export.packing import ALIGNMENT, fewest_buffers, packed
from test.litert.test_post_training import X, network, one_process  # noqa: F401


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("packing") / "model.tflite"
    return convert(network(), path, tflite=["integer_quant"], data={"x": X}, check=False).path


def opened(content) -> schema.ModelT:
    return schema.ModelT.InitFromPackedBuf(bytes(content), 0)


def plain(model) -> bytes:
    """The file as the schema's own writer writes it: each part where it is used."""

    class Builder(flatbuffers.Builder):
        def StartVector(self, size, count, alignment):  # noqa: N802
            return super().StartVector(size, count, ALIGNMENT if size == 1 else alignment)

    builder = Builder()
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def fields(part):
    """What a part of a file holds, in a form that compares to the last bit."""
    if isinstance(part, list):
        return [fields(element) for element in part]
    if isinstance(part, np.ndarray):
        return part.dtype.str, part.tobytes()
    if hasattr(part, "__dict__"):
        return type(part), {name: fields(value) for name, value in vars(part).items()}
    return part


def quantised(rng) -> schema.TensorT:
    """A tensor with steps, of few choices, so that many are equal in parts."""
    tensor, told = schema.TensorT(), schema.QuantizationParametersT()
    count = int(rng.choice([1, 2, 6]))
    told.scale = rng.choice(np.array([0.5, 2], np.float32), count)
    told.zeroPoint = rng.choice(np.array([0, 1 << 32], np.int64), count)
    told.quantizedDimension = int(rng.choice([0, 3]))
    tensor.shape = rng.choice(np.array([1, 2], np.int32), int(rng.choice([1, 2, 4])))
    tensor.name, tensor.type, tensor.quantization = str(rng.integers(3)).encode(), int(rng.choice([0, 9])), told
    tensor.hasRank, tensor.isVariable = bool(rng.integers(2)), bool(rng.integers(2))
    return tensor


def operator(rng) -> schema.OperatorT:
    made = schema.OperatorT()
    made.inputs, made.outputs = (rng.choice(np.array([0, 1], np.int32), 2) for _ in range(2))
    kind = str(rng.choice(["Conv2DOptions", "AddOptions", "ReshapeOptions", "SqueezeOptions", "SoftmaxOptions"]))
    made.builtinOptionsType, made.builtinOptions = getattr(schema.BuiltinOptions, kind), getattr(schema, f"{kind}T")()
    for name, value in vars(made.builtinOptions).items():
        if value is None:
            setattr(made.builtinOptions, name, rng.choice(np.array([1, 2], np.int32), 2))
        elif isinstance(value, (int, float)):
            setattr(made.builtinOptions, name, type(value)(rng.integers(2)))
    return made


@pytest.mark.parametrize("seed", range(20))
def test_all_parts_come_back(seed):
    rng = np.random.default_rng(seed)
    model = schema.ModelT()
    model.buffers, model.subgraphs, model.description = [], [], "many parts"
    for size in rng.integers(0, 40, 30):
        buffer = schema.BufferT()
        buffer.data = rng.integers(0, 2, size).astype(np.uint8) if size else None
        buffer.offset = int(rng.choice([0, 1 << 40]))  # of 8 bytes, which are padded by where they lie
        model.buffers.append(buffer)
    for _ in range(2):
        graph = schema.SubGraphT()
        graph.tensors = [quantised(rng) for _ in range(60)]
        graph.operators = [operator(rng) for _ in range(60)]
        graph.inputs = graph.outputs = np.array([0, 1], np.int32)
        model.subgraphs.append(graph)
    whole = plain(model)
    small = packed(model, 0)
    assert fields(opened(small)) == fields(opened(whole))
    assert len(small) < 0.7 * len(whole)


def test_equal_zero_points_are_stored_once():
    def size(count):
        model, graph = schema.ModelT(), schema.SubGraphT()
        model.subgraphs, graph.tensors = [graph], []
        for place in range(count):
            tensor = schema.TensorT()
            tensor.name, tensor.quantization = str(place).zfill(3), schema.QuantizationParametersT()
            tensor.quantization.scale = np.full(1000, place, np.float32)
            tensor.quantization.zeroPoint = np.zeros(1000, np.int64)
            graph.tensors.append(tensor)
        return len(packed(model, 0))

    assert 4000 <= size(9) - size(8) < 4100


def test_weights_lie_where_processors_want_them(file):
    model = schema.Model.GetRootAsModel(file.read_bytes(), 0)
    tables = [model.Buffers(index)._tab for index in range(model.BuffersLength())]
    places = [table.Vector(table.Offset(4)) for table in tables if table.Offset(4)]
    assert len(places) > 3
    assert not any(place % ALIGNMENT for place in places)


def lite(content):
    return Interpreter(model_content=content)


def lite_without_xnnpack(content):
    return Interpreter(
        model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )


def tensorflow(content):
    return tf.lite.Interpreter(model_content=content)


def compiled(content, feed):
    model = CompiledModel.from_buffer(content)
    inputs, outputs = model.create_input_buffers(0), model.create_output_buffers(0)
    inputs[0].write(feed)
    model.run_by_index(0, inputs, outputs)
    return outputs[0].read(5, np.float32)


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
@pytest.mark.parametrize("reader", [lite, lite_without_xnnpack, tensorflow, compiled])
def test_readers_see_no_difference(file, reader):
    small = file.read_bytes()
    whole = plain(opened(small))
    assert len(small) < len(whole)
    if reader is compiled:
        found = [compiled(content, X[:1]) for content in (small, whole)]
    else:
        found = [reader(content).get_signature_runner()(x=X[:1])["y"] for content in (small, whole)]
    np.testing.assert_array_equal(*found)
    assert np.ptp(found[0])


def test_tensors_without_numbers_have_the_first_buffer_and_others_keep_theirs():
    model, graph = schema.ModelT(), schema.SubGraphT()
    contents = [None, [1, 2], None, [3], [1, 2], None, None, [9]]
    model.subgraphs, model.buffers = [graph], [schema.BufferT() for _ in contents]
    for buffer, content in zip(model.buffers, contents, strict=True):
        buffer.data = None if content is None else np.array(content, np.uint8)
    model.buffers[6].offset = 1000  # behind the flatbuffer, as those of large files
    graph.tensors = [schema.TensorT() for _ in range(6)]
    for tensor, buffer in zip(graph.tensors, [2, 4, 1, 5, 6, 3], strict=True):
        tensor.buffer = buffer
    graph.tensors[3].isVariable = True
    entry = schema.MetadataT()
    entry.buffer, model.metadata = 3, [entry]
    before = copy.copy(model.buffers)
    fewest_buffers(model)
    kept = [model.buffers[holder.buffer] for holder in (*graph.tensors, entry)]
    assert graph.tensors[0].buffer == 0
    assert kept[0].data is None
    assert [before.index(buffer) for buffer in kept[1:]] == [1, 1, 5, 6, 3, 3]
    assert len(model.buffers) == 5
