"""What becomes of each initializer: the one place that decides, for every exporter."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass

import onnx_ir as ir

from onnx_tf.dtypes import is_carried
from onnx_tf.runtime.graph import BoundGraph, Constant, Slot

__all__ = ["Role", "Weight", "weights_of"]

MIN_VARIABLE_ELEMENTS = 16
"""Floating-point initializers of fewer elements stay constants: epsilons, scales, small tables."""

MAX_CONSTANT_BYTES = 1 << 28
"""Other initializers, quantised weights above all, stay constants up to this total, the smallest
first; TensorFlow dequantises constants once. Then they are variables that are not trainable: a
graph holds 2 GB at most."""


class Role(enum.Enum):
    """What an initializer is to those who train or export a model."""

    PARAMETER = "a variable that gradients move"
    STATISTIC = "a variable that BatchNormalization moves in training, and no gradient"
    TABLE = "a variable that nothing moves: quantised weights and other numbers too large for constants"
    CONSTANT = "part of the graph"


@dataclass(frozen=True)
class Weight:
    """An initializer and its role."""

    name: str
    tensor: ir.TensorProtocol
    role: Role


def weights_of(graph: BoundGraph) -> dict[Slot, Weight]:
    """Return all initializers of a bound model by number."""
    variables = _variables(graph.constants)
    if any(node.context.training for node in graph.all_nodes()):
        variables |= _parameters(graph)
    else:
        variables -= _steps(graph)
    statistics = _statistics(graph)
    return {
        slot: Weight(constant.name, constant.tensor, _role(constant, slot in variables, slot in statistics))
        for slot, constant in graph.constants.items()
    }


def _role(constant: Constant, is_variable: bool, is_statistic: bool) -> Role:
    if not is_variable:
        return Role.CONSTANT
    dtype = constant.tensor.dtype
    if not dtype.is_floating_point() or is_carried(dtype):
        return Role.TABLE
    return Role.STATISTIC if is_statistic else Role.PARAMETER


def _parameters(graph: BoundGraph) -> set[Slot]:
    """Return the initializers that training changes: of floats, scalars excepted.

    What decides the shape of a result stays constant.
    """
    fixed = {slot for node in graph.all_nodes() if node.context.op_type in _SIZED_BY_FLOATS for slot in node.inputs[1:]}
    tensors = {slot: constant.tensor for slot, constant in graph.constants.items() if slot not in fixed}
    return {slot for slot, tensor in tensors.items() if _is_wide_float(tensor.dtype) and len(tensor.shape)}


_SIZED_BY_FLOATS = ("Resize", "Upsample")


def _steps(graph: BoundGraph) -> set[Slot | None]:
    """Return the scales of quantisations, which exporters write as they are."""
    nodes = (node for node in graph.all_nodes() if node.context.op_type in ("QuantizeLinear", "DequantizeLinear"))
    return {slot for node in nodes for slot in node.inputs[1:2]}


def _statistics(graph: BoundGraph) -> set[Slot | None]:
    """Return the means and variances that BatchNormalizations take."""
    nodes = (node for node in graph.all_nodes() if node.context.op_type == "BatchNormalization")
    return {slot for node in nodes for slot in node.inputs[3:5]}


def _variables(constants: Mapping[Slot, Constant]) -> set[Slot]:
    """Return the initializers that become variables."""
    tensors = {slot: constant.tensor for slot, constant in constants.items()}
    floats = {slot for slot, tensor in tensors.items() if _is_wide_float(tensor.dtype)}
    variables = {slot for slot in floats if math.prod(tensors[slot].shape.numpy()) >= MIN_VARIABLE_ELEMENTS}
    total = 0
    for slot in sorted(tensors.keys() - floats, key=lambda slot: (tensors[slot].nbytes, constants[slot].name)):
        if tensors[slot].dtype is not ir.DataType.STRING:
            total += tensors[slot].nbytes
            if total > MAX_CONSTANT_BYTES:
                variables.add(slot)
    return variables


def _is_wide_float(dtype: ir.DataType) -> bool:
    return dtype.is_floating_point() and dtype.bitwidth >= 16
