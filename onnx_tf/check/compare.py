"""How far the outputs of one artefact are from another's: the one measure of every check and test."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from onnx_tf.check.measures import Measures, measure, worst_of

__all__ = [
    "ANY",
    "FLOAT16_WEIGHTS",
    "NARROW_PRODUCTS",
    "Comparison",
    "Difference",
    "Elementwise",
    "OfScale",
    "OfSteps",
    "Tolerance",
    "compare",
    "step_tolerance",
    "worst",
]


@dataclass(frozen=True)
class Difference:
    """How far one output is from what is expected.

    Attributes:
        name: the output's ONNX name.
        error: the largest error; in which measure, the tolerance tells. Infinite if there is a reason.
        tolerance: the largest error that counts as equal.
        reason: what else than a number differs: the shape, the dtype, where NaN and infinities
            are, the kind of value; empty if nothing does.
        at: the element with the largest error, as in ``[0, 2]: 1.5 for 1.25``; empty if all are equal.
        measures: what else is told of numbers; ``None`` of all else, and where the shape or the dtype differs.
    """

    name: str
    error: float
    tolerance: float
    reason: str = ""
    at: str = ""
    measures: Measures | None = None

    @property
    def fits(self) -> bool:
        """Whether the output counts as equal."""
        return not self.reason and self.error <= self.tolerance

    def __str__(self) -> str:
        if self.reason:
            return f"{self.name}: {self.reason}"
        at = f", at {self.at}" if self.at else ""
        return f"{self.name}: {self.error:.1e} (tolerance {self.tolerance:.0e}){at}"


@dataclass(frozen=True)
class Comparison:
    """The differences of all outputs, in the order of those that are expected."""

    outputs: tuple[Difference, ...]

    @property
    def fits(self) -> bool:
        """Whether every output counts as equal."""
        return all(output.fits for output in self.outputs)

    def __str__(self) -> str:
        return "\n".join(str(output) for output in self.outputs if not output.fits) or "all outputs are equal"


@dataclass(frozen=True)
class OfScale:
    """Floats may differ by a share of the output's scale, its largest finite magnitude; the rest is equal.

    Attributes:
        single: the share for float32, float64 and complex numbers.
        half: the share for float16 and bfloat16.
        exact: the share of the elements of all other outputs that may differ: of integers, bools,
            strings and floats of 8 bits and less.
        least_scale: what counts as the scale of outputs that are smaller.
    """

    single: float = 1e-3
    half: float = 2e-2
    exact: float = 0.0
    least_scale: float = 1e-12

    def widened(self, share: float) -> OfScale:
        """Return the tolerance that lets floats differ by a share of the scale at least."""
        return dataclasses.replace(self, single=max(self.single, share), half=max(self.half, share))

    def is_numeric(self, dtype: np.dtype) -> bool:
        """Return whether tensors of a dtype may be almost equal."""
        return _is_float(dtype) and dtype.itemsize > 1

    def errors(self, gap: np.ndarray, expected: np.ndarray) -> np.ndarray:
        """Return the error of each element from its absolute difference."""
        scale = np.abs(expected[np.isfinite(expected)]).max(initial=0.0)
        return gap / max(scale, self.least_scale)

    def limit(self, dtype: np.dtype) -> float:
        """Return the largest error that counts as equal."""
        if not self.is_numeric(dtype):
            return self.exact
        return self.half if dtype.itemsize == 2 else self.single


FLOAT16_WEIGHTS = OfScale(single=1e-2)
"""For what weights in float16 change."""


NARROW_PRODUCTS = {"bfloat16": OfScale(single=5e-2), "float16": FLOAT16_WEIGHTS}
"""For products of float32 that are computed in these."""


@dataclass(frozen=True)
class Elementwise:
    """Each float may differ by ``atol + rtol * |expected|``, of which the error is the multiple; the rest is equal.

    Attributes:
        rtol: relative tolerance.
        atol: absolute tolerance.
    """

    rtol: float
    atol: float

    def is_numeric(self, dtype: np.dtype) -> bool:
        """Return whether tensors of a dtype may be almost equal."""
        return _is_float(dtype)

    def errors(self, gap: np.ndarray, expected: np.ndarray) -> np.ndarray:
        """Return the error of each element from its absolute difference."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(gap == 0, 0.0, gap / (self.atol + self.rtol * np.abs(expected)))

    def limit(self, dtype: np.dtype) -> float:
        """Return the largest error that counts as equal."""
        return 1.0 if self.is_numeric(dtype) else 0.0


@dataclass(frozen=True)
class OfSteps:
    """Outputs of a quantised model may be some of its steps away, which is what the error counts.

    Attributes:
        step: the size of a step; where it is ``None``, floats have 128 of them up to their scale, the rest is equal.
        steps: how many steps count as equal.
        of_all: whether the error is the root of the mean square over all elements instead of the largest one: single
            elements that round the other way do not count then.
    """

    step: float | None = None
    steps: float = 2.0
    of_all: bool = False

    def is_numeric(self, dtype: np.dtype) -> bool:
        """Return whether tensors of a dtype may be almost equal."""
        return (_is_float(dtype) and dtype.itemsize > 1) or (self.step is not None and dtype.kind in "iu")

    def errors(self, gap: np.ndarray, expected: np.ndarray) -> np.ndarray:
        """Return how many steps each absolute difference is."""
        if self.step is None:
            return OfScale().errors(gap, expected) * (1 << 7)
        return gap / self.step

    def limit(self, dtype: np.dtype) -> float:
        """Return the largest error that counts as equal: dequantised numbers are whole steps only up to rounding."""
        return self.steps + _ROUNDING if self.is_numeric(dtype) else 0.0


_ROUNDING = 0.01


def step_tolerance(expected: Any) -> OfSteps:
    """Return what counts as equal for a value of a quantised model: roundings add up, a wrong node is far off."""
    is_of_steps = isinstance(expected, np.ndarray) and expected.dtype.kind in "iu" and expected.dtype.itemsize == 1
    return OfSteps(1.0 if is_of_steps else None, steps=8.0, of_all=True)


Tolerance = OfScale | Elementwise | OfSteps

ANY = OfScale(single=math.inf, half=math.inf, exact=1.0)
"""What counts as equal of random numbers: those of one shape and dtype."""


def compare(
    expected: Mapping[str, Any],
    actual: Mapping[str, Any],
    tolerance: Tolerance | Mapping[str, Tolerance] | None = None,
) -> Comparison:
    """Compare outputs by name.

    Names, kinds, shapes and dtypes must be equal, NaN and infinities be in the same places. Each
    tensor of a sequence has a scale of its own; the values of a map are one tensor.

    Args:
        expected: arrays, lists (sequences), dicts (maps) or ``None`` (an optional without element), by name.
        actual: the same of what is judged.
        tolerance: what counts as equal, for all outputs or for each by its name; by default :class:`OfScale` as it is.
    """
    of_one = tolerance if isinstance(tolerance, Mapping) else dict.fromkeys(expected, tolerance or OfScale())
    found = [
        worst(list(_differences(name, value, actual[name], of_one[name], "")))
        if name in actual
        else _unfit(name, "there is no such output")
        for name, value in expected.items()
    ]
    found += [_unfit(name, "no such output is expected") for name in actual if name not in expected]
    return Comparison(tuple(found))


def worst(differences: Sequence[Difference]) -> Difference:
    """Return the worst of several differences of one output, with the worst of all measures."""
    measures = worst_of([difference.measures for difference in differences])
    return dataclasses.replace(max(differences, key=_badness), measures=measures)


def _badness(difference: Difference) -> tuple[bool, float]:
    if difference.error <= difference.tolerance:
        return bool(difference.reason), difference.error / (difference.tolerance or 1.0)
    return True, difference.error / (difference.tolerance or 1e-300)


def _unfit(name: str, reason: str) -> Difference:
    return Difference(name, math.inf, 0.0, reason)


def _differences(name: str, expected: Any, actual: Any, tolerance: Tolerance, place: str) -> Iterator[Difference]:
    kind = _kind(expected)
    if kind != _kind(actual):
        yield _unfit(name, f"{place}{_kind(actual)} where {kind} is expected")
    elif kind == "a sequence":
        yield from _of_sequences(name, expected, actual, tolerance, place)
    elif kind == "a map":
        if expected.keys() != actual.keys():
            yield _unfit(name, f"{place}the keys {_few(actual)} where {_few(expected)} are expected")
        else:
            wanted, given = (_array([value[key] for key in expected]) for value in (expected, actual))
            yield _of_tensors(name, wanted, given, tolerance, place)
    elif kind == "a tensor":
        yield _of_tensors(name, _array(expected), _array(actual), tolerance, place)
    else:
        yield Difference(name, 0.0, 0.0)


def _of_sequences(name: str, expected: Any, actual: Any, tolerance: Tolerance, place: str) -> Iterator[Difference]:
    if len(expected) != len(actual):
        yield _unfit(name, f"{place}{len(actual)} elements where {len(expected)} are expected")
        return
    yield Difference(name, 0.0, 0.0)
    for index, (wanted, given) in enumerate(zip(expected, actual, strict=True)):
        yield from _differences(name, wanted, given, tolerance, f"{place}element {index}: ")


def _kind(value: Any) -> str:
    if value is None:
        return "no value"
    if isinstance(value, (list, tuple)):
        return "a sequence"
    return "a map" if isinstance(value, dict) else "a tensor"


def _few(keys: Any) -> str:
    shown = [repr(key) for key in list(keys)[:5]]
    return ", ".join([*shown, "..."] if len(keys) > len(shown) else shown) or "(none)"


def _array(value: Any) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "OSU":
        return array
    text = [item.decode("utf-8", "surrogateescape") if isinstance(item, bytes) else item for item in array.ravel()]
    decoded = np.empty(len(text), object)
    decoded[:] = text
    return decoded.reshape(array.shape)


def _of_tensors(name: str, expected: np.ndarray, actual: np.ndarray, tolerance: Tolerance, place: str) -> Difference:
    if expected.shape != actual.shape:
        return _unfit(name, f"{place}shape {list(actual.shape)} where {list(expected.shape)} is expected")
    if expected.dtype != actual.dtype:
        return _unfit(name, f"{place}{_named(actual.dtype)} where {_named(expected.dtype)} is expected")
    measures = _measures(expected, actual)
    found = _judged(name, expected, actual, tolerance, place)
    return dataclasses.replace(found, measures=measures)


def _judged(name: str, expected: np.ndarray, actual: np.ndarray, tolerance: Tolerance, place: str) -> Difference:
    limit = tolerance.limit(expected.dtype)
    if not tolerance.is_numeric(expected.dtype):
        differs = np.asarray(expected != actual)
        at = _at(expected, actual, int(np.argmax(differs)), place) if differs.any() else ""
        return Difference(name, float(differs.mean()) if differs.size else 0.0, limit, at=at)
    expected, actual = _wide(expected), _wide(actual)
    same = (expected == actual) | (np.isnan(expected) & np.isnan(actual))
    misplaced = ~same & ~(np.isfinite(expected) & np.isfinite(actual))
    if misplaced.any():
        at = _at(expected, actual, int(np.argmax(misplaced)), place)
        count = int(misplaced.sum())
        more = f", and {count - 1} more" if count > 1 else ""
        return Difference(name, math.inf, limit, f"NaN or infinity in other places: {at}{more}", at)
    if same.all():
        return Difference(name, 0.0, limit)
    with np.errstate(invalid="ignore", over="ignore"):
        errors = tolerance.errors(np.where(same, 0.0, np.abs(expected - actual)), expected)
    worst = int(np.argmax(errors))
    is_of_all = isinstance(tolerance, OfSteps) and tolerance.of_all
    error = np.sqrt(np.mean(np.square(errors))) if is_of_all else errors.ravel()[worst]
    return Difference(name, float(error), limit, at=_at(expected, actual, worst, place))


def _measures(expected: np.ndarray, actual: np.ndarray) -> Measures | None:
    is_number = expected.dtype.kind in "iufc" or _is_float(expected.dtype)
    return measure(_wide(expected), _wide(actual)) if is_number else None


def _wide(array: np.ndarray) -> np.ndarray:
    """Return float64 of the same values, with a last axis for the parts of complex numbers."""
    if array.dtype.kind == "c":
        return np.stack([array.real, array.imag], axis=-1).astype(np.float64)
    return array.astype(np.float64)


def _at(expected: np.ndarray, actual: np.ndarray, index: int, place: str) -> str:
    given, wanted = (array.ravel()[index] for array in (actual, expected))
    if expected.dtype.kind == "f":
        given, wanted = f"{given:.6g}", f"{wanted:.6g}"
    where = [int(i) for i in np.unravel_index(index, expected.shape)]
    return f"{place}{where}: {given} for {wanted}"


def _named(dtype: np.dtype) -> str:
    return "string" if dtype.kind == "O" else dtype.name


def _is_float(dtype: np.dtype) -> bool:
    # Of ml_dtypes' dtypes the kind says nothing.
    return dtype.kind in "fc" or (dtype.kind == "V" and ir.DataType.from_numpy(dtype).is_floating_point())
