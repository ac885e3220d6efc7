"""Recognise GroupNormalization where it is written as InstanceNormalization between two Reshapes.

PyTorch writes it so: Reshape to N, groups, -1; InstanceNormalization; Reshape back; Mul and Add per
channel. In that form the groups tie the channels to the ONNX order; as one node they do not.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from onnx_ir.convenience import replace_all_uses_with

from onnx_tf.origins import Grouped, Rescaled, hand_on, stand_for
from onnx_tf.passes._constants import add_constant
from onnx_tf.schema import float_attribute, optional_int_attribute

VERSION = 21
"""The opset version from which GroupNormalization has its scale and bias per channel."""


def fuse_group_normalization(model: ir.Model) -> bool:
    """Replace each such chain by one node; return whether any was found.

    For inference alone: the scales of both operators become one.
    """
    fused = [_fuse(node) for graph in model.graphs() for node in list(graph)]
    return any(fused)


@dataclass
class _Chain:
    """The nodes found so far, and what they scale and shift each channel by."""

    nodes: list[ir.Node]
    groups: int
    scale: np.ndarray
    shift: np.ndarray

    @property
    def result(self) -> ir.Value:
        return self.nodes[-1].outputs[0]

    def reader(self) -> ir.Node | None:
        """Return the one node that reads the result."""
        if self.result.is_graph_output() or len(self.result.uses()) != 1:
            return None
        (use,) = self.result.uses()
        return use.node if use.node.graph is self.nodes[0].graph and use.node.domain == "" else None


def _fuse(node: ir.Node) -> bool:
    if node.domain != "" or node.op_type != "InstanceNormalization" or (node.version or 1) < 6:
        return False
    chain = _reshaped(node)
    if chain is None:
        return False
    source = chain.nodes[0].inputs[0]
    groups = chain.groups
    steps = _take_scale_and_shift(chain)
    name, graph = chain.result.name, node.graph
    assert graph is not None
    parameters = [
        add_constant(
            graph,
            f"{name}_{hint}",
            ir.DataType.from_numpy(array.dtype),
            array.shape,
            functools.partial(np.asarray, array),
        )
        for hint, array in (("scale", chain.scale), ("bias", chain.shift))
    ]
    fused = ir.Node(
        "",
        "GroupNormalization",
        [source, *parameters],
        [ir.AttrInt64("num_groups", groups), ir.AttrFloat32("epsilon", float_attribute(node, "epsilon"))],
        version=VERSION,
        name=node.name,
    )
    result = fused.outputs[0]
    result.type, result.shape = chain.result.type, chain.result.shape
    stand_for(node, fused)
    hand_on(chain.result, result)
    _keep_steps(chain, steps, source, result)
    chain.nodes[-1].append(fused)
    replace_all_uses_with(chain.result, result, replace_graph_outputs=True)
    graph.remove(chain.nodes[::-1], safe=True)
    result.name = name
    return True


def _reshaped(node: ir.Node) -> _Chain | None:
    """Return the Reshape before an InstanceNormalization, itself, and the Reshape that undoes the first."""
    before = node.inputs[0].producer() if node.inputs[0] is not None else None
    scale, shift = (value.const_value if value is not None else None for value in node.inputs[1:3])
    if before is None or before.op_type != "Reshape" or before.graph is not node.graph or scale is None:
        return None
    source, grouped = before.inputs[0], before.outputs[0]
    if shift is None or source is None or len(grouped.uses()) != 1 or grouped.is_graph_output():
        return None
    shape, groups = source.shape, scale.shape[0]
    channels = shape[1] if shape is not None and shape.rank() >= 3 else None
    if not isinstance(channels, int) or not isinstance(groups, int) or channels % groups:
        return None
    if not _is_split_by_groups(before, groups):
        return None
    repeats = channels // groups
    chain = _Chain([before, node], groups, np.repeat(scale.numpy(), repeats), np.repeat(shift.numpy(), repeats))
    after = chain.reader()
    if after is None or after.op_type != "Reshape" or not _has_shape_of(after, source):
        return None
    chain.nodes.append(after)
    return chain


def _is_split_by_groups(node: ir.Node, groups: int) -> bool:
    """Tell whether a Reshape keeps the batch and has the groups next."""
    source, result = node.inputs[0], node.outputs[0]
    assert source is not None
    assert source.shape is not None
    stated = node.inputs[1].const_value if len(node.inputs) > 1 and node.inputs[1] is not None else None
    target = None if stated is None else stated.numpy().tolist()
    if target is not None and len(target) == 3 and target[1] == groups and target[0] == 0:
        return not optional_int_attribute(node, "allowzero")
    shape = result.shape
    if shape is None or shape.rank() != 3 or shape[1] != groups:
        return False
    return isinstance(shape[0], int) and shape[0] == source.shape[0]


def _has_shape_of(node: ir.Node, source: ir.Value) -> bool:
    """Tell whether the result of a Reshape, of as many elements as the source, has its shape."""
    target = node.inputs[1] if len(node.inputs) > 1 else None
    stating = target.producer() if target is not None else None
    if stating is not None and stating.op_type == "Shape" and stating.inputs[0] is source:
        whole = optional_int_attribute(stating, "end") is None
        return whole and not optional_int_attribute(stating, "start")
    one, other = source.shape, node.outputs[0].shape
    if one is None or other is None or one.rank() != other.rank():
        return False
    # All but one being equal numbers, the last one is equal too.
    return sum(not (isinstance(a, int) and a == b and a > 0) for a, b in zip(one, other, strict=True)) <= 1


_Steps = list[tuple[ir.Value, np.ndarray, np.ndarray]]


def _keep_steps(chain: _Chain, steps: _Steps, source: ir.Value | None, result: ir.Value) -> None:
    """State how the values inside the chain come from its ends."""
    grouped = Grouped(chain.groups)
    if source is not None:
        hand_on(chain.nodes[0].outputs[0], source, grouped)
    if not chain.scale.all():
        return
    for value, scale, shift in steps:
        factor = scale / chain.scale
        undone = Rescaled(factor, shift - chain.shift * factor)
        hand_on(value, result, undone)
        if value is chain.nodes[2].outputs[0]:
            hand_on(chain.nodes[1].outputs[0], result, undone, grouped)


def _take_scale_and_shift(chain: _Chain) -> _Steps:
    """Add a Mul and an Add of one constant number per channel to the chain, if they follow.

    Returns the results on the way, each with what it scales and shifts the normalized channels by.
    """
    steps = [(chain.result, chain.scale, chain.shift)]
    for op_type in ("Mul", "Add"):
        node = chain.reader()
        if node is None or node.op_type != op_type or (node.version or 1) < 7:
            continue
        rank = node.outputs[0].shape.rank() if node.outputs[0].shape is not None else None
        others = [value for value in node.inputs if value is not chain.result]
        given = _per_channel(others[0], rank, len(chain.scale)) if len(others) == 1 else None
        if given is None or rank != chain.result.shape.rank():  # type: ignore[union-attr]
            break
        chain.nodes.append(node)
        if op_type == "Mul":
            chain.scale, chain.shift = chain.scale * given, chain.shift * given
        else:
            chain.shift = chain.shift + given
        steps.append((chain.result, chain.scale, chain.shift))
    return steps


def _per_channel(value: ir.Value | None, rank: int | None, channels: int) -> np.ndarray | None:
    """Return what a constant holds for each channel, if it broadcasts along axis 1 alone."""
    if value is None or value.const_value is None or rank is None:
        return None
    if value.const_value.size not in (1, channels) or len(value.const_value.shape) > rank:
        return None
    array = value.const_value.numpy()
    padded = (*[1] * (rank - array.ndim), *array.shape)
    if any(size != 1 for axis, size in enumerate(padded) if axis != 1):
        return None
    return np.broadcast_to(array.reshape(-1), channels)
