"""Which operators lose most by integers, and which are worth staying in floats: a bounded greedy search."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from onnx_tf.export.file_graph import FileGraph
from onnx_tf.export.post_training.kept import kept_in_floats, label
from onnx_tf.export.post_training.running import Running
from onnx_tf.own_process import tell

__all__ = ["closest", "losses", "noise_ratio", "tuned"]

MAX_ROUNDS = 5
"""So many times operators are kept, at most, where the search is asked for."""
MAX_TRIED = 6
"""So many are tried in a round, those that lose most, each alone and with what reads it."""
LEAST_GAIN = 0.5
"""Decibels that a round must bring."""
MAX_RATIO = 200.0
"""What counts as the ratio of equal numbers, in decibels."""
TUNED = "--tune found it worth it"

_MOVES = ("DEQUANTIZE", "QUANTIZE", "RESHAPE", "TRANSPOSE")


def noise_ratio(expected: Sequence[np.ndarray], found: Sequence[np.ndarray]) -> float:
    """Return how far signal is above noise, in decibels, over pairs of arrays."""
    signal = sum(float(np.sum(np.square(x, dtype=np.float64))) for x in expected)
    pairs = zip(expected, found, strict=True)
    noise = sum(float(np.sum(np.square(np.subtract(x, y, dtype=np.float64)))) for x, y in pairs)
    if not math.isfinite(noise) or not math.isfinite(signal):
        return -MAX_RATIO
    if not noise or not signal:
        return MAX_RATIO if not noise else -MAX_RATIO
    return min(10 * math.log10(signal / noise), MAX_RATIO)


def losses(content: bytes, floats: bytes, feeds: Sequence[Mapping[str, np.ndarray]]) -> list[tuple[str, float, float]]:
    """Return operators by what they lose: label, decibels at their result, and how many fewer than at their operands.

    Args:
        content: the quantised file.
        floats: the file of floats that it was made of.
        feeds: inputs by name.
    """
    runs = [Running(data, keeps=True) for data in (floats, content)]
    file = runs[0].file
    operators = [o for o in file.graph.operators if len(o.outputs) and file.is_float(int(o.outputs[0]))]
    names = [label(file, operator) for operator in operators]
    pairs: dict[str, tuple[list[np.ndarray], list[np.ndarray]]] = {}
    for feed in feeds:
        values = []
        for run in runs:
            run.outputs(feed)
            values.append(run.values([*names, *(f"{name}_int16" for name in names)]))
        for name in names:
            if name in values[0] and name in values[1] and values[0][name].shape == values[1][name].shape:
                for side, found in zip(pairs.setdefault(name, ([], [])), values, strict=True):
                    side.append(np.asarray(found[name], np.float32))
    ratios = {name: noise_ratio(*both) for name, both in pairs.items()}
    rows = []
    for operator, name in zip(operators, names, strict=True):
        if name in ratios and file.kind(operator) not in _MOVES:
            makers = (file.producers.get(int(index)) for index in operator.inputs)
            above = [ratios.get(label(file, maker), MAX_RATIO) for maker in makers if maker is not None]
            rows.append((name, ratios[name], min([_INPUT, *above]) - ratios[name]))
    return sorted(rows, key=lambda row: -row[2])


_INPUT = 60.0
"""Decibels that inputs and operands of next to no noise count as."""


def tuned(
    content: bytes, floats: bytes, kept: Mapping[str, str], feeds: Sequence[Mapping[str, np.ndarray]], rounds: int
) -> tuple[bytes, dict[str, str], dict[str, Any]]:
    """Return a file that keeps more operators in floats, all that are kept, and what the search found.

    Args:
        content: the quantised file, with what stays in floats already.
        floats: the file of floats.
        kept: what stays in floats, with the reasons.
        feeds: inputs by name.
        rounds: how many more operators may be kept.
    """
    reference = Running(floats)
    expected = [reference.outputs(feed) for feed in feeds]
    ranked = losses(content, floats, feeds)
    best, kept = _ratio(content, feeds, expected), dict(kept)
    steps: list[tuple[tuple[str, ...], float]] = []
    report: dict[str, Any] = {"searched": bool(rounds), "before": best, "losses": ranked, "steps": steps}
    for number in range(rounds):
        tried: list[tuple[float, tuple[str, ...], bytes]] = []
        candidates = _candidates(reference.file, [name for name, _, _ in ranked if name not in kept][:MAX_TRIED])
        for place, names in enumerate(candidates):
            tell(f"Tuning, round {number + 1} of at most {rounds}, {place + 1} of {len(candidates)}")
            file = kept_in_floats(content, floats, names)
            tried.append((_ratio(file, feeds, expected), names, file))
        ratio, names, file = max(tried, key=lambda row: row[0], default=(best, (), content))
        if ratio < best + LEAST_GAIN:
            break
        steps.append((names, ratio - best))
        kept, content, best = {**kept, **dict.fromkeys(names, TUNED)}, file, ratio
        ranked = losses(content, floats, feeds)
    report["after"] = best
    return content, kept, report


def closest(contents: Sequence[bytes], floats: bytes, feeds: Sequence[Mapping[str, np.ndarray]]) -> int:
    """Return the place of the file whose outputs are the closest to those of a file of floats, the first of equals.

    Args:
        contents: quantised files.
        floats: the file that they were made of.
        feeds: inputs by name.
    """
    reference = Running(floats)
    expected = [reference.outputs(feed) for feed in feeds]
    ratios = [_ratio(content, feeds, expected) for content in contents]
    return ratios.index(max(ratios))


def _candidates(file: FileGraph, names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return operators to try, each also with the one that reads it: between two in floats nothing is quantised."""
    by_label = {label(file, operator): operator for operator in file.graph.operators}
    found: list[tuple[str, ...]] = [(name,) for name in names]
    for name in names:
        reader = file.only_reader(int(by_label[name].outputs[0]))
        if reader is not None:
            found.append((name, label(file, reader)))
    return found


def _ratio(
    content: bytes, feeds: Sequence[Mapping[str, np.ndarray]], expected: Sequence[Mapping[str, np.ndarray]]
) -> float:
    """Return the least ratio of any output that holds floats."""
    run = Running(content)
    found = [run.outputs(feed) for feed in feeds]
    names = [name for name, value in expected[0].items() if value.dtype.kind == "f"]
    return min((noise_ratio([e[n] for e in expected], [f[n] for f in found]) for n in names), default=MAX_RATIO)
