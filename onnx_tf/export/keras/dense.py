"""Products of matrices: Dense where the matrix is a weight."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import layers, ops

from onnx_tf.export.keras._place import Place, is_constant, keras_op
from onnx_tf.export.keras._sums import added
from onnx_tf.registry import DENSE_DOMAIN

FREE: dict[str, Any] = {"kernel_initializer": "zeros", "bias_initializer": "zeros"}


@keras_op("MatMul")
def matmul(place: Place, a: Any, b: Any) -> Any:
    if _is_matrix(a, b):
        return dense(place, a, b, None)
    return ops.matmul(place.tensor(a), place.tensor(b))


@keras_op("Dense", domain=DENSE_DOMAIN)
def dense_with_bias(place: Place, x: Any, kernel: Any, bias: Any) -> Any:
    if _is_matrix(x, kernel):
        return dense(place, x, kernel, bias)
    return added(ops.matmul(place.tensor(x), place.tensor(kernel)), place.operand(bias))


@keras_op("Gemm", since=7)
def gemm(
    place: Place,
    a: Any,
    b: Any,
    c: Any = None,
    *,
    alpha: float,
    beta: float,
    transA: int,
    transB: int,
) -> Any:
    if is_constant(b) and transB:
        b, transB = np.ascontiguousarray(b.T), 0
    fits = c is None or (is_constant(c) and c.shape in ((), (1,), (b.shape[1],), (1, 1), (1, b.shape[1])))
    if not transA and fits and _is_matrix(a, b):
        bias = None if c is None else np.broadcast_to(beta * c.reshape(-1), b.shape[1:]).astype(b.dtype)
        return dense(place, a, (alpha * b).astype(b.dtype) if alpha != 1 else b, bias)
    a, b = (ops.transpose(place.tensor(m)) if flip else place.tensor(m) for m, flip in ((a, transA), (b, transB)))
    y = ops.matmul(a, b)
    y = y if alpha == 1 else ops.multiply(y, alpha)
    if c is None:
        return y
    return added(y, place.operand(c) if beta == 1 else ops.multiply(place.operand(c), beta))


def _is_matrix(a: Any, b: Any) -> bool:
    return is_constant(b) and b.ndim == 2 and not is_constant(a) and len(a.shape) > 1 and "float" in str(b.dtype)


def dense(place: Place, x: Any, kernel: np.ndarray, bias: np.ndarray | None) -> Any:
    """Return the product of a tensor's last axis with a matrix, and a vector added."""
    tied = place.tied(kernel)
    if tied is not None and tied.layer is not None:
        y = tied.layer(x, reverse=True)
        return y if bias is None else added(y, place.operand(bias))
    weights = [kernel] if bias is None else [kernel, bias]
    return place.layer(layers.Dense, x, weights=weights, units=kernel.shape[1], use_bias=bias is not None, **FREE)


@keras_op("Einsum", since=12)
def einsum(place: Place, *inputs: Any, equation: str) -> Any:
    return ops.einsum(equation.replace(" ", ""), *map(place.tensor, inputs))
