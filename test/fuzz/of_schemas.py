"""Nodes that are made by their schema, and then of wrong dtypes, ranks, sizes and values."""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper
from onnx.defs import OpSchema

from onnx_tf.handler_table import known_handlers
from onnx_tf.registry import Handler
from test.fuzz.case import Case
from test.fuzz.of_structure import FLOATS, number, text
from test.fuzz.seeds import Seed

__all__ = ["make"]

MICROSOFT = "com.microsoft"
DIMS = (0, 1, 1, 2, 2, 3, 4, 7)
DTYPES = [dtype for dtype in range(1, 24) if dtype not in (TensorProto.STRING,)]


@functools.cache
def _schemas() -> list[OpSchema]:
    found = [schema for schema in onnx.defs.get_all_schemas_with_history() if schema.domain in ("", "ai.onnx.ml")]
    return [schema for schema in found if not schema.deprecated]


def make(rng: random.Random, _seeds: Sequence[Seed], _number: int) -> Case:
    """Return a model of one node, whose inputs are graph inputs or constants."""
    if rng.random() < 0.2:
        return _of_microsoft(rng)
    schema = rng.choice(_schemas())
    count = rng.randint(schema.min_input, min(schema.max_input, schema.min_input + 3))
    chosen = {
        constraint.type_param_str: rng.choice(constraint.allowed_type_strs) for constraint in schema.type_constraints
    }
    rank = rng.randrange(5)
    inputs, constants, feed = [], [], []
    for place in range(count):
        formal = schema.inputs[min(place, len(schema.inputs) - 1)]
        array = _array(rng, chosen.get(formal.type_str, formal.type_str), rank)
        name = f"i{place}"
        if rng.random() < 0.4:
            constants.append(_tensor(array, name))
        else:
            dims = [dim if rng.random() < 0.7 else None for dim in array.shape]
            inputs.append(helper.make_tensor_value_info(name, _dtype(array), dims))
            feed.append(array)
    outputs = [f"o{place}" for place in range(max(1, rng.randint(schema.min_output, min(schema.max_output, 3))))]
    node = helper.make_node(schema.name, [f"i{place}" for place in range(count)], outputs, domain=schema.domain)
    for name, attribute in sorted(schema.attributes.items()):
        if attribute.required or rng.random() < 0.5:
            value = _value(rng, attribute.type)
            if value is not None:
                node.attribute.append(helper.make_attribute(name, value, attr_type=int(attribute.type)))
    shown = [helper.make_empty_tensor_value_info(name) for name in outputs]
    graph = helper.make_graph([node], "g", inputs, shown, constants)
    opsets = [helper.make_opsetid("", schema.since_version if not schema.domain else 21)]
    if schema.domain:
        opsets.append(helper.make_opsetid(schema.domain, schema.since_version))
    model = helper.make_model(graph, opset_imports=opsets, ir_version=rng.choice((8, 10)))
    return Case(
        f"{schema.domain or 'ai.onnx'}.{schema.name} {schema.since_version}", model.SerializeToString(), tuple(feed)
    )


@functools.cache
def _microsoft() -> list[Handler]:
    return [handler for handler in known_handlers().handlers() if handler.domain == MICROSOFT]


def _of_microsoft(rng: random.Random) -> Case:
    """Return a model of an operator that has no schema here: what it takes is guessed."""
    handler = rng.choice(_microsoft())
    kinds = ("float", "float", "float", "int32", "int64", "uint8", "int8", "float16", "bool")
    rank = rng.choice((1, 2, 2, 3, 3, 4))
    inputs, constants, feed, names = [], [], [], []
    for place in range(rng.randint(1, 7)):
        if place and rng.random() < 0.2:
            names.append("")
            continue
        names.append(f"i{place}")
        array = _array(rng, f"tensor({rng.choice(kinds)})", rank if rng.random() < 0.6 else 1)
        if rng.random() < 0.4:
            constants.append(_tensor(array, names[-1]))
        else:
            inputs.append(helper.make_tensor_value_info(names[-1], _dtype(array), array.shape))
            feed.append(array)
    node = helper.make_node(handler.op_type, names, ["o"], domain=MICROSOFT)
    for name in sorted(handler.attributes):
        if rng.random() < 0.6:
            value = rng.choice((0, 1, 1, 2, 4, 8, number(rng), 0.5, rng.choice(FLOATS), text(rng), [1, 2]))
            node.attribute.append(helper.make_attribute(name, value))
    graph = helper.make_graph([node], "g", inputs, [helper.make_empty_tensor_value_info("o")], constants)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(MICROSOFT, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    return Case(f"{MICROSOFT}.{handler.op_type}", model.SerializeToString(), tuple(feed))


def _array(rng: random.Random, kind: str, rank: int) -> np.ndarray:
    """Return an array of a dtype that a schema names, or of another."""
    inner = kind.removeprefix("tensor(").rstrip(")")
    try:
        dtype = helper.tensor_dtype_to_np_dtype(getattr(TensorProto, inner.upper()))
    except (AttributeError, KeyError, ValueError):
        dtype = np.dtype(np.float32)
    if rng.random() < 0.1:
        dtype = helper.tensor_dtype_to_np_dtype(rng.choice(DTYPES))
    near = rank + rng.choice((0, 0, 0, 0, -1, 1))
    if dtype == np.int64 and rng.random() < 0.6:  # axes, shapes and indices have one axis
        near = rng.choice((0, 1, 1, 1))
    dims = [rng.choice(DIMS) for _ in range(max(0, near))]
    size = int(np.prod(dims))
    if np.dtype(dtype).kind == "O":
        return np.array([text(rng) for _ in range(size)], object).reshape(dims)
    whole = [number(rng) if rng.random() < 0.15 else rng.randrange(-3, 5) for _ in range(size)]
    if np.dtype(dtype).kind in "iub":
        bits = np.array(whole, object) if size else np.zeros(0, object)
        info = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else None
        limited = [bool(v) if info is None else min(max(v, info.min), info.max) for v in bits]
        return np.array(limited, dtype).reshape(dims)
    floats = [rng.choice(FLOATS) if rng.random() < 0.1 else rng.uniform(-2, 2) for _ in range(size)]
    with np.errstate(all="ignore"):
        return np.array(floats, np.float64).astype(dtype).reshape(dims)


def _dtype(array: np.ndarray) -> int:
    return TensorProto.STRING if array.dtype.kind == "O" else int(helper.np_dtype_to_tensor_dtype(array.dtype))


def _tensor(array: np.ndarray, name: str) -> TensorProto:
    return onnx.numpy_helper.from_array(array, name)


def _value(rng: random.Random, kind: Any) -> Any:
    one: dict[int, Any] = {
        AttributeProto.INT: lambda: number(rng) if rng.random() < 0.4 else rng.randrange(3),
        AttributeProto.FLOAT: lambda: rng.choice(FLOATS),
        AttributeProto.STRING: lambda: text(rng),
        AttributeProto.TENSOR: lambda: _tensor(_array(rng, "tensor(float)", rng.randrange(3)), "t"),
    }
    several = {
        AttributeProto.INTS: AttributeProto.INT,
        AttributeProto.FLOATS: AttributeProto.FLOAT,
        AttributeProto.STRINGS: AttributeProto.STRING,
    }
    number_of_kind = int(kind)
    if number_of_kind in several:
        return [one[several[number_of_kind]]() for _ in range(rng.randrange(4))]
    return one[number_of_kind]() if number_of_kind in one else None
