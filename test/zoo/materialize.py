"""Refill a model file that carries only its structure with deterministic random weights.

A stripped model keeps name, dtype and dims of every large tensor but not its data; its metadata
property ``stripped_tensors`` maps the tensor's key to [mean, std, min, max]. The seed of a tensor
is crc32(key): floats are normal, clipped to [min, max] (their absolute value first where
min >= 0), 8-bit integers are uniform over min..max.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx

META_KEY = "stripped_tensors"
FLOATS = {
    onnx.TensorProto.FLOAT16: np.float16,
    onnx.TensorProto.FLOAT: np.float32,
    onnx.TensorProto.DOUBLE: np.float64,
}
INTEGERS = {onnx.TensorProto.INT8: np.int8, onnx.TensorProto.UINT8: np.uint8}


def materialize(path: str | Path) -> onnx.ModelProto:
    """Return the stripped model at a path with all its tensors filled."""
    model = onnx.load(path)
    statistics = {}
    for entry in list(model.metadata_props):
        if entry.key == META_KEY:
            statistics = json.loads(entry.value)
            model.metadata_props.remove(entry)
    for key, tensor in _tensors(model):
        if key in statistics:
            tensor.raw_data = _random_tensor(key, tensor, statistics[key]).tobytes()
    return model


def make_inputs(
    entries: list[dict[str, Any]], seed: int = 0, shapes: dict[str, list[int]] | None = None
) -> dict[str, Any]:
    """Return one random array per input of a manifest entry, one stream per input name.

    Numbers are uniform in [low, high] (integers inclusive), strings drawn from ``values``.
    ``shapes`` replaces the manifest's shapes by input name.
    """
    feed: dict[str, Any] = {}
    for entry in entries:
        rng = np.random.default_rng([seed, zlib.crc32(entry["name"].encode())])
        shape = (shapes or {}).get(entry["name"], entry["shape"])
        dtype = entry["dtype"]
        if dtype == "string":
            values = np.array(entry["values"], dtype=object)
            feed[entry["name"]] = values[rng.integers(0, len(values), size=shape)]
        elif dtype == "bool":
            feed[entry["name"]] = rng.integers(0, 2, size=shape).astype(bool)
        elif np.issubdtype(np.dtype(dtype), np.integer):
            feed[entry["name"]] = rng.integers(entry["low"], entry["high"] + 1, size=shape).astype(dtype)
        else:
            feed[entry["name"]] = rng.uniform(entry["low"], entry["high"], size=shape).astype(dtype)
    return feed


def _tensors(model: onnx.ModelProto) -> Iterator[tuple[str, onnx.TensorProto]]:
    yield from _graph_tensors(model.graph, "")
    for function in model.functions:
        yield from _node_tensors(function.node, f"{function.domain}::{function.name}:{function.overload}/")


def _graph_tensors(graph: onnx.GraphProto, prefix: str) -> Iterator[tuple[str, onnx.TensorProto]]:
    yield from ((prefix + tensor.name, tensor) for tensor in graph.initializer)
    yield from _node_tensors(graph.node, prefix)


def _node_tensors(nodes: Any, prefix: str) -> Iterator[tuple[str, onnx.TensorProto]]:
    for index, node in enumerate(nodes):
        key = prefix + (next(filter(None, node.output), "") or f"#{index}")
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield f"{key}@{attribute.name}", attribute.t
            elif attribute.HasField("g"):
                yield from _graph_tensors(attribute.g, f"{key}@{attribute.name}/")
            for i, tensor in enumerate(attribute.tensors):
                yield f"{key}@{attribute.name}.{i}", tensor
            for i, graph in enumerate(attribute.graphs):
                yield from _graph_tensors(graph, f"{key}@{attribute.name}.{i}/")


def _random_tensor(key: str, tensor: onnx.TensorProto, statistics: list[float]) -> np.ndarray:
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    mean, std, low, high = statistics
    dims = tuple(tensor.dims)
    if tensor.data_type in INTEGERS:
        return rng.integers(int(low), int(high) + 1, size=dims, dtype=INTEGERS[tensor.data_type])
    values = rng.standard_normal(dims, dtype=np.float32).astype(FLOATS[tensor.data_type], copy=False)
    values = values * values.dtype.type(std) + values.dtype.type(mean)
    if low >= 0:
        np.abs(values, out=values)
    return np.clip(values, values.dtype.type(low), values.dtype.type(high), out=values)
