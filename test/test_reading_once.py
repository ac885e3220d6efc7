from __future__ import annotations

import os
import pickle
import subprocess
import sys
from unittest import mock

import numpy as np
import onnx
import pytest
import tensorflow as tf

from onnx_tf import convert, prepare
from onnx_tf.cli.main import main
from onnx_tf.model import loading
from onnx_tf.model.loading import load_model, opened
from onnx_tf.options import Options
from onnx_tf.passes import _inference_of_nodes
from onnx_tf.runtime.initial_values import ALIGNMENT, initial_value
from test.models import POOLED, text_model


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "pooled.onnx"
    onnx.save(text_model(POOLED), file)
    return file


@pytest.mark.parametrize("through", ["python", "command line"])
def test_a_conversion_reads_its_file_once(path, tmp_path, through):
    out = tmp_path / "out"
    with mock.patch.object(loading, "read_proto", wraps=loading.read_proto) as read:
        if through == "python":
            convert(path, out, check=False)
        else:
            assert main(["convert", str(path), "-o", str(out), "--no-check", "--quiet"]) == 0
    assert read.call_count == 1
    assert tf.saved_model.load(str(out)).signatures["serving_default"] is not None


def test_what_was_read_is_given_away_once(path):
    source, model = opened(path, Options().budget())
    assert os.fspath(source) == str(path)
    assert opened(source, Options().budget()) == (source, model)
    assert load_model(source) is model
    assert load_model(source) is not model
    assert pickle.loads(pickle.dumps(source)) == str(path)


def test_a_model_in_memory_is_left_alone(path):
    proto = onnx.load(path)
    assert opened(proto, Options().budget())[0] is proto


def test_equal_nodes_are_inferred_once():
    count = 40
    nodes = " ".join(f"y{i} = Transpose <perm = [1, 0]> (y{i - 1 if i else ''})" for i in range(count))
    text = f"g (float[] y) => (float[] z) {{ {nodes} z = Identity(y{count - 1}) }}"
    cache = _inference_of_nodes._inferred
    cache.cache_clear()
    prepare(text_model(text))
    assert cache.cache_info().hits > count
    assert cache.cache_info().misses < count


@pytest.mark.parametrize("shape", [(3,), (600, 700)])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "uint16", "float64"])
def test_a_variable_shares_no_memory_with_what_it_was_made_of(shape, dtype):
    array = np.ones(shape, dtype).T
    variable = tf.Variable(initial_value(array))
    variable.assign_add(tf.ones_like(variable))
    np.testing.assert_array_equal(array, 1)
    np.testing.assert_array_equal(variable, 2)
    array[:] = 3
    np.testing.assert_array_equal(variable, 2)


def test_a_large_array_is_copied_once(monkeypatch):
    array, made = np.ones((1024, 1024), np.float32), []
    monkeypatch.setattr(np, "empty", lambda *given: made.append(np.zeros(*given)) or made[-1])
    tensor = initial_value(array)
    assert [buffer.nbytes for buffer in made] == [array.nbytes + ALIGNMENT]
    made[0][:] = 0
    np.testing.assert_array_equal(tensor, 0)


def test_a_conversion_imports_nothing_that_it_does_not_need(path, tmp_path):
    code = (
        "import sys; from onnx_tf.cli.main import main; "
        f"code = main(['convert', {str(path)!r}, '-o', {str(tmp_path / 'out')!r}, '--no-check', '--quiet']); "
        "print([name for name in ('onnxruntime', 'tf_keras', 'tensorflow_probability', 'pandas') "
        "if name in sys.modules]); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
