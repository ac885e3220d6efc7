"""Compute floats of 16 and 64 bits as float32: LiteRT has kernels for no others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from onnx_tf.origins import hand_on

__all__ = ["widen_floats"]

FLOAT = ir.DataType.FLOAT
LARGEST = float(np.finfo(np.float32).max)

_OTHERS = frozenset({ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.DOUBLE})

_STATED = ("dtype", "output_datatype", "output_dtype", "precision", "softmax_precision", "stash_type", "to")
"""Attributes that name the dtype of a result, or of what is computed on the way."""


def widen_floats(model: ir.Model) -> bool:
    """Make all float16, bfloat16 and float64 values of a model float32; return whether there were any.

    Inputs and outputs keep their dtypes, with Casts between them and the rest. Nothing is rounded to 16 bits in
    between. Weights become float32 as well: files whose weights are float16 store what was float16 exactly.
    """
    graph = model.graph
    inputs = [value for value in graph.inputs if value.dtype in _OTHERS]
    moved = [node for node in graph if _hands_through(node)]
    kept = {node.outputs[0]: node.inputs[0] for node in moved}
    outputs = [(i, value) for i, value in enumerate(graph.outputs) if value.dtype in _OTHERS and value not in kept]
    dtypes = [value.dtype for _, value in outputs]
    widened = [v for v in _values(model) if v.dtype in _OTHERS and v not in inputs and v not in kept]
    for value in widened:
        _widen(value)
    changed = [_widen_attributes(node) for node in graph.all_nodes()]
    for value in inputs:
        _cast_input(graph, value)
    for node in moved:
        node.replace_input_with(0, kept[node.outputs[0]])
    for (index, value), dtype in zip(outputs, dtypes, strict=True):
        _cast_output(graph, index, value, dtype)
    return bool(inputs or widened) or any(changed)


def _hands_through(node: ir.Node) -> bool:
    """Return whether a node gives a graph input as it is to a graph output: there is nothing to be computed."""
    given, result = (node.inputs or (None,))[0], node.outputs[0]
    is_identity = node.domain == "" and node.op_type == "Identity" and given is not None
    return is_identity and given.is_graph_input() and result.is_graph_output() and not result.uses()  # type: ignore[union-attr]


def _values(model: ir.Model) -> Iterator[ir.Value]:
    for graph in model.graphs():
        yield from graph.initializers.values()
        yield from graph.inputs
        for node in graph:
            yield from node.outputs


def _widen(value: ir.Value) -> None:
    tensor = value.const_value
    value.type = _float_type(value.type)  # another one: copies of a model share their types
    if tensor is not None:
        value.const_value = _widened(tensor)


def _float_type(kind: ir.TypeProtocol | None) -> ir.TypeProtocol:
    if isinstance(kind, (ir.SequenceType, ir.OptionalType)):
        return type(kind)(_float_type(kind.elem_type))
    return ir.TensorType(FLOAT)


def _widened(tensor: ir.TensorProtocol) -> ir.TensorProtocol:
    def compute() -> ir.Tensor[np.ndarray]:
        array = tensor.numpy()
        # The least of all numbers must not become an infinity: masks of it would give NaN.
        finite = np.clip(array, -LARGEST, LARGEST) if tensor.dtype is ir.DataType.DOUBLE else array
        return ir.Tensor(np.where(np.isinf(array), array, finite).astype(np.float32))

    return ir.LazyTensor(compute, dtype=FLOAT, shape=ir.Shape(tensor.shape.numpy()), name=tensor.name)


def _widen_attributes(node: ir.Node) -> bool:
    changed = False
    for name, attribute in list(node.attributes.items()):
        if attribute.type is ir.AttributeType.INT and name in _STATED and attribute.as_int() in _OTHERS:
            node.attributes[name] = ir.AttrInt64(name, FLOAT.value)
        elif attribute.type is ir.AttributeType.TENSOR and attribute.as_tensor().dtype in _OTHERS:
            node.attributes[name] = ir.AttrTensor(name, _widened(attribute.as_tensor()))
        else:
            continue
        changed = True
    return changed


def _cast_input(graph: ir.Graph, value: ir.Value) -> None:
    uses = tuple(value.uses())
    if not uses and not value.is_graph_output():
        return
    cast = _cast(value, FLOAT, f"{value.name}_float", graph)
    first = next(iter(graph), None)
    graph.append(cast) if first is None else first.prepend(cast)
    for node, index in uses:
        node.replace_input_with(index, cast.outputs[0])


def _cast_output(graph: ir.Graph, index: int, value: ir.Value, dtype: ir.DataType | None) -> None:
    if value.is_graph_input() or dtype is None:
        return
    cast = _cast(value, dtype, str(value.name), graph)
    graph.append(cast)
    hand_on(value, cast.outputs[0])
    graph.outputs[index] = cast.outputs[0]
    value.name = f"{value.name}_float"


def _cast(value: ir.Value, dtype: ir.DataType, name: str, graph: ir.Graph) -> ir.Node:
    version = max(graph.opset_imports.get("", 1), 13)
    node = ir.node("Cast", [value], {"to": dtype.value}, version=version, name=f"{name}_cast")
    result = node.outputs[0]
    result.name, result.type, result.shape = name, ir.TensorType(dtype), value.shape
    return node
