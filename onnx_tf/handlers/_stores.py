"""Where loops read the rows of tensors, and where they put what their iterations give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import tensorflow as tf

from onnx_tf import tensor_list
from onnx_tf.handlers._tensors import Dim

__all__ = ["TENSOR_LISTS", "Store"]


class Store(Protocol):
    """A way to hold the rows of tensors.

    ``row`` is the spec of a row as far as it is known, ``count`` how many iterations there will be,
    or ``None``, ``held`` the tensors that a loop carries for one result.
    """

    def rows(self, tensor: tf.Tensor) -> Callable[[tf.Tensor], tf.Tensor]:
        """Return what gives the row of a tensor at an index (int32) of its first axis."""

    def opened(self, row: tf.TensorSpec, count: Dim | None) -> list[tf.Tensor]:
        """Return what a loop carries before the first iteration."""

    def shapes(self, row: tf.TensorSpec, count: Dim | None) -> list[tf.TensorShape]:
        """Return the shapes that it has in every iteration."""

    def put(self, held: list[tf.Tensor], index: tf.Tensor, row: tf.Tensor, count: Dim | None) -> list[tf.Tensor]:
        """Return it with the row of an iteration."""

    def stacked(self, held: list[tf.Tensor], number: tf.Tensor, row: tf.TensorSpec, count: Dim | None) -> tf.Tensor:
        """Return the rows of a number of iterations as one tensor."""


class _TensorLists:
    """TensorFlow's lists.

    Readers of SavedModels know lists of a size that are filled by number, as ``tf.TensorArray`` is. One that
    grows so is of no length to OpenVINO, which knows lists that are pushed to.
    """

    def rows(self, tensor: tf.Tensor) -> Callable[[tf.Tensor], tf.Tensor]:
        items = tensor_list.unstack(tensor)
        return lambda index: tensor_list.get(items, index, tensor.dtype, tensor.shape[1:])

    def opened(self, row: tf.TensorSpec, count: Dim | None) -> list[tf.Tensor]:
        if count is None:
            return [tensor_list.empty(row.dtype, row.shape)]
        return [tensor_list.reserve(tf.cast(count, tf.int32), row)]

    def shapes(self, row: tf.TensorSpec, count: Dim | None) -> list[tf.TensorShape]:
        del row, count
        return [tf.TensorShape([])]

    def put(self, held: list[tf.Tensor], index: tf.Tensor, row: tf.Tensor, count: Dim | None) -> list[tf.Tensor]:
        (items,) = held
        return [tensor_list.push(items, row) if count is None else tensor_list.put(items, index, row)]

    def stacked(self, held: list[tf.Tensor], number: tf.Tensor, row: tf.TensorSpec, count: Dim | None) -> tf.Tensor:
        del number
        return tensor_list.stack(held[0], row.dtype, row.shape, count)


TENSOR_LISTS: Store = _TensorLists()
