"""NonMaxSuppression in .tflite files: the boxes of ONNX Runtime in its order, equal scores and flat boxes included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from onnx_tf import OnnxTfError, convert
from onnx_tf.check.interface import Interface
from onnx_tf.check.litert import LiteRT
from onnx_tf.check.onnx_runtime import OnnxRuntime
from test.handlers.check import make_op_model
from test.litert.check import check_tflite


def node(
    boxes: Any, scores: Any, *settings: float | None, center: int = 0, inputs: bool = False
) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """Return a model of one node, whose settings (most, overlap, score) are constants or inputs."""
    arrays = [np.asarray(boxes, np.float32), np.asarray(scores, np.float32)]
    dtypes = (np.int64, np.float32, np.float32)
    arrays += [None if s is None else np.array([s], dtype) for s, dtype in zip(settings, dtypes, strict=False)]
    constants = [] if inputs else [i for i in range(2, len(arrays)) if arrays[i] is not None]
    model = make_op_model("NonMaxSuppression", arrays, {"center_point_box": center}, opset=17, constants=constants)
    return model, {f"x{i}": a for i, a in enumerate(arrays) if a is not None and i not in constants}


def some(images: int, classes: int, count: int, center: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(images * count)
    middle, size = 3 * rng.random((images, count, 2)), 0.3 + rng.random((images, count, 2))
    pairs = (middle, size) if center else (middle - size / 2, middle + size / 2)
    scores = np.round(rng.random((images, classes, count)), 1)  # many are equal
    return np.concatenate(pairs, -1), scores


@pytest.mark.parametrize("count", ["N", 30])
def test_open_batch_and_thresholds_as_inputs(tmp_path, count):
    model, feed = node(*some(2, 3, 30), 5, 0.3, 0.4, inputs=True)
    for value, axes in (("x0", (0, 1)), ("x1", (0, 2))):
        (info,) = [i for i in model.graph.input if i.name == value]
        info.type.tensor_type.shape.dim[axes[0]].dim_param = "B"
        if count == "N":
            info.type.tensor_type.shape.dim[axes[1]].dim_param = "N"
    others = [node(*some(1, 3, 30 if count == 30 else 7), 1 << 62, 0.0, 0.0, inputs=True)[1]]
    others.append({**feed, "x2": np.array([0])})
    assert check_tflite(model, [feed, *others], tmp_path)["WHILE"] == 1


@pytest.mark.parametrize(
    ("shape", "settings", "center"),
    [
        ((1, 1, 40), (6, 0.5, 0.2), 0),
        ((1, 3, 40), (1000, 0.2), 1),
        ((1, 2, 40), (6, None, 0.5), 0),
        ((2, 6, 40), (4, 0.4, 2.0), 0),  # none
    ],
)
def test_constant_thresholds(tmp_path, shape, settings, center):
    check_tflite(*node(*some(*shape, center), *settings, center=center), tmp_path)


FLAT = [[[0, 0, 1, 1], [0, 0.5, 1, 1.5], [1, 1, 0, 0], [0, 0, 2, 1], [5, 5, 5, 5], [5, 5, 5, 5], [9, 9, 8, 8]]]


@pytest.mark.parametrize("overlap", [0.0, 1 / 3, 0.5])
def test_overlaps_at_the_threshold_equal_scores_and_boxes_of_no_area(tmp_path, overlap):
    check_tflite(*node(FLAT, [[[0.9, 0.8, 0.7, 0.9, 0.5, 0.5, 0.3]]], 8, overlap), tmp_path)


def padded(model: onnx.ModelProto, feed: dict[str, np.ndarray], path: Path) -> dict[str, np.ndarray]:
    """Return what the file of fixed shapes gives."""
    done = convert(model, path / "model.tflite", nms="padded", check=feed)
    assert done.fits, str(done.accuracy)
    return LiteRT(path / "model.tflite", Interface.of(done.rep)).run(feed)


@pytest.mark.parametrize("settings", [(5, 0.3, 0.4), (100, 0.3), (3, 0.3, 2.0), (0, 0.3)])
@pytest.mark.parametrize(("images", "classes"), [(2, 3), (2, 6)])
def test_padded_rows(tmp_path, images, classes, settings):
    model, feed = node(*some(images, classes, 30), *settings)
    found = padded(model, feed, tmp_path)
    rows = images * classes * min(settings[0], 30)
    expected = OnnxRuntime(model).run(feed)["y0"]
    assert {name: value.shape for name, value in found.items()} == {"y0": (rows, 3), "y0_count": (1,)}
    assert found["y0_count"].dtype == np.int32
    assert found["y0_count"].item() == len(expected)
    np.testing.assert_array_equal(found["y0"], np.pad(expected, [(0, rows - len(expected)), (0, 0)]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("open", r"scores of shape .*: fix the open dimensions with batch_size"),
        ("inputs", "max_output_boxes_per_class .* must be a constant"),
        ("none", "has no NonMaxSuppression"),
    ],
)
def test_padded_rows_need_to_be_known(tmp_path, change, message):
    model, _ = node(*some(2, 3, 30), 5, inputs=change == "inputs")
    if change == "open":
        model.graph.input[1].type.tensor_type.shape.dim[0].dim_param = "B"
    if change == "none":
        model = make_op_model("Relu", [np.zeros(3, np.float32)])
    with pytest.raises(OnnxTfError, match=message):
        convert(model, tmp_path / "model.tflite", nms="padded")
    assert not list(tmp_path.iterdir())
