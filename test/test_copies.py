"""Reps that are pickled, copied, used from many threads and after a fork."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest

from onnx_tf import prepare
from test.models import external_model, text_model

MODEL = """
    agraph (float[N, 3] x) => (float[N, 2] y)
    <float[3, 2] w = {1, 2, 3, 4, 5, 6}> {
        m = MatMul (x, w)
        y = Relu (m)
    }"""
X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda rep: pickle.loads(pickle.dumps(rep))])
def test_copies_have_weights_of_their_own(again):
    rep = prepare(text_model(MODEL), training=True)
    rep.tf_module.weights["w"].assign(np.ones([3, 2], np.float32))
    other = again(rep)
    np.testing.assert_array_equal(other.run(X), X.sum(1, keepdims=True).repeat(2, 1))
    rep.tf_module.weights["w"].assign(np.zeros([3, 2], np.float32))
    assert np.asarray(other.run(X)).any()


def test_options_are_kept(tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(text_model(MODEL), path)
    pickled = pickle.dumps(prepare(path, batch_size=2, output_names=["m"]))
    path.unlink()  # which another machine does not have
    rep = pickle.loads(pickled)
    assert rep.outputs == ("m",)
    assert rep.signatures["serving_default"].inputs[0].shape == (2, 3)


def test_external_data_stays_where_it_is(tmp_path):
    rep = prepare(external_model(tmp_path))
    feed = np.ones([4, 4], np.float32)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(rep)).run(feed), rep.run(feed))


def test_a_process_of_its_own():
    rep = prepare(text_model(MODEL))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        (found,) = pool.map(_run, [rep])
    np.testing.assert_array_equal(found, rep.run(X))


def _run(rep):
    return np.asarray(rep.run(X))


def test_threads_give_equal_bits():
    rep = prepare(text_model(MODEL))
    expected = np.asarray(rep.run(X))
    with ThreadPoolExecutor(8) as threads:
        for found in threads.map(_run, [rep] * 64):
            np.testing.assert_array_equal(found, expected)


FORK = f"""
import os, sys
import numpy as np
from onnx import parser
from onnx_tf import prepare
from onnx_tf.errors import RunError
rep = prepare(parser.parse_model('<ir_version: 8, opset_import: ["": 17]>' + '''{MODEL}'''))
rep.run(np.ones([2, 3], np.float32))
child = os.fork()
if not child:
    try:
        rep.run(np.ones([2, 3], np.float32))
    except RunError as error:
        os._exit(3 if "spawn" in str(error) else 4)
    os._exit(5)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_after_a_fork_there_is_an_error_at_once():
    done = subprocess.run([sys.executable, "-c", FORK], timeout=120, capture_output=True, check=False)
    assert done.returncode == 3, done.stderr.decode()[-2000:]
