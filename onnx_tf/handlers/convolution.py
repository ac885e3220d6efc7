"""Convolutions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from onnx_tf.handlers._convolve import convolve
from onnx_tf.handlers._layout import channels_last_op, pack_filters, to_channels_first, to_channels_last
from onnx_tf.handlers._tensors import Dim, as_shape, dims_of, widened
from onnx_tf.handlers._windows import Windows, windows
from onnx_tf.registry import NodeContext, onnx_op

Convolve = Callable[[tf.Tensor, tf.Tensor, tf.Tensor | None, Windows, int, str, bool], tf.Tensor]
"""(data, packed filters, bias, windows, groups, auto_pad, whether data decide the batch) -> result."""


def register_conv(form: Convolve, *, target: str = "") -> None:
    """Register a form of Conv, see :func:`onnx_tf.registry.onnx_op`."""

    @channels_last_op("Conv", filters=(1,), target=target)
    def conv(
        x: tf.Tensor,
        w: tf.Tensor,
        b: tf.Tensor | None = None,
        *,
        auto_pad: str,
        dilations: Sequence[int] | None,
        group: int,
        kernel_shape: Sequence[int] | None,
        pads: Sequence[int] | None,
        strides: Sequence[int] | None,
        context: NodeContext,
    ) -> tf.Tensor:
        kernel = kernel_of(w, kernel_shape)
        place = windows(x, kernel, strides=strides, dilations=dilations, auto_pad=auto_pad, pads=pads)
        return form(x, w, b, place, group, auto_pad, context.is_batch_of_data)


register_conv(
    lambda x, w, b, place, group, _, is_batch_of_data: convolve(
        x, w, b, place, group, is_batch_of_data=is_batch_of_data
    )
)


register_conv(
    lambda x, w, b, place, group, _, is_batch_of_data: convolve(
        x, w, b, place, group, is_batch_of_data=is_batch_of_data, is_narrow=x.dtype in (tf.bfloat16, tf.float16)
    ),
    target="narrow",
)


def kernel_of(filters: tf.Tensor, kernel_shape: Sequence[int] | None) -> Sequence[Dim]:
    """Return the spatial dims of packed filters; ``kernel_shape`` tells those that are open."""
    dims = dims_of(filters)[:-2]
    if kernel_shape is None:
        return dims
    return [dim if isinstance(dim, int) else stated for dim, stated in zip(dims, kernel_shape, strict=True)]


def static_kernel_of(filters: tf.Tensor, kernel_shape: Sequence[int] | None) -> Sequence[int]:
    """Return the spatial dims of packed filters, which must be known.

    Raises:
        ValueError: neither the filters nor ``kernel_shape`` tell them.
    """
    kernel = [dim for dim in kernel_of(filters, kernel_shape) if isinstance(dim, int)]
    if len(kernel) < len(filters.shape) - 2:
        raise ValueError("the filters have no static shape: state kernel_shape")
    return kernel


@onnx_op("CausalConvWithState", since=27)
def causal_conv_with_state(
    x: tf.Tensor,
    weight: tf.Tensor,
    bias: tf.Tensor | None = None,
    past_state: tf.Tensor | None = None,
    *,
    activation: str,
) -> tuple[tf.Tensor, tf.Tensor]:
    return causal_convolution(x, weight, bias, past_state, activation)


def causal_convolution(
    x: tf.Tensor,
    weight: tf.Tensor,
    bias: tf.Tensor | None,
    past_state: tf.Tensor | None,
    activation: str,
    dilation: int = 1,
    state_length: int = 0,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the depthwise convolution of N, C, length data with what came before it, and the next state.

    A state that is longer than what the kernel sees keeps what came before that too.
    """
    taps = kernel_of(pack_filters(weight), None)[0]
    needed = (taps - 1) * dilation
    length = state_length or needed
    if isinstance(needed, int) and length < needed:
        raise ValueError(f"state_length is {state_length}, but the kernel sees {needed} positions before each")
    batch, channels, _ = dims_of(x)
    if past_state is None:
        past_state = tf.zeros(as_shape([batch, channels, length]), x.dtype)
    seen = tf.concat([past_state, x], 2)
    if x.shape[2] == 0:  # TensorFlow refuses windows that are longer than what is seen
        return x, seen[:, :, tf.shape(seen)[2] - length :]
    data, filters = to_channels_last(seen[:, :, length - needed :]), pack_filters(weight)
    place = windows(data, [taps], strides=None, dilations=[dilation], auto_pad="VALID", pads=None)
    y = to_channels_first(convolve(data, filters, bias, place, weight.shape[0] or channels))
    if activation in ("silu", "swish"):
        y = widened(lambda y: y * tf.sigmoid(y), y)
    elif activation != "none":
        raise ValueError(f"activation {activation!r} is not known: use none, silu or swish")
    return y, seen[:, :, tf.shape(seen)[2] - length :]
