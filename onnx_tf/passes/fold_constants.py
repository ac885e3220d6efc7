"""Compute what depends on constants alone, and shapes that are known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator

from onnx_tf.budget import Budget
from onnx_tf.origins import hand_on
from onnx_tf.passes._constants import add_initializer
from onnx_tf.schema import float_attribute, ints_attribute, optional_int_attribute

# Cheap operators of shape arithmetic and of weight preparation. Others run in TensorFlow, and
# QuantizeLinear/DequantizeLinear stay so that quantised patterns remain recognisable.
FOLDABLE = frozenset(
    """
    Abs Add And ArgMax ArgMin BatchNormalization Cast Ceil Concat ConstantOfShape Cos CumSum Div Equal Erf Exp
    Expand EyeLike Flatten Floor Gather GatherElements GatherND Greater GreaterOrEqual Identity Less LessOrEqual Log
    Max Min Mod Mul Neg NonZero Not Or Pow Range Reciprocal ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin
    ReduceProd ReduceSum ReduceSumSquare Reshape Round ScatterND Shape Sigmoid Sign Sin Size Slice Split Sqrt
    Squeeze Sub Sum Tanh Tile Transpose Trilu Unsqueeze Where Xor
    """.split()  # noqa: SIM905
)
MAX_GROWTH_BYTES = 1 << 20
"""What operators make of a shape alone may be this much larger than the constants that it comes from, not more."""


def fold_constants(model: ir.Model, budget: Budget | None = None) -> bool:
    """Replace foldable nodes by initializers; return whether any node was replaced.

    Args:
        model: the model.
        budget: what the results are drawn from; a node whose result is larger than what is left stays.
    """
    budget = budget or Budget()
    folded = [_fold_graph(graph, budget) for graph in model.graphs()]
    return any(folded)


def _fold_graph(graph: ir.Graph, budget: Budget) -> bool:
    folded = False
    for node in list(graph):
        values = _constant_results(node, budget)
        if values is None:
            continue
        for output, array in zip(node.outputs, values, strict=True):
            _replace_by_initializer(graph, output, array)
        graph.remove(node, safe=True)
        folded = True
    return folded


def _constant_results(node: ir.Node, budget: Budget) -> list[np.ndarray] | None:
    if node.domain != "" or node.op_type not in FOLDABLE:
        return None
    if any(output.is_graph_output() for output in node.outputs):
        return None
    if node.op_type in ("Shape", "Size") and node.inputs[0] is not None:
        return _static_shape(node)
    constants = [_constant(value) for value in node.inputs]
    if not node.inputs or any(c is None for c, v in zip(constants, node.inputs, strict=True) if v is not None):
        return None
    if _grows_too_much(node, constants) or not budget.takes_bytes(_result_bytes(node, constants)):
        return None
    inputs = {
        str(v.name): c.numpy() for v, c in zip(node.inputs, constants, strict=True) if v is not None and c is not None
    }
    if node.op_type == "Transpose":
        axes = ints_attribute(node, "perm")
        return [np.transpose(next(iter(inputs.values())), axes)]
    if node.op_type == "BatchNormalization":
        return _standardized(node, [c.numpy() for c in constants if c is not None])
    try:
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(ir.to_proto(node), opsets={"": node.version or 1}).run(None, inputs)
    except Exception:  # the node stays; if it is wrong, its handler says so with the node's name
        return None
    if not all(isinstance(r, (np.ndarray, np.generic)) for r in results):
        return None
    return [np.asarray(result) for result in results]


def _standardized(node: ir.Node, inputs: list[np.ndarray]) -> list[np.ndarray] | None:
    """Return the first result of a BatchNormalization of weights: networks with standardised weights have them.

    PyTorch writes it with all the results of training, of which none is used.
    """
    version, unused = node.version or 1, node.outputs[1:]
    if len(inputs) != 5 or version < 7 or any(output.uses() for output in unused):
        return None
    x, scale, shift, mean, variance = (array.astype(np.float64) for array in inputs)
    if x.ndim < 2 or optional_int_attribute(node, "spatial") == 0:
        return None
    if optional_int_attribute(node, "training_mode") or (version < 14 and unused):
        others = tuple(axis for axis in range(x.ndim) if axis != 1)
        mean, variance = x.mean(others), x.var(others)
    factor = scale / np.sqrt(variance + float_attribute(node, "epsilon"))
    per_channel = (-1, *[1] * (x.ndim - 2))
    y = (x - mean.reshape(per_channel)) * factor.reshape(per_channel) + shift.reshape(per_channel)
    return [y.astype(inputs[0].dtype)] * len(node.outputs)


def _constant(value: ir.Value | None) -> ir.TensorProtocol | None:
    if value is None or value.const_value is None or value.dtype is ir.DataType.STRING:
        return None
    return value.const_value


def _static_shape(node: ir.Node) -> list[np.ndarray] | None:
    shape = node.inputs[0].shape if node.inputs[0] is not None else None
    if shape is None or not shape.is_static():
        return None
    dims = np.array(shape.numpy(), np.int64)
    if node.op_type == "Size":
        return [np.asarray(np.prod(dims, dtype=np.int64))]
    return [dims[optional_int_attribute(node, "start") : optional_int_attribute(node, "end")]]


def _grows_too_much(node: ir.Node, constants: list[ir.TensorProtocol | None]) -> bool:
    given = sum(constant.nbytes for constant in constants if constant is not None)
    if node.op_type in ("ConstantOfShape", "Expand", "Range", "Tile", "EyeLike"):
        shape = node.outputs[0].shape
        if shape is None or not shape.is_static():
            return True
        return math.prod(shape.numpy()) * 8 > given + MAX_GROWTH_BYTES
    return False


def _result_bytes(node: ir.Node, constants: Sequence[ir.TensorProtocol | None]) -> int:
    """Return how many bytes the results take at most, without computing them."""
    given = [constant for constant in constants if constant is not None]
    dims = [
        output.shape.numpy() if output.shape is not None and output.shape.is_static() else None
        for output in node.outputs
    ]
    known = [math.prod(shape) for shape in dims if shape is not None]
    if len(known) == len(node.outputs):
        elements = sum(known)
    elif node.op_type.startswith("Gather"):
        elements = given[0].size * max(given[-1].size, 1)
    elif node.op_type == "NonZero":
        elements = given[0].size * max(len(given[0].shape), 1)
    else:  # what broadcasts has no dimension that none of its inputs has; others have no more elements than are given
        elements = max(_broadcast_elements(given), sum(constant.size for constant in given))
    return elements * max(_bytes_each(value.dtype) for value in (*node.inputs, *node.outputs) if value is not None)


def _broadcast_elements(given: Sequence[ir.TensorProtocol]) -> int:
    rank = max((len(constant.shape) for constant in given), default=0)
    shapes = [(1,) * (rank - len(constant.shape)) + tuple(constant.shape.numpy()) for constant in given]
    return math.prod(max(dims) for dims in zip(*shapes, strict=True))


def _bytes_each(dtype: ir.DataType | None) -> int:
    return 8 if dtype is None else math.ceil(dtype.itemsize)


def _replace_by_initializer(graph: ir.Graph, output: ir.Value, array: np.ndarray) -> None:
    if not output.uses():
        return
    name, output.name = str(output.name), f"{output.name}_folded"
    value = add_initializer(graph, name, ir.tensor(array))
    value.type = output.type or value.type
    hand_on(output, value)
    output.replace_all_uses_with(value)
