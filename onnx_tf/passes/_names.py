"""Names for what a pass adds: the plan finds values by name, so a name that is taken means wrong numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import onnx_ir as ir


class Names:
    """The names of all values of a model, those of its subgraphs included."""

    def __init__(self, model: ir.Model) -> None:
        self._taken: set[str | None] = set()
        for graph in model.graphs():
            self._taken.update(value.name for value in (*graph.inputs, *graph.initializers.values()))
            self._taken.update(output.name for node in graph for output in node.outputs)

    def fresh(self, name: str) -> str:
        """Return the name, or one like it that no value has, and take it."""
        found, count = name, 1
        while found in self._taken:
            count += 1
            found = f"{name}_{count}"
        self._taken.add(found)
        return found

    def constant(
        self, graph: ir.Graph, name: str, dtype: ir.DataType, shape: Iterable[Any], compute: Callable[[], np.ndarray]
    ) -> ir.Value:
        """Return a new initializer of a graph that is computed when it is needed, cast and reshaped as stated."""
        name, dims = self.fresh(name), tuple(int(dim) for dim in shape)
        tensor = ir.LazyTensor(
            lambda: ir.tensor(np.ascontiguousarray(compute()).reshape(dims).astype(dtype.numpy()), name=name),
            dtype=dtype,
            shape=ir.Shape(dims),
            name=name,
        )
        value = ir.Value(name=name, type=ir.TensorType(dtype), shape=ir.Shape(dims), const_value=tensor)
        graph.register_initializer(value)
        return value
