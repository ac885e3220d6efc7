"""Models as source: that it runs without this package, how it reads, and how it is laid out."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from onnx import numpy_helper

import onnx_tf
from onnx_tf.cli import main
from onnx_tf.export.keras import build
from onnx_tf.export.keras_files import write_npz
from onnx_tf.export.keras_source import source_of
from onnx_tf.export.keras_source.expressions import called, laid_out, listed, literal, subscript
from onnx_tf.options import Options
from onnx_tf.targets import KERAS
from test.keras.networks import resnet18
from test.keras.sources import write_sources
from test.models import text_model
from test.test_docs import ROOT, image_network

RUFF = [sys.executable, "-m", "ruff", "format", "--isolated"]


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> tuple[Path, dict[str, str]]:
    folder = tmp_path_factory.mktemp("sources")
    return folder, write_sources(folder)


def source(model) -> str:
    rep = build(model, Options(target=KERAS))
    return source_of(rep, "model.py")[0]


def functions(text: str) -> list[str]:
    return [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]


def test_ten_sources_run_where_the_package_is_not(sources):
    folder, texts = sources
    assert len(texts) == 10
    script = Path(__file__).with_name("run_sources.py")
    done = subprocess.run([sys.executable, str(script), str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert done.stdout.count(" ok ") == 10


def test_sources_are_laid_out_as_formatters_do_and_import_keras_alone(sources):
    folder, texts = sources
    done = subprocess.run(
        [*RUFF, "--check", *map(str, folder.glob("*.py"))], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    for text in texts.values():
        names = {n.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for n in node.names}
        names |= {node.module for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}
        assert names <= {"keras", "numpy"}


def test_a_resnet_reads_like_the_paper(sources):
    text = sources[1]["resnet18"]
    assert text.count("\n") <= 80
    assert functions(text) == ["block", "block_with_downsample", "build_model", "load_weights"]
    assert 'x = block(x, filters=4, name="layer1_layer1_0")' in text
    assert 'x = block_with_downsample(x, filters=32, name="layer4_layer4_0")' in text


def test_a_bert_has_one_layer_that_is_called_twelve_times(sources):
    text = sources[1]["bert"]
    assert text.count("\n") <= 150
    assert "layer" in functions(text)
    assert "    for i in range(12):\n        x = layer(x, " in text


def test_layers_are_called_as_in_the_keras_file(sources):
    namespace: dict[str, object] = {}
    exec(sources[1]["resnet18"], namespace)
    names = [layer.name for layer in namespace["build_model"]().layers]  # type: ignore[operator]
    assert sorted(names) == sorted(layer.name for layer in onnx_tf.to_keras(resnet18()).layers)


def test_what_has_no_scopes_is_found_by_repetition():
    lines = [f"a{i} = Conv(x{i}, w, b) b{i} = Sigmoid(a{i}) x{i + 1} = Mul(a{i}, b{i})" for i in range(6)]
    model = text_model(f"g (float[n, 4, 8, 8] x0) => (float[n, 4, 8, 8] y) {{ {' '.join(lines)} y = Relu(x6) }}")
    rng = np.random.default_rng(0)
    for name, shape in (("w", (4, 4, 1, 1)), ("b", (4,))):
        model.graph.initializer.append(numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name))
    text = source(model)
    assert len(functions(text)) == 3
    assert "    for i in range(" in text


@pytest.mark.parametrize("count", [2, 5])
def test_values_that_are_equal_in_one_block_alone_stay_apart(count, tmp_path):
    """The first repetition takes one value for two parameters."""
    block = "c{i} = Sin({a}) d{i} = Cos(c{i}) e{i} = Exp(d{i}) f{i} = Tanh(e{i}) h{i} = Neg(f{i}) x{j} = Sub(h{i}, {b})"
    lines = ["a = Sqrt(x0) b = Floor(x0)"]
    for i in range(count):
        lines.append(block.format(i=i, j=i + 1, a=f"x{i}" if i < 1 else "a", b=f"x{i}"))
    model = text_model(
        f"g (float[n, 3] x0) => (float[n, 3] y) {{ {' '.join(lines)} z = Add(x{count}, b) y = Add(z, a) }}"
    )
    assert onnx_tf.convert(model, tmp_path / "model.py", check={"x0": np.float32([[1, 2.5, 3]])}).fits


def test_paddings_that_differ_between_sides(tmp_path):
    body = """g (float[1, 2, 8, 9] x) => (float[1, 3, 9, 10] y, float[1, 2, 9, 9] z) {
        y = ConvTranspose<kernel_shape=[3, 3], pads=[1, 1, 0, 0]>(x, w)
        z = MaxPool<kernel_shape=[2, 3], pads=[1, 1, 1, 1]>(x)
    }"""
    model = text_model(body)
    filters = np.random.default_rng(0).normal(size=(2, 3, 3, 3)).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(filters, "w"))
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    assert onnx_tf.convert(model, tmp_path / "model.py").fits


def test_a_source_is_written_with_its_weights_and_checked(tmp_path):
    done = onnx_tf.convert(image_network(), tmp_path / "model.py")
    assert done.artifacts[0].format == "keras_source"
    assert done.accuracy.runtime.startswith("keras ")
    assert done.fits
    assert {path.name for path in tmp_path.iterdir()} == {"model.py", "model.npz"}
    with np.load(tmp_path / "model.npz") as arrays:
        assert sorted(path.rpartition("/")[2] for path in arrays.files) == ["bias", "kernel", "kernel"]
    with pytest.raises(onnx_tf.ExportError, match="exists already"):
        onnx_tf.convert(image_network(), tmp_path / "model.py", overwrite=False)


def test_integers_keep_their_numbers_whatever_their_dtype_says_of_bytes(tmp_path):
    """Numpy calls a dtype no builtin one once its order of bytes was set, though it be the machine's own."""
    numbers = np.arange(384).astype(np.dtype(np.int64).newbyteorder("="))
    write_npz(tmp_path / "numbers.npz", [("numbers", numbers.view(np.dtype(np.int64).newbyteorder("<")))])
    with np.load(tmp_path / "numbers.npz") as arrays:
        np.testing.assert_array_equal(arrays["numbers"], np.arange(384))


def test_a_difference_is_found(tmp_path, monkeypatch):
    def spoil(path, arrays):
        write_npz(path, ((name, array + 1) for name, array in arrays))

    monkeypatch.setattr("onnx_tf.export.keras_files.write_npz", spoil)
    assert not onnx_tf.convert(image_network(), tmp_path / "model.py").fits


def test_a_model_that_is_built_from_source_is_saved_and_trained(sources, tmp_path):
    namespace: dict[str, object] = {}
    exec(sources[1]["bert"], namespace)
    model = namespace["build_model"]()  # type: ignore[operator]
    namespace["load_weights"](model, sources[0] / "bert.npz")  # type: ignore[operator]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    words = [np.ones((2, 6), np.int64)] * 2
    np.testing.assert_allclose(loaded(words), model(words), rtol=1e-5)
    before = [weight.numpy().copy() for weight in model.trainable_weights]
    model.compile("adam", "mse")
    model.fit(words, np.zeros((2, 6, 32), np.float32), verbose=0)
    moved = [(weight.numpy() != old).any() for weight, old in zip(model.trainable_weights, before, strict=True)]
    assert sum(moved) > 0.9 * len(moved)


def test_weights_alone(tmp_path):
    done = onnx_tf.convert(image_network(), tmp_path / "model.weights.h5")
    assert done.fits
    assert {path.name for path in tmp_path.iterdir()} == {"model.weights.h5", "model.weights.npz"}
    with np.load(tmp_path / "model.weights.npz") as arrays:
        assert {name: arrays[name].shape for name in arrays.files} == {
            "filter": (8, 3, 3, 3),
            "bias": (8,),
            "matrix": (8, 10),
        }
    model = onnx_tf.to_keras(image_network())
    expected = model.get_weights()
    model.set_weights([np.zeros_like(weight) for weight in expected])
    model.load_weights(tmp_path / "model.weights.h5")
    for found, wanted in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_all_files_of_keras_in_a_folder(tmp_path, capsys):
    (tmp_path / "my-model.onnx").write_bytes(image_network().SerializeToString())
    target = tmp_path / "all"
    command = ["convert", str(tmp_path / "my-model.onnx"), "-o", str(target), "--no-check"]
    assert main([*command, "--formats", "keras,keras_source,weights"]) == 0
    names = {"my-model.keras", "my_model.py", "my_model.npz", "my-model.weights.h5", "my-model.weights.npz"}
    assert {path.name for path in target.iterdir()} == names
    assert "source of a Keras model" in capsys.readouterr().out


def test_whole_models_in_the_legacy_format_are_refused(tmp_path):
    with pytest.raises(onnx_tf.OptionError, match=r"write a \.keras file, or a \.weights\.h5 file"):
        onnx_tf.convert(image_network(), tmp_path / "model.h5")
    assert list(tmp_path.iterdir()) == []


def test_expressions_are_laid_out_as_formatters_do(tmp_path):
    long = "a_name_of_many_letters"
    layer = called("layers.Conv2D", "64", "3", padding='"same"', name=literal("some_layer_of_a_model"))
    made = [called(layer, "x")]
    for count in (4, 6, 7, 8, 9, 14, 20):
        name = literal("x" * 5 * count)
        made += [
            called(called("layers.Add", name=name), listed(["x", "y"])),
            called(called("layers.Conv2D", "64", "3", padding='"same"', name=name), "x"),
            called(called("layers.Conv2D", "64", "3", padding='"same"', use_bias="False", name=name), "x"),
            called("ops.take", long, literal(np.arange(count)), axis="1"),
            called("ops.concatenate", listed([long] * (count // 2)), axis="-1"),
            called(called("layers.Concatenate", name=name), listed([long] * (count // 2))),
            called("ops.full", literal(tuple(range(count * 3))), literal(1e30)),
        ]
    lines = ["def f(x):"]
    for expression in made:
        lines += laid_out("value = ", expression, indent=4)
    file = tmp_path / "lines.py"
    file.write_text("\n".join(lines) + "\n")
    done = subprocess.run([*RUFF, "--diff", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ((slice(None), slice(1, None), Ellipsis), ":, 1:"),
        ((slice(None), slice(None, -1, 2), slice(None), Ellipsis), ":, :-1:2"),
        ((slice(0, 3), Ellipsis), "0:3, ..."),
        ((Ellipsis, 3), "..., 3"),
        ((0, slice(None)), "0, :"),
        ((None, 2), "None, 2"),
    ],
)
def test_subscripts(key, text):
    assert subscript(key) == text


def test_the_source_in_the_documentation_is_what_is_written(tmp_path):
    onnx_tf.convert(image_network(), tmp_path / "model.py", check=False)
    assert f"```python\n{(tmp_path / 'model.py').read_text()}```" in (ROOT / "doc" / "keras.md").read_text()
