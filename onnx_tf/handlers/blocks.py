"""Moving blocks of space to channels and back."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from onnx_tf.handlers._layout import channels_last_op
from onnx_tf.handlers._tensors import dims_of, product, quotient, reshaped


@channels_last_op("DepthToSpace")
def depth_to_space_1(x: tf.Tensor, *, blocksize: int) -> tf.Tensor:
    return tf.identity(x) if blocksize == 1 else tf.nn.depth_to_space(x, blocksize)


@channels_last_op("DepthToSpace", since=11)
def depth_to_space_11(x: tf.Tensor, *, blocksize: int, mode: str) -> tf.Tensor:
    if mode == "DCR":
        return depth_to_space_1(x, blocksize=blocksize)
    batch, height, width, channels = dims_of(x)
    depth = quotient(channels, blocksize**2)
    if isinstance(depth, int) and depth == 1:  # fewer axes take less
        blocks = reshaped(x, [product([batch, height]), width, blocksize, blocksize])
        blocks = tf.transpose(_checked(blocks, mode), [0, 2, 1, 3])
    else:
        blocks = reshaped(x, [batch, height, width, depth, blocksize, blocksize])
        blocks = tf.transpose(_checked(blocks, mode), [0, 1, 4, 2, 5, 3])
    return reshaped(blocks, [batch, height * blocksize, width * blocksize, depth])


def register_space_to_depth(by_blocks: Callable[[tf.Tensor, int], tf.Tensor], target: str = "") -> None:
    """Register SpaceToDepth by what moves blocks, row after row, to channels, for one target or for all."""

    @channels_last_op("SpaceToDepth", target=target)
    def space_to_depth_1(x: tf.Tensor, *, blocksize: int) -> tf.Tensor:
        return tf.identity(x) if blocksize == 1 else by_blocks(x, blocksize)

    @channels_last_op("SpaceToDepth", since=28, target=target)
    def space_to_depth_28(x: tf.Tensor, *, blocksize: int, mode: str) -> tf.Tensor:
        if mode == "DCR":
            return space_to_depth_1(x, blocksize=blocksize)
        batch, height, width, depth = dims_of(x)
        height, width = quotient(height, blocksize), quotient(width, blocksize)
        blocks = reshaped(x, [batch, height, blocksize, width, blocksize, depth])
        blocks = tf.transpose(_checked(blocks, mode), [0, 1, 3, 5, 2, 4])
        return reshaped(blocks, [batch, height, width, depth * blocksize**2])


def _by_transpose(x: tf.Tensor, blocksize: int) -> tf.Tensor:
    """Move blocks to channels, faster than TensorFlow's own kernel (``python -m bench.forms SpaceToDepth``)."""
    batch, height, width, depth = dims_of(x)
    height, width, row = quotient(height, blocksize), quotient(width, blocksize), depth * blocksize
    blocks = tf.transpose(reshaped(x, [product([batch, height]), blocksize, width, row]), [0, 2, 1, 3])
    return reshaped(blocks, [batch, height, width, row * blocksize])


register_space_to_depth(_by_transpose)


def _checked(blocks: tf.Tensor, mode: str) -> tf.Tensor:
    """Return the blocks, if the mode is the one that they were cut for."""
    if mode != "CRD":
        raise ValueError(f"mode {mode!r} is not known: use DCR or CRD")
    return blocks
