"""Write the function body of a node operator by operator."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeAlias

import ml_dtypes  # noqa: F401  (numpy knows the dtypes of narrow floats then)
import numpy as np
import onnx
import onnx_ir as ir

from onnx_tf.errors import ConversionError
from onnx_tf.telling import place_of

__all__ = ["MIN_OPSET", "Body", "Dim", "Writer"]

MIN_OPSET = 13
"""Bodies are written in the operators of this opset version of ai.onnx, or in those of a newer one that a model has."""

_REDUCTIONS_TAKE_AXES = 18

Dim: TypeAlias = int | str
"""A number, or the name of a tensor int64[1] that is computed."""


class Body:
    """The body of one node: operators are added by methods that return the names of what they compute.

    Attributes:
        node: the node.
        opset: the version of ai.onnx that the body is written in.
        inputs: the names of its inputs, an empty one for an input that is left out.
    """

    def __init__(self, node: ir.Node, opset: int) -> None:
        self.node = node
        self.opset = max(MIN_OPSET, opset)
        self.inputs = ["" if value is None else f"in_{i}" for i, value in enumerate(node.inputs)]
        self._nodes: list[onnx.NodeProto] = []
        self._numbers = itertools.count()

    def op(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator with one output."""
        return self.ops(op_type, 1, *inputs, **attributes)[0]

    def ops(self, op_type: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        """Add an operator with several outputs."""
        results = [f"v_{next(self._numbers)}" for _ in range(count)]
        self._nodes.append(onnx.helper.make_node(op_type, list(inputs), results, **attributes))
        return results

    def reduced(self, op_type: str, value: str, axes: Sequence[int]) -> str:
        """Add ReduceMax or ReduceMean over axes, which stay with one element."""
        if self.opset < _REDUCTIONS_TAKE_AXES:
            return self.op(op_type, value, axes=list(axes))
        return self.op(op_type, value, self.integers(axes))

    def chain(self, op_type: str, *operands: str) -> str:
        """Add an operator of two inputs until all operands are one."""
        return functools.reduce(lambda left, right: self.op(op_type, left, right), operands)

    def constant(self, array: Any, dtype: ir.DataType | None = None) -> str:
        """Add a constant."""
        tensor = ir.tensor(np.asarray(array) if dtype is None else np.asarray(array).astype(dtype.numpy()))
        return self.op("Constant", value=ir.to_proto(tensor))

    def integers(self, numbers: Sequence[int]) -> str:
        """Add a constant int64 vector."""
        return self.constant(np.array(list(numbers), np.int64))

    def number(self, value: float, like: int = 0) -> str:
        """Add a number of the dtype of an input of the node."""
        return self.constant(value, self.dtype(like))

    def polynomial(self, x: str, factors: Sequence[float]) -> str:
        """Add the sum of the factors, each times x to the power of its place."""
        *rest, last = map(self.number, factors)
        return functools.reduce(
            lambda total, factor: self.op("Add", self.op("Mul", total, x), factor), rest[::-1], last
        )

    def value(self, index: int) -> ir.Value:
        """Return an input of the node.

        Raises:
            ConversionError: it is left out.
        """
        value = self.node.inputs[index] if index < len(self.node.inputs) else None
        if value is None:
            self.refuse(f"input {index} is missing")
        return value

    def dtype(self, index: int = 0) -> ir.DataType:
        """Return the dtype of an input.

        Raises:
            ConversionError: it is not known.
        """
        dtype = self.value(index).dtype
        if dtype is None:
            self.refuse(f"the dtype of input {index} is not known")
        return dtype

    def dims(self, index: int) -> list[Dim]:
        """Return the dimensions of an input, those that are open as values that are computed.

        Raises:
            ConversionError: its rank is not known.
        """
        shape = self.value(index).shape
        if shape is None:
            self.refuse(f"the rank of input {index} is not known: run onnx.shape_inference, or state shapes")
        known = [dim if isinstance(dim, int) else None for dim in shape]
        if None not in known:
            return list(shape.numpy())
        whole = self.op("Shape", self.inputs[index])
        return [self._dim(whole, axis) if dim is None else dim for axis, dim in enumerate(known)]

    def _dim(self, whole: str, axis: int) -> str:
        return self.op("Gather", whole, self.integers([axis]))

    def vector(self, dims: Sequence[Dim]) -> str:
        """Add a vector of dimensions: a constant, if all are known."""
        if all(isinstance(dim, int) for dim in dims):
            return self.integers([int(dim) for dim in dims])
        return self.op("Concat", *(self.integers([d]) if isinstance(d, int) else d for d in dims), axis=0)

    def product(self, dims: Sequence[Dim]) -> Dim:
        """Return the product of dimensions, a number if all are known."""
        known = int(np.prod([dim for dim in dims if isinstance(dim, int)], dtype=np.int64))
        computed = [dim for dim in dims if isinstance(dim, str)]
        if not computed:
            return known
        return self.chain("Mul", *computed, *([] if known == 1 else [self.integers([known])]))

    def reshape(self, value: str, dims: Sequence[Dim]) -> str:
        """Add a Reshape, with -1 for one dimension that is computed if no other one may be 0."""
        computed = [i for i, dim in enumerate(dims) if isinstance(dim, str)]
        if len(computed) == 1 and 0 not in dims:
            dims = [-1 if isinstance(dim, str) else dim for dim in dims]
        return self.op("Reshape", value, self.vector(dims))

    def refuse(self, reason: str) -> NoReturn:
        """Refuse the node.

        Raises:
            ConversionError: always.
        """
        raise ConversionError(f"it has no simpler form: {reason}", **place_of(self.node))

    def function(self, *results: str) -> onnx.FunctionProto:
        """Return the body, with the names of what it gives."""
        return onnx.helper.make_function(
            "onnx_tf.body",
            self.node.op_type,
            [name or f"left_out_{i}" for i, name in enumerate(self.inputs)],
            list(results),
            self._nodes,
            [onnx.helper.make_opsetid("", self.opset)],
        )


Writer: TypeAlias = Callable[[Body], str | None]
"""Writes a body and returns the name of its result; ``None`` where the node is not what the name stands for."""
