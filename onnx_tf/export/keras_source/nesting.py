"""Deep models as source: functions of consecutive calls, each computed by a model of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from onnx_tf.errors import ExportError
from onnx_tf.export.keras.nested import MAX_DEPTH, MAX_STEPS
from onnx_tf.export.keras.steps import scope_of
from onnx_tf.export.keras_source.blocks import Block, Item
from onnx_tf.export.keras_source.calls import Call, Value
from onnx_tf.export.keras_source.families import Families

__all__ = ["NESTED", "nest"]

NESTED = '''
def nested(function, *tensors, name):
    """Call a function in a model of its own: Keras builds none of more than about 800 operations one after another."""
    inputs = [keras.Input(batch_shape=x.shape, dtype=x.dtype) for x in tensors]
    return keras.Model(inputs, function(*inputs), name=name)(list(tensors))
'''


def nest(families: Families, root: Block) -> None:
    """Make functions of what a model calls: they become models of their own.

    What gives the model's outputs stays in it, and layers that are called several times with their calls: Keras does
    not load models that share layers.

    Raises:
        ExportError: that leaves too much in one model.
    """
    items: list[Item] = []
    for stays, group in itertools.groupby(root.items, _stays):
        if stays:
            items.extend(group)
            continue
        for piece in _pieces(list(group)):
            if len(piece) > 1 or _size(piece[0]) > 1:
                block = Block(_common(piece), list(piece))
                families.add_nested(block)
                piece = [block]
            items.extend(piece)
    root.items = items
    nested = [item for item in items if isinstance(item, Block) and families.of[item].is_nested]
    sizes = [_size(item) for item in nested]
    deepest = max(*sizes, sum(map(_size, items)) - sum(sizes) + len(nested))
    if deepest > MAX_DEPTH:
        raise ExportError(
            f"a model in the source would be {deepest} operations, and Keras makes none of more than about {MAX_DEPTH} "
            "one after another: write a .keras file, or cut the model with output_names and input_names"
        )


def _stays(item: Item) -> bool:
    if isinstance(item, Call):
        is_made_apart = item.config is not None and not item.operands
        return not item.place or is_made_apart or isinstance(item.function, Value)
    return any(isinstance(call.function, Value) for call in item.calls())


def _size(item: Item) -> int:
    return sum(1 for _ in item.calls()) if isinstance(item, Block) else 1


def _scope(item: Item) -> tuple[str, ...]:
    return item.scope if isinstance(item, Block) else scope_of(item.place)


def _pieces(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Yield consecutive items of not too many calls, cut between scopes where that can be."""
    level = len(_common(items))
    piece: list[Item] = []
    for _, group in itertools.groupby(items, lambda item: _scope(item)[: level + 1]):
        own = list(group)
        if piece and sum(map(_size, piece)) + sum(map(_size, own)) > MAX_STEPS:
            yield piece
            piece = []
        for item in own:
            if piece and sum(map(_size, piece)) + _size(item) > MAX_STEPS:
                yield piece
                piece = []
            piece.append(item)
    if piece:
        yield piece


def _common(items: Sequence[Item]) -> tuple[str, ...]:
    """Return the scope that all items lie in."""
    columns = itertools.takewhile(lambda parts: len(set(parts)) == 1, zip(*map(_scope, items), strict=False))
    return tuple(parts[0] for parts in columns)
