"""Support vector machines."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from onnx_tf.handlers._attributes import given
from onnx_tf.handlers.ml._scores import as_rows, first_argmax, labels_of, transformed, with_second_class
from onnx_tf.registry import onnx_op

DOMAIN = "ai.onnx.ml"
MAX_PROBABILITY_ROUNDS = 100
MIN_PROBABILITY = 1e-7


@onnx_op("SVMClassifier", domain=DOMAIN)
def svm_classifier(
    x: tf.Tensor,
    *,
    classlabels_ints: Sequence[int] | None,
    classlabels_strings: Sequence[str] | None,
    coefficients: Sequence[float] | None,
    kernel_params: Sequence[float] | None,
    kernel_type: str,
    post_transform: str,
    prob_a: Sequence[float] | None,
    prob_b: Sequence[float] | None,
    rho: Sequence[float] | None,
    support_vectors: Sequence[float] | None,
    vectors_per_class: Sequence[int] | None,
) -> tuple[tf.Tensor, tf.Tensor]:
    x = as_rows(x, tf.float32)
    labels = labels_of(classlabels_strings, classlabels_ints)
    count = labels.shape[0]
    coefficients, rho = given(coefficients=coefficients, rho=rho)
    if not vectors_per_class:
        return _linear_classes(x, labels, coefficients, rho, post_transform)
    (vectors,) = given(support_vectors=support_vectors)
    kernels = _kernel(x, vectors, sum(vectors_per_class), kernel_type, kernel_params)
    scores = _pairwise_scores(kernels, coefficients, rho, vectors_per_class)
    label = tf.gather(labels, tf.argmax(_votes(scores, count), axis=1))
    if prob_a:
        (prob_b,) = given(prob_b=prob_b)
        return label, transformed(_class_probabilities(scores, prob_a, prob_b, count), post_transform)
    if count == 2:
        return label, with_second_class(scores, post_transform, complement=post_transform != "NONE")
    return label, transformed(scores, post_transform)


@onnx_op("SVMRegressor", domain=DOMAIN)
def svm_regressor(
    x: tf.Tensor,
    *,
    coefficients: Sequence[float] | None,
    kernel_params: Sequence[float] | None,
    kernel_type: str,
    n_supports: int,
    one_class: int,
    post_transform: str,
    rho: Sequence[float] | None,
    support_vectors: Sequence[float] | None,
) -> tf.Tensor:
    x = as_rows(x, tf.float32)
    coefficients, rho = given(coefficients=coefficients, rho=rho)
    if n_supports > 0:
        (vectors,) = given(support_vectors=support_vectors)
        x = _kernel(x, vectors, n_supports, kernel_type, kernel_params)
    score = tf.matmul(x, tf.constant(coefficients, tf.float32, [len(coefficients), 1])) + tf.constant(rho[:1])
    return tf.where(score > 0, 1.0, -1.0) if one_class else score


def _kernel(
    x: tf.Tensor, support_vectors: Sequence[float], count: int, kernel_type: str, kernel_params: Sequence[float] | None
) -> tf.Tensor:
    """Return the kernel of each row with each support vector, [N, V]."""
    vectors = tf.reshape(tf.constant(support_vectors, tf.float32), [count, -1])
    gamma, coef0, degree = (tuple(kernel_params or ()) + (0.0,) * 3)[:3]
    if kernel_type == "RBF":
        squares = tf.math.squared_difference(x[:, tf.newaxis], vectors[tf.newaxis])
        return tf.exp(-gamma * tf.reduce_sum(squares, axis=-1))
    products = tf.matmul(x, vectors, transpose_b=True)
    if kernel_type == "LINEAR":
        return products
    if kernel_type == "SIGMOID":
        return tf.tanh(gamma * products + coef0)
    if kernel_type == "POLY":
        return tf.pow(gamma * products + coef0, degree)
    raise ValueError(f"kernel_type is one of LINEAR, POLY, RBF, SIGMOID, got {kernel_type!r}")


def _linear_classes(
    x: tf.Tensor, labels: tf.Tensor, coefficients: Sequence[float], rho: Sequence[float], post_transform: str
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return labels and scores of rows [N, F] where the classes have weights instead of support vectors."""
    weights = tf.reshape(tf.constant(coefficients, tf.float32), [labels.shape[0], -1])
    scores = tf.matmul(x, weights, transpose_b=True) + tf.constant(rho[:1])
    label = tf.gather(labels, first_argmax(scores))
    if labels.shape[0] == 2:
        best = tf.reduce_max(scores, axis=1)
        label = tf.where(best >= 0.5 if min(coefficients) >= 0 else best > 0, labels[1], label)
    return label, transformed(scores, post_transform)


def _pairwise_scores(
    kernels: tf.Tensor, coefficients: Sequence[float], rho: Sequence[float], vectors_per_class: Sequence[int]
) -> tf.Tensor:
    """Return the score of each pair of classes (0, 1), (0, 2), ..., (1, 2), ...: [N, pairs]."""
    count, total = len(vectors_per_class), sum(vectors_per_class)
    table = np.reshape(np.array(coefficients[: (count - 1) * total], np.float32), [count - 1, total])
    starts = np.cumsum([0, *vectors_per_class])
    weights = np.zeros((total, count * (count - 1) // 2), np.float32)
    for pair, (i, j) in enumerate(itertools.combinations(range(count), 2)):
        weights[starts[i] : starts[i + 1], pair] = table[j - 1, starts[i] : starts[i + 1]]
        weights[starts[j] : starts[j + 1], pair] = table[i, starts[j] : starts[j + 1]]
    # Sums of many terms of both signs decide votes: ONNX Runtime adds them in double, too.
    products = tf.matmul(tf.cast(kernels, tf.float64), tf.constant(weights, tf.float64))
    return tf.cast(products + tf.constant(rho[: weights.shape[1]], tf.float64), tf.float32)


def _votes(scores: tf.Tensor, count: int) -> tf.Tensor:
    """Return how many pairs each class wins, [N, count], from the scores [N, pairs]."""
    pairs = list(itertools.combinations(range(count), 2))
    first = tf.one_hot([i for i, _ in pairs], count, dtype=tf.int32)
    second = tf.one_hot([j for _, j in pairs], count, dtype=tf.int32)
    return tf.reduce_sum(tf.where((scores > 0)[:, :, tf.newaxis], first, second), axis=1)


def _class_probabilities(scores: tf.Tensor, prob_a: Sequence[float], prob_b: Sequence[float], count: int) -> tf.Tensor:
    """Couple pairwise probabilities into one per class, as libsvm does (Wu, Lin, Weng 2004)."""
    pairs = list(itertools.combinations(range(count), 2))
    a, b = (tf.constant(values[: len(pairs)], tf.float32) for values in (prob_a, prob_b))
    wins = tf.clip_by_value(1 - tf.sigmoid(scores * a + b), MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    columns = {(i, i): tf.zeros_like(wins[:, 0]) for i in range(count)}
    for pair, (i, j) in enumerate(pairs):
        columns[i, j], columns[j, i] = wins[:, pair], 1 - wins[:, pair]
    r = tf.stack([tf.stack([columns[i, j] for j in range(count)], 1) for i in range(count)], 1)
    transposed = tf.transpose(r, [0, 2, 1])
    q = tf.linalg.set_diag(-transposed * r, tf.reduce_sum(transposed * transposed, axis=2))
    return _solve_coupling(q, count)


def _solve_coupling(q: tf.Tensor, count: int) -> tf.Tensor:
    """Return the probabilities [N, count] that minimise p Q p for matrices Q [N, count, count]."""
    p = tf.fill(tf.shape(q)[:2], tf.constant(1 / count, tf.float32))
    p.set_shape(q.shape[:2])

    def residual(p: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        qp = tf.linalg.matvec(q, p)
        pqp = tf.reduce_sum(p * qp, axis=1, keepdims=True)
        return qp, pqp, tf.reduce_max(tf.abs(qp - pqp), axis=1, keepdims=True) >= 0.005 / count

    def step(
        i: tf.Tensor, p: tf.Tensor, qp: tf.Tensor, pqp: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        row, diagonal = q[:, i], q[:, i, i][:, tf.newaxis]
        own = tf.one_hot(i, count)
        qp_i = tf.reduce_sum(qp * own, axis=1, keepdims=True)
        diff = (pqp - qp_i) / diagonal
        pqp = (pqp + diff * (diff * diagonal + 2 * qp_i)) / (1 + diff) / (1 + diff)
        return i + 1, (p + diff * own) / (1 + diff), (qp + diff * row) / (1 + diff), pqp

    def improve(p: tf.Tensor) -> tuple[tf.Tensor]:
        qp, pqp, is_open = residual(p)
        better = tf.while_loop(lambda i, *_: i < count, step, [0, p, qp, pqp], parallel_iterations=1)[1]
        return (tf.where(is_open, better, p),)

    return tf.while_loop(
        lambda p: tf.reduce_any(residual(p)[2]), improve, (p,), maximum_iterations=MAX_PROBABILITY_ROUNDS
    )[0]
