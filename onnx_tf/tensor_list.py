"""TensorFlow's tensor lists: variant tensors that hold tensors of one dtype and any shapes.

``tf.TensorArray`` is built on them; it cannot be told the shape of what it stacks at run time,
which a loop of zero iterations needs.
"""

from __future__ import annotations

import tensorflow as tf

__all__ = ["concat", "empty", "get", "length", "push", "put", "reserve", "stack", "stackable_shape", "unstack"]


ANY = tf.TensorShape(None)


def empty(dtype: tf.DType, shape: tf.TensorShape = ANY) -> tf.Tensor:
    """Return a list of nothing, for tensors of a shape."""
    return tf.raw_ops.EmptyTensorList(element_shape=_shape_tensor(shape), max_num_elements=-1, element_dtype=dtype)


def reserve(count: tf.Tensor, spec: tf.TensorSpec) -> tf.Tensor:
    """Return a list with places for tensors of a spec."""
    return tf.raw_ops.TensorListReserve(
        element_shape=_shape_tensor(spec.shape), num_elements=count, element_dtype=spec.dtype
    )


def put(items: tf.Tensor, index: tf.Tensor, tensor: tf.Tensor) -> tf.Tensor:
    """Return the list with a tensor at an index."""
    return tf.raw_ops.TensorListSetItem(input_handle=items, index=index, item=tensor)


def push(items: tf.Tensor, tensor: tf.Tensor) -> tf.Tensor:
    """Return the list with a tensor more at its end."""
    return tf.raw_ops.TensorListPushBack(input_handle=items, tensor=tensor)


def length(items: tf.Tensor) -> tf.Tensor:
    """Return how many tensors the list holds, int32."""
    return tf.raw_ops.TensorListLength(input_handle=items)


def get(items: tf.Tensor, index: tf.Tensor, dtype: tf.DType, shape: tf.TensorShape) -> tf.Tensor:
    """Return the tensor at an index."""
    element = tf.raw_ops.TensorListGetItem(
        input_handle=items, index=index, element_shape=_shape_tensor(shape), element_dtype=dtype
    )
    element.set_shape(shape)
    return element


def unstack(tensor: tf.Tensor) -> tf.Tensor:
    """Return the list of a tensor's slices along its first axis."""
    return tf.raw_ops.TensorListFromTensor(tensor=tensor, element_shape=_shape_tensor(tensor.shape[1:]))


def stack(items: tf.Tensor, dtype: tf.DType, shape: tf.TensorShape, count: int | tf.Tensor | None = None) -> tf.Tensor:
    """Return the tensors, all of one shape, as one tensor with a new first axis.

    ``count`` is their number, if that is known besides: coremltools knows no length of a list.
    """
    known = count if isinstance(count, int) else None
    number = length(items) if count is None else tf.cast(count, tf.int32)
    stacked = tf.raw_ops.TensorListStack(
        input_handle=items,
        element_shape=_shape_tensor(shape) if known else stackable_shape(number, shape),
        element_dtype=dtype,
        num_elements=-1 if known is None else known,
    )
    stacked.set_shape(tf.TensorShape([known]).concatenate(shape))
    return stacked


def concat(items: tf.Tensor, dtype: tf.DType, shape: tf.TensorShape) -> tf.Tensor:
    """Return the tensors joined along their first axis; ``shape`` is that of the other axes."""
    joined, _ = tf.raw_ops.TensorListConcatV2(
        input_handle=items,
        element_shape=_shape_tensor(tf.TensorShape([None]).concatenate(shape)),
        leading_dims=tf.constant([], tf.int64),
        element_dtype=dtype,
    )
    joined.set_shape(tf.TensorShape([None]).concatenate(shape))
    return joined


def stackable_shape(count: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
    """Return the shape tensor to stack ``count`` tensors with.

    TensorFlow refuses to stack nothing where it does not know the shape; then unknown dims are 0.
    """
    if shape.is_fully_defined():
        return _shape_tensor(shape)
    if shape.rank is None:
        return tf.cond(tf.equal(count, 0), lambda: tf.zeros([0], tf.int32), lambda: tf.constant(-1))
    unknown = tf.where(tf.equal(count, 0), 0, -1)
    return tf.stack([unknown if dim is None else tf.constant(dim) for dim in shape])


def _shape_tensor(shape: tf.TensorShape) -> tf.Tensor:
    if shape.rank is None:
        return tf.constant(-1, tf.int32)
    return tf.constant([-1 if dim is None else dim for dim in shape], tf.int32, shape=[shape.rank])
