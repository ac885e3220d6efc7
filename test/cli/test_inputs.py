"""What --input stands for: files, numbers, lists, images, text, random numbers and zeros."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from onnx_tf.cli.inputs import given_inputs
from onnx_tf.cli.usage import UsageError
from onnx_tf.errors import FileError, InputError
from onnx_tf.model.loading import load_model
from test.models import text_model


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def inputs(text: str):
    names = [part.rsplit(" ", 1)[1].strip() for part in text.split("],")] if "]," in text else [text.rsplit(" ", 1)[1]]
    nodes = " ".join(f"y{i} = Identity({name})" for i, name in enumerate(names))
    model = text_model(f"g ({text}) => (float[k] y0) {{ {nodes} }}", opset=17)
    return [value for value in load_model(model).graph.inputs if not value.is_initializer()]


TWO = "float[N, 2] a, float[N, 3] b"


def test_files_by_position_and_name():
    for index in range(3):
        np.save(f"{index}.npy", np.full(1, index))
    np.savez("both.npz", a=np.zeros(1), b=np.ones(1))
    np.savez("single.npz", whatever=np.full(1, 7))
    assert {k: v[0] for k, v in given_inputs(inputs(TWO), ["b=2.npy", "0.npy"]).items()} == {"b": 2, "a": 0}
    assert {k: v[0] for k, v in given_inputs(inputs(TWO), ["both.npz"]).items()} == {"a": 0, "b": 1}
    assert {k: v[0] for k, v in given_inputs(inputs(TWO), ["b=single.npz", "1.npy"]).items()} == {"b": 7, "a": 1}
    with pytest.raises(UsageError, match="needs one array"):
        given_inputs(inputs(TWO), ["a=both.npz"])
    with pytest.raises(UsageError, match="all are given already"):
        given_inputs(inputs(TWO), ["0.npy", "1.npy", "2.npy"])
    with pytest.raises(UsageError, match="'a' is given twice"):
        given_inputs(inputs(TWO), ["a=0.npy", "a=1.npy"])
    with pytest.raises(UsageError, match=r"no input 'A' \(did you mean 'a'\?\)"):
        given_inputs(inputs(TWO), ["A=0.npy"])


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("float[N] x", "3", np.array([3], np.float32)),
        ("float[N] x", "[1, 2.5]", np.array([1, 2.5], np.float32)),
        ("float[N] x", "-1e-3", np.array([-1e-3], np.float32)),
        ("float[N] x", "nan", np.array([np.nan], np.float32)),
        ("float[2] x", "[[1], [2]]", np.array([[1], [2]], np.float32)),
        ("int64[N] x", "[1, 2]", np.array([1, 2])),
        ("bool[N] x", "[true, false]", np.array([True, False])),
        ("float[N, 1, 1] x", "0.5", np.full((1, 1, 1), 0.5, np.float32)),
        ("string[N] x", '["a", "b"]', np.array(["a", "b"])),
    ],
)
def test_numbers_and_lists_have_the_dtype_of_the_input(kind, text, expected):
    found = given_inputs(inputs(kind), [f"x={text}"])["x"]
    assert found.dtype.kind == expected.dtype.kind
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("kind", "text", "error", "says"),
    [
        ("int64[N] x", "1.5", InputError, "cannot hold"),
        ("float[N] x", "[1, [2]]", InputError, "different lengths"),
        ("float[N] x", "[1, two]", UsageError, "not a list of numbers"),
        ("float[N] x", "none.npy", FileError, "the input file none.npy does not exist"),
        ("float[N] x", "note.txt", UsageError, "a text file is for inputs of strings"),
        ("float[N] x", "none.png", InputError, "takes no images"),
        ("float[N, 3, 2, 2] x", "none.png", FileError, "none.png does not exist"),
        ("float[N, 7, 2, 2] x", "p.png", InputError, "7 channels"),
        ("string[N, 2] x", "note.txt", UsageError, "3 lines do not fill"),
    ],
)
def test_what_does_not_fit(kind, text, error, says, folder):
    (folder / "note.txt").write_text("one\ntwo\nthree\n")
    with pytest.raises(error, match=says):
        given_inputs(inputs(kind), [f"x={text}"])


def test_strings_of_a_text_file(folder):
    (folder / "note.txt").write_text("one\nzwö\n", encoding="utf-8")
    assert given_inputs(inputs("string[N] x"), ["note.txt"])["x"].tolist() == ["one", "zwö"]
    assert given_inputs(inputs("string[N, 1] x"), ["note.txt"])["x"].tolist() == [["one"], ["zwö"]]


def test_objects_get_the_sentence_that_helps():
    np.save("o.npy", np.array(["a", None], object), allow_pickle=True)
    with pytest.raises(FileError, match=r"holds Python objects: .*dtype='U'"):
        given_inputs(inputs("string[N] x"), ["o.npy"])


def test_drawn_inputs_agree_with_those_that_are_given():
    np.save("a.npy", np.zeros((5, 2), np.float32))
    found = given_inputs(inputs(TWO), ["a=a.npy", "b=random"])
    assert found["b"].shape == (5, 3)
    assert len(np.unique(found["b"])) > 10
    zeros = given_inputs(inputs(TWO), ["zeros", "zeros"])
    assert zeros["a"].shape[0] == zeros["b"].shape[0]
    assert not zeros["a"].any()


def test_cast():
    np.save("x.npy", np.array([1.0, 2.0]))
    assert given_inputs(inputs("float[N] x"), ["x.npy"])["x"].dtype == np.float64
    assert given_inputs(inputs("float[N] x"), ["x.npy"], cast=True)["x"].dtype == np.float32
    np.save("x.npy", np.array(["a"]))
    with pytest.raises(InputError, match="cannot be cast"):
        given_inputs(inputs("float[N] x"), ["x.npy"], cast=True)


PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)


@pytest.mark.parametrize(
    ("kind", "last", "expected"),
    [
        ("uint8[N, 3, H, W] x", (), PIXELS.transpose(2, 0, 1)[None]),
        ("uint8[N, H, W, 3] x", (), PIXELS[None]),
        ("uint8[N, 3, H, W] x", ("x",), PIXELS[None]),
        ("uint8[3, H, W] x", (), PIXELS.transpose(2, 0, 1)),
        ("float[N, 3, 4, 6] x", (), (PIXELS.transpose(2, 0, 1)[None] / 255).astype(np.float32)),
    ],
)
def test_images(kind, last, expected):
    Image.fromarray(PIXELS).save("p.png")
    found = given_inputs(inputs(kind), ["p.png"], channels_last=last)["x"]
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_images_are_resized_and_lose_their_colours_where_the_model_says_so():
    Image.fromarray(PIXELS).save("p.png")
    grey = given_inputs(inputs("uint8[N, 1, 8, 12] x"), ["p.png"])["x"]
    expected = Image.fromarray(PIXELS).convert("L").resize((12, 8), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(grey[0, 0], np.asarray(expected))
