"""What attention does between its heads: scores, a mask, a softmax, and sums by them."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnx_tf.passes._projections import number_of, only_reader, producer_of, scaled
from onnx_tf.passes._sizes import Size
from onnx_tf.passes._views import dims_of, gives_what_it_takes
from onnx_tf.schema import int_attribute

__all__ = ["Mask", "Scores", "scores_of"]

_MAX_SCORE = 1e9
"""No score is as far from 0."""

_ABSORBING = 1e30
"""Beside a number as large, scores are lost: a row of which all is hidden has equal weights, whatever its scores."""


@dataclass(frozen=True)
class Mask:
    """Which keys a query attends to.

    Attributes:
        condition: a value that tells it; ``None`` where ``allowed`` does.
        inverted: whether the condition is true where a key is hidden.
        allowed: a constant that is true where a key is attended to.
    """

    condition: ir.Value | None = None
    inverted: bool = False
    allowed: np.ndarray | None = None


@dataclass(frozen=True)
class Scores:
    """Attention without what is before and behind it.

    Attributes:
        query: its heads.
        key: its heads, the last two axes exchanged.
        value: its heads.
        result: the sums of values.
        scale: what scores are multiplied by.
        mask: which of them count; ``None`` where all do.
        dropout: the share of weights that training leaves out.
        dims: the shape of what is masked.
        nodes: what computes the result.
    """

    query: ir.Value
    key: ir.Value
    value: ir.Value
    result: ir.Value
    dims: list[Size]
    scale: float
    mask: Mask | None
    dropout: float
    nodes: tuple[ir.Node, ...]


def scores_of(softmax: ir.Node) -> Scores | None:
    """Return the attention that a node is the softmax of."""
    if (softmax.domain, softmax.op_type) != ("", "Softmax") or softmax.inputs[0] is None:
        return None
    dims = dims_of(softmax.inputs[0])
    if dims is None or int_attribute(softmax, "axis") % len(dims) != len(dims) - 1:
        return None
    before, behind = _before(softmax.inputs[0]), _behind(softmax)
    if before is None or behind is None:
        return None
    product, scale, mask, masked, nodes = before
    sums, dropout, further = behind
    (query, key), value = product.inputs[:2], sums.inputs[1]
    own, weights = (_without_ones(dims_of(x)) for x in (product.outputs[0], sums.inputs[0]))
    if query is None or key is None or value is None or not own or own != weights:
        return None
    if mask is not None and not _fits(mask, masked):
        return None
    found = (*nodes, product, softmax, *further, sums)
    return Scores(query, key, value, sums.outputs[0], masked, scale, mask, dropout, found)


def _without_ones(dims: list[Size] | None) -> list[Size]:
    return list(itertools.dropwhile(lambda dim: dim == Size(1), dims or ()))


def _before(value: ir.Value) -> tuple[ir.Node, float, Mask | None, list[Size], tuple[ir.Node, ...]] | None:
    """Return the product that scores are, their scale, their mask, the shape of what is masked, and the nodes."""
    scale, mask, masked, nodes = 1.0, None, list[Size](), list[ir.Node]()
    while (product := producer_of(value, "MatMul")) is None:
        node = value.producer()
        scaling, masking, regrouped = scaled(node), _masked(value), _regrouped(value)
        if node is None or (mask is not None and masking is not None):
            return None
        if scaling is not None:
            value, factor = scaling
            scale *= factor
        elif masking is not None:
            value, mask = masking
            masked = dims_of(value) or []
        elif regrouped is not None:
            value = regrouped
        else:
            return None
        nodes.append(node)
    is_needed = mask is not None and (mask.allowed is None or not mask.allowed.all())
    return product, scale, mask if is_needed else None, masked, tuple(nodes)


def _regrouped(value: ir.Value) -> ir.Value | None:
    """Return what a value holds with its axes before the last two in one or in several, or as they are."""
    maker = value.producer()
    if maker is not None and gives_what_it_takes(maker):
        return maker.inputs[0]
    node = producer_of(value, "Reshape")
    before, dims = (None, None) if node is None else (dims_of(node.inputs[0]), dims_of(value))
    return node.inputs[0] if node is not None and before and dims and before[-2:] == dims[-2:] else None


def _masked(value: ir.Value) -> tuple[ir.Value, Mask] | None:
    """Return scores without their mask."""
    adding = producer_of(value, "Add")
    if adding is not None:
        pairs = [adding.inputs, adding.inputs[::-1]]
        found = ((scores, _added(mask)) for scores, mask in pairs if scores is not None)
        return next(((scores, mask) for scores, mask in found if mask is not None), None)
    choosing = producer_of(value, "Where")
    if choosing is None:
        return None
    condition, *branches = choosing.inputs
    for inverted, (scores, hidden) in enumerate((branches, branches[::-1])):
        number = number_of(hidden)
        if condition is not None and scores is not None and number is not None and number <= -_MAX_SCORE:
            mask = _told(condition, bool(inverted), math.isfinite(number))
            return None if mask is None else (scores, mask)
    return None


def _added(value: ir.Value | None) -> Mask | None:
    """Return the mask that is added to scores: 0, or so little that scores are lost in it."""
    if value is None:
        return None
    if value.const_value is not None:
        array = value.const_value.numpy().astype(np.float64)
        allowed = array == 0
        return _constant(allowed) if (allowed | (array <= -_ABSORBING)).all() else None
    choosing = producer_of(value, "Where")
    if choosing is None or choosing.inputs[0] is None:
        return None
    kept, hidden = (number_of(branch) for branch in choosing.inputs[1:])
    inverted = kept != 0
    kept, hidden = (hidden, kept) if inverted else (kept, hidden)
    if kept != 0 or hidden is None or hidden > -_ABSORBING:
        return None
    return _told(choosing.inputs[0], inverted, math.isfinite(hidden))


def _told(condition: ir.Value, inverted: bool, is_finite: bool) -> Mask | None:
    """Return the mask of a condition; where what is hidden is infinite, no row may be hidden as a whole."""
    if condition.const_value is not None:
        return _constant(condition.const_value.numpy().astype(bool) ^ inverted)
    return Mask(condition, inverted) if is_finite else None


def _constant(allowed: np.ndarray) -> Mask | None:
    return Mask(allowed=allowed) if allowed.ndim == 0 or allowed.any(-1).all() else None


def _fits(mask: Mask, dims: list[Size]) -> bool:
    """Tell whether a mask is of scores that are batch, heads, queries, keys, and makes them no larger."""
    own = dims_of(mask.condition) if mask.allowed is None else [Size(n) for n in mask.allowed.shape]
    if own is None or len(dims) != 4 or len(own) not in (2, 3, 4) or (len(own) == 3 and own[0] != Size(1)):
        return False
    pairs = zip(own[::-1], dims[::-1], strict=False)
    return own[-1] == dims[-1] and all(mine in (Size(1), theirs) for mine, theirs in pairs)


def _behind(softmax: ir.Node) -> tuple[ir.Node, float, tuple[ir.Node, ...]] | None:
    """Return the product of weights and values, the dropout before it, and the nodes in between."""
    value, dropout, nodes = softmax.outputs[0], 0.0, list[ir.Node]()
    while (node := _next(value, nodes)) is not None:
        if node.domain != "":
            return None
        if node.op_type == "MatMul":
            return (node, dropout, tuple(nodes)) if node.inputs[0] is value and node.inputs[1] is not value else None
        if node.op_type == "Dropout" and not dropout and node.inputs[0] is value:
            rate = number_of(node.inputs[1]) if len(node.inputs) > 1 else None
            if rate is None or not 0 <= rate < 1:
                return None
            dropout = rate
        elif not _keeps(node, value):
            return None
        nodes.append(node)
        value = node.outputs[0]
    return None


def _keeps(node: ir.Node, value: ir.Value) -> bool:
    """Tell whether a node that reads weights gives them as they are: here every row has some that are numbers."""
    if node.op_type != "Where":
        return _regrouped(node.outputs[0]) is value
    condition, other, kept = node.inputs
    if condition is None or kept is not value:
        return False
    test, tensor = producer_of(condition, "IsNaN"), condition.const_value
    is_guard = test is not None and test.inputs[0] is value and number_of(other) == 0
    return is_guard or (tensor is not None and not tensor.numpy().any())


def _next(value: ir.Value, nodes: list[ir.Node]) -> ir.Node | None:
    """Return the one node that reads weights, besides one that tells it which of them are no numbers."""
    alone = only_reader(value)
    if alone is not None:
        return alone
    readers = [use.node for use in value.uses()]
    tests = [node for node in readers if (node.domain, node.op_type) == ("", "IsNaN")]
    others = [node for node in readers if node not in tests]
    if len(tests) != 1 or len(others) != 1 or only_reader(tests[0].outputs[0]) is not others[0]:
        return None
    nodes.append(tests[0])
    return others[0]
