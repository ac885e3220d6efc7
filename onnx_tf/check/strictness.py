"""How strictly users want to have outputs compared: on how many inputs, within which tolerances."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from onnx_tf.check.compare import Elementwise
from onnx_tf.errors import OptionError, option

__all__ = ["SAMPLES", "Strictness"]

SAMPLES = 3
"""On how many drawn inputs outputs are compared by default."""


@dataclass(frozen=True)
class Strictness:
    """What counts as equal.

    Attributes:
        rtol: floats may differ by this share of what is expected; without it and ``atol``, by a share of the scale of
            their output.
        atol: floats may also differ by this much.
        samples: on how many drawn inputs outputs are compared.

    Raises:
        OptionError: one is no such number.
    """

    rtol: float | None = None
    atol: float | None = None
    samples: int = SAMPLES

    def __post_init__(self) -> None:
        for name in ("rtol", "atol"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and math.isfinite(value) and value >= 0):
                raise OptionError(f"{option(name)} must be a number from 0 on, not {value!r}")
        if not isinstance(self.samples, int) or isinstance(self.samples, bool) or self.samples < 1:
            raise OptionError(f"{option('samples')} must be a whole number from 1 on, not {self.samples!r}")

    @property
    def tolerance(self) -> Elementwise | None:
        """What counts as equal of floats, if that is stated; of the two numbers, one that is not is 0."""
        if self.rtol is None and self.atol is None:
            return None
        return Elementwise(self.rtol or 0.0, self.atol or 0.0)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
