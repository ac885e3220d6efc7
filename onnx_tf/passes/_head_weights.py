"""The weights of attention, arranged as Keras has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from onnx_tf.passes._constants import add_constant
from onnx_tf.passes._heads import Heads, Joined
from onnx_tf.passes._projections import length_of

__all__ = ["HeadWeights"]


class HeadWeights:
    """Arranges matrices and vectors: what is made of the same constants is one value."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], ir.Value] = {}

    def of_heads(self, heads: Heads, with_bias: bool) -> list[ir.Value | None]:
        """Return a matrix as features, heads, size of a head, and what is added as heads, size of a head."""
        product, index = heads.product, heads.index
        kernel, vector, how = product.kernel, product.bias, (index.tobytes(), index.shape)
        features = length_of(kernel, 1 if product.transposed else 0)

        def matrix() -> np.ndarray:
            array = _array(kernel)
            return (array.T if product.transposed else array)[:, index]

        found = self._made(kernel, (*how, product.transposed), (features, *index.shape), matrix)
        if vector is not None:
            return [found, self._made(vector, how, index.shape, lambda: _array(vector)[index])]
        zeros = self._made(kernel, (*how, "zeros"), index.shape, lambda: np.zeros(index.shape)) if with_bias else None
        return [found, zeros]

    def of_result(self, result: Joined, heads: int, size: int) -> list[ir.Value | None]:
        """Return a matrix as heads, size of a head, features, and what is added."""
        kernel, are_features_first = result.kernel, result.are_features_first
        features = length_of(kernel, 0 if result.transposed else 1)

        def matrix() -> np.ndarray:
            array = _array(kernel).T if result.transposed else _array(kernel)
            if are_features_first:
                return array.reshape(size, heads, features).transpose(1, 0, 2)
            return array.reshape(heads, size, features)

        how = (result.transposed, are_features_first, heads, size, "result")
        return [self._made(kernel, how, (heads, size, features), matrix), result.bias]

    def _made(
        self, of: ir.Value, how: tuple[object, ...], shape: Sequence[int], compute: Callable[[], np.ndarray]
    ) -> ir.Value:
        key = (of, *how)
        if key not in self._known:
            graph, dtype = of.graph, of.dtype
            assert graph is not None
            assert dtype is not None
            self._known[key] = add_constant(graph, f"{of.name}_of_heads", dtype, shape, compute)
        return self._known[key]


def _array(value: ir.Value) -> np.ndarray:
    assert value.const_value is not None
    return value.const_value.numpy()
