"""Open dimensions that are one and the same are read once; those that may differ never count as one."""

from __future__ import annotations

import random

import numpy as np
import onnx
import pytest
import tensorflow as tf

from onnx_tf import prepare
from onnx_tf.handlers._open_dims import open_dim
from onnx_tf.handlers._tensors import dims_of
from test.onnx_suite.runs import through_export
from test.reference import ort_outputs

BLOCK = """<ir_version: 8, opset_import: ["": 17]> g
(float[b, t, 8] x, float[8, 8] q, float[8, 8] k, float[8, 8] v, float[m, 1, 1, n] mask) => (float[b, t, 8] y)
{
  one = Constant <value: tensor = int64[1] {1}> ()
  zero = Constant <value: tensor = int64 {0}> ()
  first = Constant <value: tensor = int64 {1}> ()
  axis = Constant <value: tensor = int64[1] {0}> ()
  heads = Constant <value: tensor = int64[2] {2, 4}> ()
  whole = Constant <value: tensor = int64[1] {-1}> ()
  dims = Shape (x)
  batch = Gather (dims, zero)
  time = Gather (dims, first)
  batch1 = Unsqueeze (batch, axis)
  time1 = Unsqueeze (time, axis)
  apart = Concat <axis: int = 0> (batch1, time1, heads)
  joined = Concat <axis: int = 0> (batch1, time1, whole)
  xq = MatMul (x, q)
  xk = MatMul (x, k)
  xv = MatMul (x, v)
  rq = Reshape (xq, apart)
  rk = Reshape (xk, apart)
  rv = Reshape (xv, apart)
  hq = Transpose <perm = [0, 2, 1, 3]> (rq)
  hk = Transpose <perm = [0, 2, 3, 1]> (rk)
  hv = Transpose <perm = [0, 2, 1, 3]> (rv)
  scores = MatMul (hq, hk)
  masked = Add (scores, mask)
  shares = Softmax <axis: int = -1> (masked)
  mixed = MatMul (shares, hv)
  back = Transpose <perm = [0, 2, 1, 3]> (mixed)
  flat = Reshape (back, joined)
  sum = Add (flat, x)
  out = MatMul (sum, q)
  y = Add (out, sum)
}"""


def block(batch, mask_batch):
    rng = np.random.default_rng(1)
    shapes = {"x": (batch, 5, 8), "q": (8, 8), "k": (8, 8), "v": (8, 8), "mask": (mask_batch, 1, 1, 5)}
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.mark.parametrize("mask_batch", [1, 3])
@pytest.mark.parametrize("run", [lambda model, feed: prepare(model).run(feed), through_export], ids=["run", "export"])
def test_a_block_of_attention(mask_batch, run):
    """A mask of one row is broadcast, though it has an open dimension of its own."""
    model, feed = onnx.parser.parse_model(BLOCK), block(3, mask_batch)
    (y,) = run(model, list(feed.values()))
    np.testing.assert_allclose(y, next(iter(ort_outputs(model, feed).values())), rtol=1e-4, atol=1e-5)


def test_what_is_read_of_a_block():
    """Batch and time of the input are read, once each, and nothing else that the result needs."""
    graph = prepare(onnx.parser.parse_model(BLOCK)).tf_module.concrete().graph
    needed, found = list(graph.outputs), {}
    while needed:
        op = needed.pop().op
        if op.name not in found:
            found[op.name] = op.type
            needed += op.inputs
    assert sum(kind == "Shape" for kind in found.values()) == 2
    assert "SelectV2" not in found.values()


def test_a_dimension_of_a_reshape_that_data_decide():
    """A computed 0 keeps the dimension at its place, which is not known while tracing."""
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["": 17]> g (float[a, b] x, int64[1] n, int64[1] m) => (float[c, d] y)
        { shape = Concat <axis: int = 0> (n, m) y = Reshape (x, shape) }"""
    )
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    for n, m in ((0, 3), (0, -1), (3, 2), (-1, 0), (6, -1)):
        feed = {"x": x, "n": np.array([n], np.int64), "m": np.array([m], np.int64)}
        np.testing.assert_array_equal(prepare(model).run(feed)[0], next(iter(ort_outputs(model, feed).values())))


def _grown(choose, known):
    """Return one more tensor, computed from those that are there."""
    x = choose.choice(known)
    rank, kind = len(x.shape), choose.randrange(12)
    axis = choose.randrange(rank)
    if kind == 0:
        return tf.transpose(x, choose.sample(range(rank), rank))
    if kind == 1:
        return tf.tanh(x) if choose.random() < 0.5 else tf.nn.softmax(x)
    if kind == 2:
        return tf.reduce_sum(x, choose.randrange(-rank, rank), keepdims=choose.random() < 0.7 or rank == 1)
    if kind == 3:
        return tf.expand_dims(x, choose.randrange(-rank - 1, rank + 1)) if rank < 5 else x
    if kind == 4:
        ones = [i for i, dim in enumerate(x.shape) if dim == 1]
        return tf.squeeze(x, [choose.choice(ones)]) if ones and rank > 1 else x
    if kind == 5:
        return tf.concat([x, x], choose.randrange(-rank, rank))
    if kind == 6:
        return tf.matmul(x, x, transpose_a=True) if rank > 1 else x
    if kind == 7:
        return tf.matmul(x, x, transpose_b=True) if rank > 1 else x
    if kind == 8:  # the mean of an axis is broadcast against all of it
        return x + tf.reduce_mean(x, axis, keepdims=True)
    if kind == 9:
        return tf.gather(tf.ones([7, 2]), tf.cast(x, tf.int32) * 0) if rank < 4 else x
    if kind == 10:
        return tf.reshape(x, tf.stack([tf.cast(dim, tf.int64) for dim in [*dims_of(x), 1]])) if rank < 5 else x
    return tf.reshape(x, [-1, *[dim for dim in x.shape if dim is not None]]) if None in x.shape else x


@pytest.mark.parametrize("seed", range(40))
def test_random_operations(seed):
    """What a dimension is followed to has its size, whatever the sizes of the inputs are."""
    places = []

    @tf.function(
        input_signature=[tf.TensorSpec([None, None, 4]), tf.TensorSpec([None, 1, None]), tf.TensorSpec([1, None])],
        autograph=False,
    )
    def sizes(a, b, c):
        choose = random.Random(seed)
        known = [a, b, c]
        for _ in range(25):
            known.append(_grown(choose, known))
        if choose.random() < 0.5:
            known.append(a + b[:, :, :1])
        places[:] = [(x, axis) for x in known for axis, dim in enumerate(x.shape) if dim is None]
        found = [open_dim(x, axis) for x, axis in places]
        return tf.stack(found), tf.stack([tf.shape(x, tf.int64)[axis] for x, axis in places])

    for shapes in (((2, 3, 4), (2, 1, 5), (1, 6)), ((1, 2, 4), (3, 1, 1), (1, 1)), ((3, 1, 4), (1, 1, 2), (1, 2))):
        found, own = sizes(*[tf.ones(shape) for shape in shapes])
        np.testing.assert_array_equal(found, own)
    assert len(places) > 10


def test_a_sum_that_tensorflow_merges_is_read_by_nothing_else():
    """Grappler's remapper gives up the whole graph where a Shape reads a sum between a convolution and a Relu."""
    rng = np.random.default_rng(0)
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["": 17]> g (float[n, 8, h, w] x) => (float[n, 8, i, j] y)
        {
          a = Conv <pads = [1, 1, 1, 1]> (x, k)
          s = Add (a, x)
          r = Relu (s)
          y = Conv <pads = [1, 1, 1, 1], strides = [2, 2], dilations = [2, 2]> (r, k)
        }"""
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(rng.normal(size=(8, 8, 3, 3)).astype(np.float32), "k"))
    graph = prepare(model).tf_module.concrete(freeze=True).graph
    read = {op.inputs[0].op.type for op in graph.get_operations() if op.type == "Shape"}
    assert read
    assert not read & {"AddV2", "BiasAdd", "Conv2D"}


def test_a_dimension_of_what_had_no_rank_before():
    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32)])
    def dims(x):
        ranked = tf.ensure_shape(tf.nn.relu(x), [None, 3, None])
        return tf.stack([dim for dim in dims_of(tf.nn.relu(ranked)) if not isinstance(dim, int)])

    np.testing.assert_array_equal(dims(tf.zeros([2, 3, 5])), [2, 5])
