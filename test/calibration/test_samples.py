"""Calibration data: from arrays, files, folders, images and callables to checked samples, and what is refused."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from PIL import Image

from onnx_tf import DataFile, FileError, InputError
from onnx_tf.calibration.samples import collected


def value(name="x", shape=("N", 3, 4, 5), dtype=ir.DataType.FLOAT) -> ir.Value:
    return ir.Value(name=name, type=ir.TensorType(dtype), shape=ir.Shape(shape))


def read(data, folder, *inputs):
    folder = folder / "samples"
    folder.mkdir()
    samples = collected(data, inputs or (value(),), folder)
    return [samples[index] for index in range(len(samples))]


def numbers(*shape, dtype=np.float32):
    return np.random.default_rng(0).uniform(size=shape).astype(dtype)


def test_an_array_holds_samples_along_its_batch(tmp_path):
    x = numbers(6, 3, 4, 5)
    samples = read({"x": x}, tmp_path)
    assert [sample["x"].shape for sample in samples] == [(1, 3, 4, 5)] * 6
    np.testing.assert_array_equal(samples[4]["x"], x[4:5])


@pytest.mark.parametrize(
    ("shape", "given", "count"),
    [
        ((2, 3), (6, 3), 3),  # batches of the size that the model states
        ((2, 3), (5, 2, 3), 5),  # one axis more: samples
        (("N", 3), (4, 2, 3), 4),
        ((3,), (4, 3), 4),
        ((), (5,), 5),
        ((), (), 1),
        ((1, 3), (3,), 1),  # one without its batch
    ],
)
def test_how_arrays_are_divided(shape, given, count, tmp_path):
    samples = read({"x": numbers(*given)}, tmp_path, value(shape=shape))
    assert len(samples) == count
    assert all(sample["x"].ndim == len(shape) for sample in samples)


def test_files_and_folders_of_arrays(tmp_path):
    x = numbers(4, 3, 4, 5)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "all.npz", x=x, other=x)
    (tmp_path / "rows").mkdir()
    for index, row in enumerate(x):
        np.save(tmp_path / "rows" / f"{index}.npy", row)
    wanted = read({"x": x}, tmp_path)
    for place, data in enumerate([{"x": tmp_path / "x.npy"}, {"x": tmp_path / "all.npz"}, tmp_path / "rows"]):
        (folder := tmp_path / str(place)).mkdir()
        found = read(data, folder)
        assert len(found) == 4
        for one, other in zip(wanted, found, strict=True):
            np.testing.assert_array_equal(one["x"], other["x"])


def test_one_file_holds_all_inputs(tmp_path):
    np.savez(tmp_path / "all.npz", a=numbers(3, 2), b=numbers(3, 5))
    samples = read(tmp_path / "all.npz", tmp_path, value("a", ("N", 2)), value("b", ("N", 5)))
    assert [(sample["a"].shape, sample["b"].shape) for sample in samples] == [((1, 2), (1, 5))] * 3


@pytest.mark.parametrize("first", [True, False])
def test_images_are_resized_and_scaled(first, tmp_path):
    (tmp_path / "images").mkdir()
    for index, color in enumerate([(255, 0, 51), (0, 255, 102)]):
        Image.new("RGB", (9, 7), color).save(tmp_path / "images" / f"{index}.png")
    shape = ("N", 3, 4, 5) if first else ("N", 4, 5, 3)
    data = DataFile(tmp_path / "images", mean=[0.5, 0.0, 0.2], std=[0.5, 1.0, 0.1])
    samples = read({"x": data}, tmp_path, value(shape=shape))
    assert [sample["x"].shape for sample in samples] == [(1, *shape[1:])] * 2
    pixel = samples[0]["x"][0, :, 2, 3] if first else samples[0]["x"][0, 2, 3]
    np.testing.assert_allclose(pixel, [1.0, 0.0, 0.0], atol=1e-6)
    pixel = samples[1]["x"][0, :, 0, 0] if first else samples[1]["x"][0, 0, 0]
    np.testing.assert_allclose(pixel, [-1.0, 1.0, 2.0], atol=1e-5)


def test_images_of_integers_stay_integers(tmp_path):
    (tmp_path / "images").mkdir()
    Image.new("L", (5, 4), 77).save(tmp_path / "images" / "a.png")
    (sample,) = read(tmp_path / "images", tmp_path, value(shape=(1, 1, 4, 5), dtype=ir.DataType.UINT8))
    assert sample["x"].dtype == np.uint8
    assert (sample["x"] == 77).all()


def test_callables_and_iterables_of_dicts(tmp_path):
    rows = [{"x": numbers(1, 3, 4, 5)}, {"x": numbers(2, 3, 4, 5)}]
    assert [sample["x"].shape[0] for sample in read(lambda: iter(rows), tmp_path)] == [1, 2]
    (tmp_path / "b").mkdir()
    assert len(read((row for row in rows), tmp_path / "b")) == 2


def test_dtypes_that_hold_the_numbers(tmp_path):
    (sample,) = read({"x": numbers(1, 3, 4, 5, dtype=np.float64)}, tmp_path)
    assert sample["x"].dtype == np.float32
    (tmp_path / "b").mkdir()
    ids = value("ids", ("N", 2), ir.DataType.INT64)
    (sample,) = read({"ids": np.array([[1, 2]], np.int32)}, tmp_path / "b", ids)
    assert sample["ids"].dtype == np.int64


IDS = value("ids", ("N", 2), ir.DataType.INT8)


@pytest.mark.parametrize(
    ("data", "inputs", "message"),
    [
        ({"x": numbers(2, 3, 4, 6)}, (), r"input x: float32\[N, 3, 4, 5\]: sample 0 has the shape \[1, 3, 4, 6\]"),
        ({"x": numbers(2, 3)}, (), r"has the shape \[2, 3\]: a sample has 4 axes"),
        ({"x": numbers(5, 3)}, (value(shape=(2, 3)),), r"5 rows are no batches of 2"),
        ({"x": np.zeros((0, 3, 4, 5), np.float32)}, (), "0 rows are no batches"),
        ({"x": np.zeros((1, 3, 4, 5), np.uint8)}, (), r"is of uint8, not of float32: scale them .* \(mean=, std=\)"),
        ({"x": np.full((1, 3, 4, 5), np.nan, np.float32)}, (), "holds NaN or infinity"),
        ({"x": np.full((1, 3, 4, 5), 1e300)}, (), "numbers up to 1e\\+300, which float32 cannot"),
        ({"ids": np.array([[1, 200]])}, (IDS,), "holds numbers from 1 to 200, int8 those to 127"),
        ({"ids": np.array([[0.5, 1]])}, (IDS,), "is of float64, not of int8"),
        ({"y": numbers(1, 3, 4, 5)}, (), "the model has no input 'y'; its inputs are 'x'"),
        ({"x": numbers(1, 3, 4, 5)}, (value(), IDS), r"data of input ids: int8\[N, 2\] are missing"),
        ({"x": numbers(3, 3, 4, 5), "ids": np.ones((2, 2), np.int8)}, (value(), IDS), r"x: 3, ids: 2\): give as many"),
        ([{"x": numbers(1, 3, 4, 5)}], (value(), IDS), "sample 0: input ids: .* is missing; it holds 'x'"),
        ([{"z": 1}], (), "sample 0: the model has no input 'z'"),
        ([1, 2], (), "sample 0 of the calibration data is no dict"),
        ([], (), "hold no sample"),
        (numbers(1, 3, 4, 5), (value(), IDS), "stands for the data of one input, and the model has 2"),
        (3, (), "calibration data are a dict, an iterable of dicts"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(data, inputs, message, tmp_path):
    with pytest.raises(InputError, match=message):
        read(data, tmp_path, *inputs)


def test_files_that_hold_no_data_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.npy").write_text("no array")
    (tmp_path / "both").mkdir()
    np.save(tmp_path / "both" / "a.npy", numbers(3, 4, 5))
    Image.new("RGB", (5, 4)).save(tmp_path / "both" / "b.png")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_bytes(b"no image")
    np.savez(tmp_path / "several.npz", a=numbers(1), b=numbers(1))
    cases = {
        "empty": "holds no data of input 'x'",
        "missing.npy": "cannot be read",
        "text.npy": "is no .npy or .npz file",
        "both": "holds images and .npy files",
        "broken": "is no image that Pillow reads",
        "several.npz": "name one array 'x'",
    }
    for name, message in cases.items():
        (folder := tmp_path / f"of {name}").mkdir()
        with pytest.raises((InputError, FileError), match=message):
            read({"x": tmp_path / name}, folder)


def test_inputs_that_take_no_images_are_refused(tmp_path):
    (tmp_path / "images").mkdir()
    Image.new("RGB", (5, 4)).save(tmp_path / "images" / "a.png")
    cases = {
        ("N", 7): "takes no images",
        ("N", 7, 4, 5): "has 7 channels, images have 1, 3 or 4",
        ("N", 3, "h", "w"): r"fix it, as with --input-shape x:\?,3,\?,\?",
    }
    for place, (shape, message) in enumerate(cases.items()):
        (folder := tmp_path / str(place)).mkdir()
        with pytest.raises(InputError, match=message):
            read(tmp_path / "images", folder, value(shape=shape))


def test_scaling_that_does_not_fit_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", numbers(2, 3, 4, 5))
    np.save(tmp_path / "ids.npy", np.ones((2, 2), np.int8))
    with pytest.raises(InputError, match="divides by zero"):
        DataFile(tmp_path / "x.npy", std=0)
    with pytest.raises(InputError, match=r"have 2 numbers, and the data of input x: .* have the shape"):
        read({"x": DataFile(tmp_path / "x.npy", mean=[1, 2])}, tmp_path)
    (tmp_path / "b").mkdir()
    with pytest.raises(InputError, match="mean and std make floats, and the input takes integers"):
        read({"ids": DataFile(tmp_path / "ids.npy", mean=1)}, tmp_path / "b", IDS)
