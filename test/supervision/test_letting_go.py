"""A process that another one watches frees the weights once all is written: what is left of it are files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from onnx_tf import convert
from onnx_tf.errors import OnnxTfError
from onnx_tf.supervision.journal import is_watched, telling_to
from test.models import text_model

MODEL = """
    g (float[N, 4] x) => (float[N, 4] y)
    <float[4, 4] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}> { h = MatMul(x, w) y = Relu(h) }"""


@pytest.fixture
def watched() -> Iterator[None]:
    null = os.open(os.devnull, os.O_WRONLY)
    with telling_to(null):
        yield
    os.close(null)


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("name", ["model", "model.pb", "model.tflite"])
def test_what_is_written_is_compared_without_the_rep(tmp_path: Path, name: str) -> None:
    assert is_watched()
    done = convert(text_model(MODEL), tmp_path / name, check=True)
    assert done.accuracy is not None
    assert done.fits
    assert list(done.rep.tf_module.weights) == ["w"]
    assert str(done.rep.outputs) == str(convert(text_model(MODEL), tmp_path / "again", check=False).rep.outputs)
    with pytest.raises((OnnxTfError, ValueError)):
        done.rep.run(np.ones((2, 4), np.float32))


@pytest.mark.usefixtures("watched")
def test_several_formats_are_all_whole(tmp_path: Path) -> None:
    formats = ("saved_model", "tflite", "frozen_graph")
    done = convert(text_model(MODEL), tmp_path, formats=formats, tflite=("float32", "float16"), check=True)
    assert len(done.artifacts) == 4
    assert done.fits


@pytest.mark.usefixtures("watched")
def test_a_page_is_made_of_the_rep(tmp_path: Path) -> None:
    convert(text_model(MODEL), tmp_path / "model", check=True, report=tmp_path / "page.html")
    (told,) = tmp_path.glob("*_node_data.json")
    assert json.loads(told.read_text())["results"].keys() == {"MatMul_0", "h", "Relu_1", "y"}


def test_a_rep_that_somebody_gets_runs(tmp_path: Path) -> None:
    assert not is_watched()
    done = convert(text_model(MODEL), tmp_path / "model", check=True)
    assert done.rep.run(np.ones((2, 4), np.float32)).y.shape == (2, 4)
