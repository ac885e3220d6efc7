"""The public names exist, and importing the package is cheap."""

from __future__ import annotations

import subprocess
import sys

import pytest

import onnx_tf


@pytest.mark.parametrize("name", onnx_tf.__all__)
def test_public_names(name):
    assert getattr(onnx_tf, name) is not None
    assert name in dir(onnx_tf)


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = onnx_tf.nothing


def test_importing_the_package_does_not_import_tensorflow():
    heavy = ("tensorflow", "onnxruntime", "keras", "tensorflow_probability")
    script = f"import onnx_tf, sys; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
