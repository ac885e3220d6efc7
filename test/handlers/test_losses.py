"""Losses: weights, ignored targets and every reduction, in half precision too."""

from __future__ import annotations

import numpy as np
import pytest

from test.handlers.check import check_op


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 2), (2, 5, 2, 3)])
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("ignored", [None, 2, -100])
def test_losses(shape, reduction, is_weighted, ignored):
    rng = np.random.default_rng(0)
    scores = rng.normal(size=shape).astype(np.float32)
    target = rng.integers(0, 5, (shape[0], *shape[2:]))
    if ignored is not None:
        target.flat[0] = ignored
    weight = [rng.random(5).astype(np.float32)] if is_weighted else []
    attributes = {"reduction": reduction} | ({} if ignored is None else {"ignore_index": ignored})
    log_probabilities = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    expected = expected_loss(log_probabilities, target, *weight, reduction=reduction, ignored=ignored)
    check_op("NegativeLogLikelihoodLoss", [log_probabilities, target, *weight], attributes, reference=[expected])
    expected = [expected, log_probabilities]
    check_op("SoftmaxCrossEntropyLoss", [scores, target, *weight], attributes, outputs=2, reference=expected)
    if reduction == "mean" and not is_weighted:
        halves = [array.astype(np.float16) for array in expected]
        inputs = [scores.astype(np.float16), target]
        check_op("SoftmaxCrossEntropyLoss", inputs, attributes, outputs=2, reference=halves, rtol=1e-2, atol=1e-3)


def expected_loss(log_probabilities, target, weight=None, *, reduction, ignored):
    weight = np.ones(log_probabilities.shape[1], np.float32) if weight is None else weight
    is_kept = target != ignored if ignored is not None else np.ones(target.shape, bool)
    classes = np.where(is_kept, target, 0)
    scale = weight[classes] * is_kept
    loss = -np.take_along_axis(np.moveaxis(log_probabilities, 1, -1), classes[..., None], -1)[..., 0] * scale
    totals = {"none": loss, "sum": loss.sum(), "mean": loss.sum() / scale.sum()}
    return np.asarray(totals[reduction], np.float32)
