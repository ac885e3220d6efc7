"""Which integers attributes may hold: schemas state types alone, and kernels do not look before they divide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["WINDOWS", "choice_problem", "range_problem"]

MAX_SIZE = 2**31 - 1
"""Kernels count windows, steps and dimensions in 32 bits."""

MAX_STEP = 2**24
"""What windows are large and go: a number of elements by a number of bytes still fits 32 bits."""

_STEP = (1, MAX_STEP)
_COUNT = (1, MAX_SIZE)
_COUNT_OR_NONE = (0, MAX_SIZE)

RANGES: Mapping[str, tuple[int, int]] = {
    "batch_axis": (0, 1),
    "batch_dims": _COUNT_OR_NONE,
    "block_size": _COUNT_OR_NONE,
    "blocksize": _COUNT,
    "chunk_size": _COUNT_OR_NONE,
    "dilations": _STEP,
    "group": _COUNT,
    "hidden_size": _COUNT,
    "input_forget": (0, 1),
    "inputdimensions": _COUNT_OR_NONE,
    "kernel_shape": _STEP,
    "kv_num_heads": _COUNT,
    "layout": (0, 1),
    "max_gram_length": _COUNT,
    "max_skip_count": _COUNT_OR_NONE,
    "min_gram_length": _COUNT,
    "ngram_counts": _COUNT_OR_NONE,
    "ngram_indexes": _COUNT_OR_NONE,
    "num_groups": _COUNT,
    "num_heads": _COUNT_OR_NONE,
    "num_outputs": _COUNT,
    "num_scan_inputs": _COUNT,
    "offset_group": _COUNT,
    "output_height": _COUNT,
    "output_padding": _COUNT_OR_NONE,
    "output_shape": _COUNT,
    "output_width": _COUNT,
    "p": _COUNT,
    "pads": (-MAX_SIZE, MAX_SIZE),
    "pooled_shape": _COUNT,
    "q_num_heads": _COUNT,
    "rotary_embedding_dim": _COUNT_OR_NONE,
    "sample_size": _COUNT,
    "sampling_ratio": _COUNT_OR_NONE,
    "size": _COUNT,
    "split": _COUNT_OR_NONE,
    "storage_order": (0, 1),
    "strides": _STEP,
    "time_axis": (0, 1),
}
"""The least and the largest integer of attributes that mean the same wherever they are."""

WINDOWS = frozenset(["dilations", "group", "kernel_shape", "output_padding", "output_shape", "pads", "strides"])
"""Those of windows, which mean the same in com.microsoft."""

MAX_AXIS = 1023
"""No tensor has as many axes; numbers beyond 32 bits are wrong in every kernel."""

_AXES = frozenset(["axis", "axes", "perm", "scan_input_axes", "scan_output_axes"])


_DIRECTIONS = ("forward", "reverse", "bidirectional")
_REDUCTIONS = ("none", "add", "mul", "max", "min")

CHOICES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("BitShift", "direction"): ("LEFT", "RIGHT"),
    ("GRU", "direction"): _DIRECTIONS,
    ("LSTM", "direction"): _DIRECTIONS,
    ("RNN", "direction"): _DIRECTIONS,
    ("ScatterElements", "reduction"): _REDUCTIONS,
    ("ScatterND", "reduction"): _REDUCTIONS,
}
"""What attributes may say whose handlers take the standard's words for granted."""


def choice_problem(op_type: str, attributes: Mapping[str, str]) -> str | None:
    """Return what is wrong with the words of a node of the standard, ``None`` where nothing is.

    Args:
        op_type: the operator.
        attributes: its strings by the attribute's name.
    """
    for name, text in attributes.items():
        choices = CHOICES.get((op_type, name), (text,))
        if text not in choices:
            return f"attribute {name!r} is {text!r}: {', '.join(choices)} was expected"
    return None


def range_problem(attributes: Mapping[str, Sequence[int]]) -> str | None:
    """Return what is wrong with the integers of a node of the standard, ``None`` where nothing is.

    Args:
        attributes: its integers by the attribute's name.
    """
    for name, numbers in attributes.items():
        low, high = (-MAX_AXIS - 1, MAX_AXIS) if name in _AXES else RANGES.get(name, (None, None))
        wrong = [number for number in numbers if low is not None and high is not None and not low <= number <= high]
        if wrong:
            return f"attribute {name!r} holds {wrong[0]}: {low} to {high} was expected"
    perm = attributes.get("perm", ())
    if sorted(perm) != list(range(len(perm))):
        return f"attribute 'perm' is {list(perm)}, which does not name each of {len(perm)} axes once"
    return None
