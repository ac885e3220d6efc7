"""A call of the traced model with as little as possible around it.

What a call of a ``tf.function`` costs beside its kernels is many times what small models compute in: arguments are
matched with a signature, and kernels are handed to other threads. A concrete function saves the first. The operation
``StatefulPartitionedCall``, which calls it by name, saves both: its kernels run on the thread that calls, one after
another, each with the threads that it takes for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from onnx_tf.backend_tf_module import BackendTFModule

__all__ = ["Call", "caller"]

Call = Callable[[Sequence[Any]], list[Any]]
"""Takes arrays or tensors of the inputs' dtypes, by position, and returns the outputs in the order of the model."""

SMALL_MODEL_BYTES = 1 << 20
"""Of models with more weights kernels may take long enough to be worth other threads: each beside others, not only
within itself."""

SMALL_INPUT_BYTES = 1 << 16
"""The same of what a call is given."""


def caller(model: BackendTFModule) -> Call | None:
    """Return how the outputs of a model that is traced once are computed; ``None`` if they are not tensors alone."""
    function, names = model.concrete(), model.output_names
    results = function.structured_outputs
    if not all(isinstance(results[name], (tf.Tensor, tf.TensorSpec)) for name in names):
        return None

    def call(inputs: Sequence[Any]) -> list[Any]:
        with tf.init_scope():  # no tape records what ends in arrays
            found = function(*map(tf.convert_to_tensor, inputs))
        return [found[name] for name in names]

    # Anything but a CPU wants its tensors moved, which function calls do and the operation does not.
    is_on_cpu = all(device.device_type == "CPU" for device in tf.config.list_logical_devices())
    return _inline(function, names, call) if is_on_cpu and _is_small(model) else call


def _is_small(model: BackendTFModule) -> bool:
    largest = model.graph.largest
    return model.weight_bytes + (0 if largest is None else largest.size) <= SMALL_MODEL_BYTES


def _inline(function: Any, names: Sequence[str], large: Call) -> Call:
    """Return a call on the thread that calls, for inputs that are not ``large``."""
    captured, dtypes = function.captured_inputs, [tensor.dtype for tensor in function.outputs]
    places = {name: place for place, name in enumerate(sorted(set(names)))}  # as TensorFlow flattens a dict
    order = [places[name] for name in names]
    operation, scope = tf.raw_ops.StatefulPartitionedCall, tf.init_scope

    def call(inputs: Sequence[Any]) -> list[Any]:
        if sum(map(_bytes, inputs)) > SMALL_INPUT_BYTES:
            return large(inputs)
        try:
            with scope():
                found = operation(args=[*inputs, *captured], Tout=dtypes, f=function)
        except tf.errors.OpError:
            return large(inputs)  # whose error names the node
        return [found[place] for place in order]

    return call


def _bytes(given: Any) -> int:
    return given.nbytes if isinstance(given, np.ndarray) else given.shape.num_elements() * given.dtype.size
