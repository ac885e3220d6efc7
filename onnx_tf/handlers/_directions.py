"""Both directions of RNN, GRU and LSTM, as one node for each."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from onnx_tf.handlers._gate_functions import ACTIVATIONS

__all__ = ["Handler", "one_after_another"]

Handler = Callable[..., tuple[tf.Tensor | None, ...]]

_OF_NO_DIRECTION = 0, 4
"""The positions of inputs that both directions share: the sequence and its lengths."""
_STATES = 5, 6
"""The positions of the initial states."""


def one_after_another(handler: Handler, functions: int) -> Handler:
    """Return a handler that walks in one direction at a time.

    Both at once need products of batches, which oneDNN and LiteRT take 2 to 30 times as long for. TensorFlow
    computes the two walks side by side, as nothing of one depends on the other.

    Args:
        handler: that of one direction.
        functions: how many activation functions its cell has.
    """

    @functools.wraps(handler)
    def walks(*tensors: Any, direction: str = "forward", **attributes: Any) -> tuple[tf.Tensor | None, ...]:
        if direction != "bidirectional":
            return handler(*tensors, direction=direction, **attributes)
        layout = attributes.get("layout", 0)

        def part(position: int, tensor: Any, index: int) -> Any:
            if tensor is None or position in _OF_NO_DIRECTION:
                return tensor
            return tensor[:, index : index + 1] if layout and position in _STATES else tensor[index : index + 1]

        found = [
            handler(*[part(p, t, i) for p, t in enumerate(tensors)], direction=name, **{**attributes, **own})
            for i, (name, own) in enumerate(zip(("forward", "reverse"), _halves(functions, **attributes), strict=True))
        ]
        axes = [1 + layout, layout, layout]
        pairs = zip(zip(*found, strict=True), axes, strict=False)
        return tuple(None if pair[0] is None else tf.concat(pair, axis) for pair, axis in pairs)

    return walks


def _halves(
    count: int,
    activations: Sequence[str] | None,
    activation_alpha: Sequence[float] | None,
    activation_beta: Sequence[float] | None,
    **others: Any,
) -> list[dict[str, Sequence[Any] | None]]:
    """Return the attributes that tell the functions of each direction.

    Raises:
        ValueError: there are not as many functions.
    """
    del others
    if activations and len(activations) < 2 * count:
        raise ValueError(f"{2 * count} activations expected, got {list(activations)}")
    parameters = [len(ACTIVATIONS.get(name.lower(), (None, ()))[1]) for name in (activations or [])[:count]]
    ends = count, sum(n > 0 for n in parameters), sum(n > 1 for n in parameters)
    given = {"activations": activations, "activation_alpha": activation_alpha, "activation_beta": activation_beta}
    pairs = list(zip(given.items(), ends, strict=True))
    return [
        {name: list(values)[:end] if values else None for (name, values), end in pairs},
        {name: list(values)[end:] if values else None for (name, values), end in pairs},
    ]
