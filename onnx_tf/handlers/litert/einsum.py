"""Einsum of diagonals and scalars, which LiteRT's converter does not take."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from onnx_tf.handlers._tensors import dims_of, rank_of, reshaped
from onnx_tf.handlers.linear_algebra import axes_by_letter, einsum_terms
from onnx_tf.handlers.linear_algebra import einsum as einsum_for_all
from onnx_tf.registry import onnx_op


@onnx_op("Einsum", since=12, target="litert")
def einsum(*inputs: tf.Tensor, equation: str) -> tf.Tensor:
    terms, result = einsum_terms(equation)
    axes = [axes_by_letter(term, x.shape.rank) for term, x in zip(terms, inputs, strict=False)]
    if len(terms) != len(inputs) or None in axes:
        return einsum_for_all(*inputs, equation=equation)
    scalars = [x for x in inputs if x.shape.rank == 0]
    rest = [
        _without_repeats(term, x, named)
        for term, x, named in zip(terms, inputs, axes, strict=True)
        if named is not None and x.shape.rank != 0
    ]
    factors = list(scalars)
    if rest:
        factors.append(_product([term for term, _ in rest], [x for _, x in rest], result))
    product = factors[0]
    for factor in factors[1:]:
        product *= factor
    return product


def _product(terms: list[str], operands: list[tf.Tensor], result: str) -> tf.Tensor:
    """Return the sums of products of operands whose terms name each axis once."""
    if len(terms) == 1:
        return _summed(terms[0], operands[0], result)
    if len(terms) == 2 and "." not in "".join(terms):
        kept = [_kept(terms[0], terms[1] + result), _kept(terms[1], terms[0] + result)]
        operands = [_summed(*pair) for pair in zip(terms, operands, kept, strict=True)]
        common = "".join(letter for letter in kept[0] if letter in kept[1] and letter not in result)
        if not common or set(kept[0]) == set(kept[1]):  # no product of matrices
            left, right = (_spread(*pair, result + common) for pair in zip(kept, operands, strict=True))
            product = left * right
            return tf.reduce_sum(product, list(range(len(result), len(result + common)))) if common else product
        terms = kept
    return einsum_for_all(*operands, equation=f"{','.join(terms)}->{result}")


def _kept(term: str, others: str) -> str:
    return "".join(letter for letter in term if letter in others)


def _spread(term: str, x: tf.Tensor, wanted: str) -> tf.Tensor:
    """Return an operand with an axis for each wanted letter, of size 1 for those that its term lacks."""
    x = _summed(term, x, _kept(wanted, term))
    for place, letter in enumerate(wanted):
        if letter not in term:
            x = tf.expand_dims(x, place)
    return x


def _summed(term: str, x: tf.Tensor, result: str) -> tf.Tensor:
    """Return the sums over the axes that the result does not name, the others in its order."""
    named = axes_by_letter(term, rank_of(x))
    assert named is not None
    dotted = [axis for axis in range(rank_of(x)) if [axis] not in named.values()]
    before, dots, after = result.partition("...")
    order = [named[letter][0] for letter in before] + (dotted if dots else [])
    order += [named[letter][0] for letter in after]
    lost = [axis for axis in range(rank_of(x)) if axis not in order]
    x = tf.reduce_sum(x, lost) if lost else x
    left = sorted(order)
    return tf.transpose(x, [left.index(axis) for axis in order]) if order != left else x


def _without_repeats(term: str, x: tf.Tensor, named: dict[str, list[int]]) -> tuple[str, tf.Tensor]:
    """Return a term that names each axis once, and the diagonals of the operand along those that it named alike."""
    letters: list[str | None] = [None] * rank_of(x)
    for letter, places in named.items():
        for place in places:
            letters[place] = letter
    for letter, count in [(letter, len(places)) for letter, places in named.items()]:
        for _ in range(count - 1):
            first, second = [place for place, own in enumerate(letters) if own == letter][:2]
            x = _diagonal(x, first, second)
            letters = [own for place, own in enumerate(letters) if place not in (first, second)] + [letter]
            term = term.replace(letter, "", 2) + letter
    return term, x


def _diagonal(x: tf.Tensor, first: int, second: int) -> tf.Tensor:
    """Return the elements of equal place along two axes, on an axis at the end."""
    kept: Sequence[int] = [axis for axis in range(rank_of(x)) if axis not in (first, second)]
    x = tf.transpose(x, [*kept, first, second])
    *outer, size, _ = dims_of(x)
    places = tf.range(tf.cast(size, tf.int32)) * tf.cast(size + 1, tf.int32)
    return tf.gather(reshaped(x, [*outer, size * size]), places, axis=-1)
