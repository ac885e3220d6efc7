"""Recognise attention of several heads where it is written out, with the projections around it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from onnx_ir.convenience import replace_all_uses_with
from onnx_ir.passes.common import RemoveUnusedNodesPass

from onnx_tf.origins import hand_on, stand_for
from onnx_tf.passes._constants import add_initializer
from onnx_tf.passes._head_weights import HeadWeights
from onnx_tf.passes._heads import Heads, Joined, heads_of, joined
from onnx_tf.passes._projections import only_reader
from onnx_tf.passes._scores import Scores, scores_of
from onnx_tf.passes._sizes import Size
from onnx_tf.passes._views import dims_of
from onnx_tf.registry import ATTENTION_DOMAIN
from onnx_tf.schema import ints_attribute

__all__ = ["recognize_attention"]

_TURNED = (1, 0, 2)

_SHAPES = ("Cast", "Concat", "Div", "Gather", "Mul", "Shape", "Slice", "Squeeze", "Unsqueeze")
"""What computes shapes: it goes where nothing but the inside takes what it gives."""


@dataclass(frozen=True)
class _Attention:
    """What becomes one node.

    Attributes:
        softmax: the node that it is called after.
        scores: what lies between the heads.
        query: the first projection.
        key: the second one.
        value: the third one.
        result: the last one.
        nodes: everything that it consists of.
    """

    softmax: ir.Node
    scores: Scores
    query: Heads
    key: Heads
    value: Heads
    result: Joined
    nodes: frozenset[ir.Node]

    @property
    def matrices(self) -> list[ir.Value]:
        """The matrices of all four."""
        return [*(heads.product.kernel for heads in (self.query, self.key, self.value)), self.result.kernel]


def recognize_attention(model: ir.Model) -> bool:
    """Replace attention that is written out by one MultiHeadAttention node; return whether any was found.

    It has products of query, key and value by constant matrices, with constant vectors added or not, heads that are
    made of them by moving elements, scores that are scaled by 1 over the square root of their size, a mask that is
    true or false or none, a softmax, and a product of the joined heads by a constant matrix. Where something else
    reads what is inside, or shares a matrix with it, it stays written out.
    """
    found = [_found_at(node) for graph in model.graphs() for node in graph]
    closed = [one for one in found if one is not None and _is_closed(one)]
    while open_ones := [one for one in closed if not _has_own_matrices(one, closed)]:
        closed = [one for one in closed if one not in open_ones]
    weights = HeadWeights()
    for one in closed:
        again = _found_at(one.softmax)  # it may read what another one gave
        assert again is not None
        _replace(again, weights)
    if closed:
        RemoveUnusedNodesPass()(model)
    return bool(closed)


def _found_at(softmax: ir.Node) -> _Attention | None:
    scores = scores_of(softmax)
    if scores is None or softmax.graph is None:
        return None
    query, key, value = heads_of(scores.query), heads_of(scores.key, turned=True), heads_of(scores.value)
    if query is None or key is None or value is None or not _agree(scores, query, key, value):
        return None
    time = dims_of(query.product.source)
    assert time is not None
    heads, size = value.index.shape
    result = joined(scores.result, query.lead, query.batch_size, time[1 - query.batch], heads, size)
    if result is None:
        return None
    products = [query.product, key.product, value.product]
    biases = [each.bias is not None for each in (products[0], products[2], result)]
    # What is added to keys adds the same to all scores of a query.
    if len(set(biases)) > 1 or (products[1].bias is not None and not biases[0]):
        return None
    nodes = frozenset((*query.nodes, *key.nodes, *value.nodes, *scores.nodes, *result.nodes))
    is_alike = all(node.graph is softmax.graph for node in nodes)
    return _Attention(softmax, scores, query, key, value, result, nodes) if is_alike else None


def _agree(scores: Scores, query: Heads, key: Heads, value: Heads) -> bool:
    """Tell whether heads are of one batch, as many as one another, and scores scaled by their size."""
    all_heads = (query, key, value)
    same_lead = {heads.lead for heads in all_heads} == {query.lead}
    same_batch = all(heads.batch_size == query.batch_size for heads in all_heads)
    size = query.index.shape[1]
    # Keras computes heads of values that are larger or smaller than those of keys on some backends alone.
    if not same_lead or not same_batch or any(heads.index.shape != query.index.shape for heads in all_heads):
        return False
    lengths = [dims_of(heads.product.source) for heads in (key, value)]
    times = [None if dims is None else dims[1 - h.batch] for dims, h in zip(lengths, (key, value), strict=True)]
    if times[0] != times[1] or value.scale != 1:
        return False
    order = [kind for axis in query.lead for kind in axis]
    is_known = scores.dims[:2] == [query.batch_size, Size(len(query.index))] and order == sorted(order)
    if scores.mask is not None and not is_known:
        return False
    dtype = query.product.source.dtype
    bound = 1e-5 if dtype in (ir.DataType.FLOAT, ir.DataType.DOUBLE) else 4e-3
    return math.isclose(query.scale * key.scale * scores.scale * math.sqrt(size), 1, rel_tol=bound)


def _is_closed(found: _Attention) -> bool:
    """Tell whether nothing reads what is computed inside, but for shapes that the inside alone takes."""
    end = found.result.nodes[-1]
    return all(_stays(value, found.nodes) for node in found.nodes if node is not end for value in node.outputs)


def _stays(value: ir.Value, inside: frozenset[ir.Node]) -> bool:
    if value.is_graph_output():
        return False
    readers = {use.node for use in value.uses()} - inside
    return all(n.op_type in _SHAPES and n.domain == "" and all(_stays(o, inside) for o in n.outputs) for n in readers)


def _has_own_matrices(found: _Attention, others: Sequence[_Attention]) -> bool:
    inside = {node for one in others for node in one.nodes}
    return all(use.node in inside for value in found.matrices for use in value.uses())


def _replace(found: _Attention, weights: HeadWeights) -> None:
    end, softmax = found.result.nodes[-1], found.softmax
    with_bias = found.result.bias is not None
    arranged = [weights.of_heads(heads, with_bias) for heads in (found.query, found.key, found.value)]
    arranged.append(weights.of_result(found.result, *found.value.index.shape))
    behind = _Behind(end)
    sources = [_batch_first(heads, behind) for heads in (found.query, found.value, found.key)]
    mask, is_causal = _mask(found.scores, behind)
    inputs = [*sources, *(value for pair in arranged for value in pair), mask]
    attributes = [ir.AttrInt64("is_causal", int(is_causal)), ir.AttrFloat32("dropout", found.scores.dropout)]
    made = ir.Node(ATTENTION_DOMAIN, "MultiHeadAttention", inputs, attributes, version=1, name=softmax.name)
    stand_for(softmax, made)
    old = end.outputs[0]
    result = behind.add(made, old)
    if found.result.is_time_first:
        old, result = _time_first(old, result, behind)
    hand_on(old, result)
    replace_all_uses_with(old, result, replace_graph_outputs=True)
    result.name = old.name


class _Behind:
    """Adds nodes behind one, each behind the last."""

    def __init__(self, end: ir.Node) -> None:
        self._end = self._last = end

    def add(self, node: ir.Node, like: ir.Value, axes: Sequence[int] | None = None) -> ir.Value:
        """Return what a node gives, with the type of another value and its shape, or these axes of that."""
        stand_for(self._end, node)
        self._last.append(node)
        self._last = node
        result = node.outputs[0]
        assert like.shape is not None
        result.type = like.type
        result.shape = like.shape if axes is None else ir.Shape([like.shape[axis] for axis in axes])
        return result

    def turned(self, value: ir.Value) -> ir.Value:
        """Return a value with its first two axes exchanged."""
        perm = ir.AttrInt64s("perm", _TURNED)
        node = ir.Node("", "Transpose", [value], [perm], version=13, name=f"{value.name}_turned")
        return self.add(node, value, _TURNED)

    def constant(self, array: np.ndarray) -> ir.Value:
        """Return an initializer."""
        assert self._end.graph is not None
        return add_initializer(self._end.graph, f"{self._end.name}_mask", ir.tensor(array))


def _batch_first(heads: Heads, behind: _Behind) -> ir.Value:
    """Return what heads are made of as batch, time, features."""
    source = heads.product.source
    if heads.batch == 0:
        return source
    turning = _turning(source.producer())
    before = None if turning is None else turning.inputs[0]
    return behind.turned(source) if before is None else before


def _turning(node: ir.Node | None) -> ir.Node | None:
    """Return a node if it exchanges the first two of three axes."""
    is_transpose = node is not None and (node.domain, node.op_type) == ("", "Transpose")
    return node if is_transpose and node is not None and ints_attribute(node, "perm") == _TURNED else None


def _time_first(old: ir.Value, result: ir.Value, behind: _Behind) -> tuple[ir.Value, ir.Value]:
    """Return which value to replace by which: by the result itself where the old one was only turned."""
    assert result.shape is not None
    result.shape = ir.Shape([result.shape[axis] for axis in _TURNED])
    reader = _turning(only_reader(old))
    return (old, behind.turned(result)) if reader is None else (reader.outputs[0], result)


def _mask(scores: Scores, behind: _Behind) -> tuple[ir.Value | None, bool]:
    """Return a mask as a value that is true where keys are attended to, or whether it is that of causal attention."""
    mask = scores.mask
    if mask is None:
        return None, False
    if mask.allowed is not None:
        *_, rows, columns = mask.allowed.shape
        is_causal = rows == columns and np.array_equal(mask.allowed.reshape(-1, columns), np.tri(rows, dtype=bool))
        return (None, True) if is_causal else (behind.constant(mask.allowed), False)
    condition = mask.condition
    if condition is None or not mask.inverted:
        return condition, False
    return behind.add(ir.Node("", "Not", [condition], version=1, name=f"{condition.name}_not"), condition), False
