"""About how large artefacts are, and how much memory a run takes."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from onnx_tf.backend_tf_module import BackendTFModule

__all__ = [
    "constant_bytes",
    "graph_peak",
    "keras_bytes",
    "keras_peak",
    "saved_model_bytes",
    "tflite_bytes",
    "variable_bytes",
]

_ALIASES = frozenset({"ExpandDims", "Identity", "IdentityN", "PreventGradient", "Reshape", "Squeeze", "StopGradient"})
"""Operations whose result is their first input."""

_HELD = frozenset({"Const", "ReadVariableOp", "NoOp", "VarHandleOp"})
"""Operations whose results are weights, or nothing."""

SAVED_MODEL_BYTES = 12_000
"""Of a SavedModel besides operations and weights."""

BYTES_PER_STEP = 600
"""Of a file of a Keras model: a layer or an operation, and the names of its weights."""

BYTES_PER_OPERATION = 160
"""Of a .tflite file: an operator, its tensors and their names."""

MIN_QUANTIZED_ELEMENTS = 1024
"""Of weights in dynamic_range_quant: smaller ones stay floats."""

_Run = tuple[Sequence[Hashable], Sequence[tuple[Hashable, int]]]
"""What one step of a computation reads, and the sizes of what it gives."""


@dataclass(frozen=True)
class _Stored:
    """How weights are stored: elements of a dtype as a share of their size, where there are ``least`` or more."""

    shares: Mapping[tf.DType, float] = field(default_factory=dict)
    least: int = 0

    def size(self, count: int, dtype: tf.DType) -> float:
        """Return how many bytes so many elements take."""
        share = self.shares.get(dtype, 1.0) if count >= self.least else 1.0
        return count * share * _element(dtype)


def _stored(kind: str, *, widened: bool) -> _Stored:
    """Return how a kind of .tflite files stores weights.

    Args:
        kind: the kind.
        widened: whether integers of 8 bits are weights that are written as floats.
    """
    if kind == "float32" or kind == "float16":
        floats = 0.5 if kind == "float16" else 1.0
        eighths = dict.fromkeys((tf.int8, tf.uint8), 4 * floats) if widened else {}
        return _Stored({tf.float32: floats, **eighths})
    return _Stored({tf.float32: 0.25}, MIN_QUANTIZED_ELEMENTS)


def variable_bytes(model: BackendTFModule) -> int:
    """Return the size of the variables."""
    return _variables(model, _Stored())


def constant_bytes(graph: tf.Graph) -> int:
    """Return the size of the constants of a traced graph and of the bodies that it calls."""
    return _constants(graph, _Stored())


def saved_model_bytes(model: BackendTFModule, copies: int, *, frozen: bool) -> int:
    """Return about how large a SavedModel is.

    Args:
        model: the module.
        copies: how often its operations are in the file: for each signature, and for the function ``serve``.
        frozen: whether the weights are constants besides.
    """
    graph = model.concrete().graph
    constants = constant_bytes(graph)
    operations = graph.as_graph_def().ByteSize() - constants
    weights = variable_bytes(model) * (2 if frozen else 1)
    return SAVED_MODEL_BYTES + weights + constants + max(0, operations) * copies


def keras_bytes(weights: int, steps: Sequence[Any]) -> int:
    """Return about how large a file of a Keras model is."""
    return weights + BYTES_PER_STEP * len(steps)


def tflite_bytes(model: BackendTFModule, kind: str, *, widened: bool) -> int:
    """Return about how large a .tflite file of a kind is; for ``widened`` see above."""
    graph, stored = model.concrete().graph, _stored(kind, widened=widened)
    operations = sum(op.type not in _HELD for op in graph.get_operations())
    return _variables(model, stored) + _constants(graph, stored) + BYTES_PER_OPERATION * operations


def _variables(model: BackendTFModule, stored: _Stored) -> int:
    variables = model.weights.values()
    return int(sum(stored.size(variable.shape.num_elements(), variable.dtype) for variable in variables))


def _constants(graph: tf.Graph, stored: _Stored) -> int:
    bodies = [getattr(function, "graph", None) for function in getattr(graph, "_functions", {}).values()]
    graphs = [graph, *(body for body in bodies if isinstance(body, tf.Graph))]
    found = [op.outputs[0] for each in graphs for op in each.get_operations() if op.type == "Const"]
    return int(sum(stored.size(_elements(tensor), tensor.dtype) for tensor in found))


def graph_peak(model: BackendTFModule) -> int:
    """Return about how many bytes a run of a module needs besides its weights."""
    graph = model.concrete().graph
    kept = {tensor.ref() for tensor in graph.outputs}
    alias: dict[Any, Any] = {}
    runs: list[_Run] = []
    for operation in graph.get_operations():
        if operation.type in _HELD:
            continue
        reads = [alias.get(tensor.ref(), tensor.ref()) for tensor in operation.inputs]
        if operation.type in _ALIASES and reads:
            alias |= {tensor.ref(): reads[0] for tensor in operation.outputs}
            runs.append((reads, ()))
        else:
            runs.append((reads, [(tensor.ref(), _bytes(tensor)) for tensor in operation.outputs]))
    return _peak(runs, {alias.get(ref, ref) for ref in kept})


def keras_peak(steps: Iterable[Any]) -> int:
    """Return about how many bytes a run of a Keras model needs besides its weights, from the calls of its layers."""
    runs: list[_Run] = []
    last: Sequence[Hashable] = ()
    for step in steps:
        last = [id(tensor) for tensor in step.outputs]
        runs.append(([id(tensor) for tensor in step.inputs], [(id(tensor), _bytes(tensor)) for tensor in step.outputs]))
    return _peak(runs, set(last))


def _peak(runs: Sequence[_Run], kept: set[Any]) -> int:
    """Return the most bytes that are alive at once, where each value goes with its last reader."""
    ends: dict[Hashable, int] = {}
    for place, (reads, results) in enumerate(runs):
        ends.update(dict.fromkeys(reads, place))
        ends.update({key: place for key, _ in results})
    gone: dict[int, list[Hashable]] = {}
    for key, place in ends.items():
        if key not in kept:
            gone.setdefault(place, []).append(key)
    alive: dict[Hashable, int] = {}
    now = most = 0
    for place, (_, results) in enumerate(runs):
        alive |= dict(results)
        now += sum(size for _, size in results)
        most = max(most, now)
        now -= sum(alive.pop(key, 0) for key in gone.get(place, ()))
    return most


def _bytes(tensor: Any) -> int:
    """Return the size of a tensor; 0 where it holds no numbers."""
    return _elements(tensor) * _element(tf.as_dtype(tensor.dtype))


def _elements(tensor: Any) -> int:
    """Return how many elements a tensor has, open dimensions counted as 1; 0 where its rank is open."""
    if getattr(tensor.shape, "rank", 0) is None:
        return 0
    return math.prod(1 if dim is None else int(dim) for dim in tuple(tensor.shape))


def _element(dtype: tf.DType) -> int:
    return int(dtype.size) if dtype.is_numpy_compatible and dtype != tf.string else 0
