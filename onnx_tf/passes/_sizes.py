"""Sizes as products of numbers and names: what is known of open dimensions, enough to divide them by each other."""

from __future__ import annotations

import collections
import math
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Size", "product", "quotient", "size"]


@dataclass(frozen=True)
class Size:
    """A number times named sizes, each of which is 0 or more.

    Attributes:
        factor: the number; it may be negative, as the -1 of a Reshape is.
        names: the names, sorted; one may be there several times.
    """

    factor: int
    names: tuple[str, ...] = ()

    @property
    def number(self) -> int | None:
        """The number, if there are no names."""
        return None if self.names else self.factor

    def __str__(self) -> str:
        return "*".join([*([] if self.factor == 1 and self.names else [str(self.factor)]), *self.names])


def size(dim: int | str) -> Size:
    """Return a number or a name as a size."""
    return Size(dim) if isinstance(dim, int) else Size(1, (dim,))


def product(sizes: Iterable[Size]) -> Size:
    """Return the product of sizes."""
    found = list(sizes)
    names = sorted(name for each in found for name in each.names)
    return Size(math.prod(each.factor for each in found), tuple(names))


def quotient(a: Size, b: Size) -> Size | None:
    """Return a / b where that leaves no rest and no name below the line."""
    above, below = collections.Counter(a.names), collections.Counter(b.names)
    if below - above or b.factor == 0 or a.factor % b.factor:
        return None
    return Size(a.factor // b.factor, tuple(sorted((above - below).elements())))
