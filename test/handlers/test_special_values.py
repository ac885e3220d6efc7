"""Every operator of floats with NaN, infinities, zeros of both signs, denormals and the largest numbers.

ONNX Runtime and the reference evaluator (numpy) do not always agree; each number must be that of one of
them. TensorFlow takes denormals for zero, so the answers for zeros in their place count as well.
"""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from test.handlers import table_any_rank, table_images  # noqa: F401
from test.handlers.branches import branched, check_branches
from test.handlers.check import check_op
from test.handlers.table import MORE, ROWS, Case, Source
from test.reference import ort_outputs

DIMS = (2, 8, 4, 3)
INF, NAN, MOST, TINY = math.inf, math.nan, float(np.finfo(np.float32).max), 1e-40
SUMMED = "Gemm MatMul Einsum Conv ConvTranspose"
"""Sums of these overflow by their order: they get no largest numbers."""


class Special(Source):
    """Gives the special numbers, one in four elements, and others."""

    def __init__(self, numbers: tuple[float, ...]) -> None:
        super().__init__()
        self.numbers = np.array(numbers, np.float32)

    def floats(self, *dims):
        drawn = self.rng.choice(self.numbers, dims).astype(np.float32)
        return np.where(self.rng.random(dims) < 0.25, drawn, super().floats(*dims)).astype(np.float32)


KINDS = {
    "NaN": (NAN,),
    "infinities": (INF, -INF),
    "zeros": (0.0, -0.0),
    "denormals": (TINY, -TINY),
    "largest": (MOST, -MOST),
}


@functools.cache
def cases(kind: str) -> dict[str, Case]:
    made = {name: build(Special(KINDS[kind]), DIMS) for name, build in (ROWS | MORE).items()}
    return {name: case for name, case in made.items() if any(_is_float(array) for array in case.inputs)}


def _is_float(array):
    return array is not None and np.asarray(array).dtype == np.float32


def candidates(case: Case) -> list[list[np.ndarray]]:
    """Return the outputs of each reference that has some, also for zeros in place of denormals."""
    found = []
    for inputs in (case.inputs, [_flushed(array) if _is_float(array) else array for array in case.inputs]):
        model, feed = branched({"": replace(case, inputs=inputs)}, 0)
        for run in (lambda m, f: list(ort_outputs(m, f).values()), lambda m, f: ReferenceEvaluator(m).run(None, f)):
            try:
                with np.errstate(all="ignore"):
                    found.append(run(model, feed))
            except Exception:  # noqa: BLE001, S112
                continue
    assert found, f"no reference for {case}"
    return found


def _flushed(array):
    return np.where(np.abs(array) < np.finfo(np.float32).tiny, np.float32(0), array)


def check(wanted, found):
    for index, actual in enumerate(found):
        own = [np.asarray(outputs[index]) for outputs in wanted]
        actual = np.asarray(actual)
        assert any(actual.shape == w.shape and actual.dtype == w.dtype for w in own), f"{actual.shape} of {own[0].shape}"
        if actual.dtype.kind not in "fiub":
            continue
        with np.errstate(all="ignore"):
            fits = [np.isclose(actual, w, 1e-4, 1e-5, equal_nan=True) for w in own if w.shape == actual.shape]
        wrong = ~np.any(fits, axis=0)
        where = tuple(np.argwhere(wrong)[0]) if wrong.any() else ()
        assert not wrong.any(), f"output {index}: {wrong.sum()}: {actual[where]} for {[w[where] for w in own]}"


@pytest.mark.parametrize("kind", KINDS)
def test_special_values(kind):
    given = cases(kind)
    check_branches(given, {name: candidates(case) for name, case in given.items()}, check=check)
