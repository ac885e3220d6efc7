"""The changes that overrides make to a node: its operator, its attributes, constants for its inputs, Transposes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from onnx_tf.edits.attribute_values import attribute_of
from onnx_tf.edits.misfit import Misfit
from onnx_tf.handler_table import known_handlers
from onnx_tf.operator_schema import operator_schema
from onnx_tf.overrides import NodeOverride
from onnx_tf.registry import normalize_domain
from onnx_tf.telling import did_you_mean, listed

__all__ = ["Changes", "Misfit", "input_index", "schema_of"]

_OF_DTYPE = ("to", "dtype", "output_datatype", "output_dtype")
"""Attributes that say which dtype a node computes."""


class Changes:
    """Makes entries, and keeps which values are others then.

    Attributes:
        changed: what the nodes compute whose attributes or inputs were changed, and what Transposes give.
        retyped: what may have another dtype.
    """

    def __init__(self, model: ir.Model) -> None:
        self._model = model
        self.changed: list[ir.Value] = []
        self.retyped: list[ir.Value] = []

    def make(self, node: ir.Node, entry: NodeOverride) -> Iterator[str]:
        """Change a node; yield what of the entry does not fit it."""
        if entry.replace_by is not None:
            try:
                self._replace(node, entry.replace_by)
            except Misfit as misfit:
                yield f"replace_by: {misfit}"
                return
        for name, value in entry.attributes.items():
            try:
                self._set_attribute(node, name, value)
            except Misfit as misfit:
                yield f"attributes: {misfit}"
        for name, value in entry.inputs.items():
            try:
                self._set_input(node, name, value)
            except Misfit as misfit:
                yield f"inputs: {misfit}"
        for name, perm in entry.transpose_before.items():
            try:
                self._transpose_before(node, input_index(node, name), perm)
            except Misfit as misfit:
                yield f"transpose_before: {misfit}"
        for name, perm in entry.transpose_after.items():
            try:
                self._transpose_after(node, _output(node, name), perm)
            except Misfit as misfit:
                yield f"transpose_after: {misfit}"

    def _replace(self, node: ir.Node, operator: str) -> None:
        domain, _, op_type = operator.rpartition(".")
        domain = normalize_domain(domain)
        handlers = known_handlers()
        newest = max(handlers.versions(domain, op_type), default=1)
        version = self._model.graph.opset_imports.get(domain) or newest
        schema = operator_schema(domain, op_type, version)
        if not handlers.supports(domain, op_type, version) and not (schema is not None and schema.has_function):
            near = did_you_mean(op_type, {known.op_type for known in handlers.handlers()})
            raise Misfit(
                f"no handler computes {domain or 'ai.onnx'}.{op_type} in opset {version}{near}: register one with "
                "@onnx_op before the conversion"
            )
        self._model.graph.opset_imports.setdefault(domain, version)
        node.domain, node.op_type, node.version = domain, op_type, version
        node.attributes.clear()

    def _set_attribute(self, node: ir.Node, name: str, value: Any) -> None:
        schema = schema_of(node)
        if schema is not None and name not in schema.attributes:
            if name in [formal.name for formal in schema.inputs]:
                raise Misfit(f"{name!r} is an input of {node.op_type} in opset {node.version}: state it under inputs")
            known = listed(schema.attributes, name)
            near = did_you_mean(name, schema.attributes)
            raise Misfit(f"{node.op_type} has no attribute {name!r} in opset {node.version}{near}; it has {known}")
        if value is None:
            if schema is not None and schema.attributes[name].required:
                raise Misfit(f"{node.op_type} cannot do without the attribute {name!r}")
            node.attributes.pop(name, None)
        else:
            stated = None if schema is None else schema.attributes[name].type.name
            node.attributes[name] = attribute_of(name, value, stated, node.attributes.get(name))
        self.changed += node.outputs
        self.retyped += node.outputs if name in _OF_DTYPE else ()

    def _set_input(self, node: ir.Node, name: str, value: Any) -> None:
        index = input_index(node, name)
        schema = schema_of(node)
        if value is None:
            formal = _formal(schema, index)
            if formal is None or formal.option != onnx.defs.OpSchema.FormalParameterOption.Optional:
                raise Misfit(f"{name!r} is no optional input of {node.op_type}: state a value")
            _connect(node, index, None)
        else:
            dtype = _dtype(node, index, schema, value)
            array = _array(value, dtype, name)
            constant = ir.Value(
                name=f"{node.name}/{name}_override",
                type=ir.TensorType(dtype),
                shape=ir.Shape(array.shape),
                const_value=ir.tensor(array, dtype=dtype, name=f"{node.name}/{name}_override"),
            )
            while constant.name in _graph(node).initializers:
                constant.name = f"{constant.name}_again"
            _graph(node).register_initializer(constant)
            before = node.inputs[index] if index < len(node.inputs) else None
            _connect(node, index, constant)
            for other, given in enumerate(node.inputs):
                if before is not None and given is before and str(before.name) == name:
                    _connect(node, other, constant)
        self.changed += node.outputs

    def _transpose_before(self, node: ir.Node, index: int, perm: Sequence[int]) -> None:
        value = node.inputs[index] if index < len(node.inputs) else None
        if value is None:
            raise Misfit(f"input {index} is left out: there is nothing to transpose")
        transpose = self._transpose(value, perm, f"{node.name}/transpose_before_{index}")
        _graph(node).insert_before(node, transpose)
        _connect(node, index, transpose.outputs[0])
        self.changed += [*transpose.outputs, *node.outputs]

    def _transpose_after(self, node: ir.Node, value: ir.Value, perm: Sequence[int]) -> None:
        transpose = self._transpose(value, perm, f"{node.name}/transpose_after_{value.index()}")
        result = transpose.outputs[0]
        value.replace_all_uses_with(result, replace_graph_outputs=True)
        transpose.replace_input_with(0, value)
        result.name, value.name = value.name, f"{value.name}_before_transpose"
        _graph(node).insert_after(node, transpose)
        self.changed += transpose.outputs

    def _transpose(self, value: ir.Value, perm: Sequence[int], name: str) -> ir.Node:
        if sorted(perm) != list(range(len(perm))):
            raise Misfit(f"{list(perm)} is no permutation, as in [0, 2, 3, 1]")
        if value.shape is not None and len(value.shape) != len(perm):
            raise Misfit(f"{value.name!r} has {len(value.shape)} axes, the permutation {list(perm)} is of {len(perm)}")
        node = ir.node("Transpose", [value], {"perm": list(perm)}, name=name)
        node.version = self._model.graph.opset_imports.setdefault("", onnx.defs.onnx_opset_version())
        result = node.outputs[0]
        result.name, result.type = f"{name}_output", value.type
        return node


def schema_of(node: ir.Node) -> Any:
    """Return the schema of a node's operator; ``None`` where onnx knows none."""
    return operator_schema(node.domain, node.op_type, node.version or 1)


def input_index(node: ir.Node, name: str) -> int:
    """Return the position of an input that is called as the value is, or as the schema calls it.

    Raises:
        Misfit: there is none.
    """
    values = ["" if value is None else str(value.name) for value in node.inputs]
    if name in values:
        return values.index(name)
    schema = schema_of(node)
    formals = [] if schema is None else [formal.name for formal in schema.inputs]
    if name in formals:
        return formals.index(name)
    known = [*filter(None, values), *formals]
    raise Misfit(f"{node.op_type} has no input {name!r}{did_you_mean(name, known)}; it has {listed(known, name)}")


def _output(node: ir.Node, name: str) -> ir.Value:
    schema = schema_of(node)
    formals = [] if schema is None else [formal.name for formal in schema.outputs]
    found = {formal: value for formal, value in zip(formals, node.outputs, strict=False) if value.name}
    found |= {str(value.name): value for value in node.outputs if value.name}
    if name not in found:
        near = did_you_mean(name, found)
        raise Misfit(f"{node.op_type} has no output {name!r}{near}; it has {listed(found, name)}")
    return found[name]


def _formal(schema: Any, index: int) -> Any:
    formals = [] if schema is None else schema.inputs
    return formals[min(index, len(formals) - 1)] if formals else None


def _dtype(node: ir.Node, index: int, schema: Any, value: Any) -> ir.DataType:
    """Return the dtype of a constant: that of what the node has there, what its schema says, or the array's own."""
    present = node.inputs[index] if index < len(node.inputs) else None
    if present is not None and present.dtype is not None:
        return present.dtype
    formal = _formal(schema, index)
    if formal is not None:
        if len(formal.types) == 1:
            return ir.DataType[next(iter(formal.types)).removeprefix("tensor(").removesuffix(")").upper()]
        for other, given in enumerate(node.inputs):
            if given is not None and given.dtype is not None and _formal(schema, other).type_str == formal.type_str:
                return given.dtype
    if isinstance(value, np.ndarray):
        return ir.DataType.from_numpy(value.dtype)
    raise Misfit(f"the dtype of input {index} is not known: pass a numpy array in Python, which has one")


def _array(value: Any, dtype: ir.DataType, name: str) -> np.ndarray:
    try:
        given = np.asarray(value, object if dtype is ir.DataType.STRING else None)
        with np.errstate(over="ignore"):  # told below
            array = given.astype(dtype.numpy())
    except (TypeError, ValueError) as error:
        raise Misfit(f"{name}: {value!r} is no array of {dtype.name.lower()}: {error}") from error
    if dtype.is_integer() or dtype is ir.DataType.BOOL:
        if given.size and not (given.dtype.kind in "iub" and np.array_equal(array, given)):
            raise Misfit(f"{name}: {value!r} are no numbers of {dtype.name.lower()}")
    elif dtype.is_floating_point() and given.size and given.dtype.kind in "OUSc":
        raise Misfit(f"{name}: {value!r} are no numbers of {dtype.name.lower()}")
    elif given.dtype.kind == "f" and np.any(np.isinf(array.astype(np.float64)) & np.isfinite(given)):
        raise Misfit(f"{name}: {value!r} has numbers beyond the range of {dtype.name.lower()}")
    return array


def _connect(node: ir.Node, index: int, value: ir.Value | None) -> None:
    if index >= len(node.inputs):
        node.resize_inputs(index + 1)
    node.replace_input_with(index, value)


def _graph(node: ir.Node) -> ir.Graph:
    graph = node.graph
    assert isinstance(graph, ir.Graph)
    return graph
