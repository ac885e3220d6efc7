"""A node of every operator, for data of any dimensions: what sweeps over ranks, sizes and values draw from.

A row makes the inputs and attributes of a node from the dimensions of its data and from a source of
numbers. ``MORE`` has the other forms of operators whose kernels differ by attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Dims = tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """A node.

    Attributes:
        op_type: the operator.
        inputs: one array per input, ``None`` for an absent one.
        attributes: the node's attributes.
        outputs: how many outputs the node has.
        fixed: positions of inputs that are constants of the model; all but the first that are not floats are.
        fed: positions of integers that are none all the same.
        domain: the operator's domain.
        opset: the version of the domain.
    """

    op_type: str
    inputs: Sequence[Any]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    outputs: int = 1
    fixed: Sequence[int] = ()
    fed: Sequence[int] = ()
    domain: str = ""
    opset: int | None = None

    def __str__(self) -> str:
        shapes = [None if a is None else np.shape(a) for a in self.inputs]
        return f"{self.domain}{'.' if self.domain else ''}{self.op_type} {dict(self.attributes)} of {shapes}"


class Source:
    """Draws arrays; a subclass may give other floats."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)

    def floats(self, *dims: int) -> np.ndarray:
        """Return float32 numbers."""
        return self.rng.normal(size=dims).astype(np.float32)

    def positive(self, *dims: int) -> np.ndarray:
        """Return float32 numbers between 0.5 and 2: scales, variances."""
        return self.rng.uniform(0.5, 2, dims).astype(np.float32)

    def integers(self, *dims: int, low: int = -3, high: int = 4, dtype: Any = np.int64) -> np.ndarray:
        """Return integers."""
        return self.rng.integers(low, high, dims).astype(dtype)

    def booleans(self, *dims: int) -> np.ndarray:
        """Return booleans."""
        return self.rng.integers(0, 2, dims).astype(bool)

    def strings(self, *dims: int) -> np.ndarray:
        """Return short strings."""
        return self.rng.choice(np.array(["a", "b c", "de"], object), dims)


Made = tuple[Sequence[Any], Mapping[str, Any]]
Build = Callable[[Source, Dims], Case]
ROWS: dict[str, Build] = {}
"""By operator, ``domain.Name`` outside ai.onnx: a node with data of any rank."""

MORE: dict[str, Build] = {}
"""The same for other forms of operators, by any name."""

FIXED: dict[str, Build] = {}
"""The same for operators that fix the rank of their data, from the dimensions of images."""


def unit(dims: Dims, first: int) -> Dims:
    """Return the dimensions with every second one 1, from ``first`` on."""
    return tuple(1 if i % 2 == first else dim for i, dim in enumerate(dims))


def add(
    names: str,
    inputs: Callable[[Source, Dims], Sequence[Any]],
    attributes: Callable[[Dims], Mapping[str, Any]] | Mapping[str, Any] | None = None,
    *,
    into: dict[str, Build] = ROWS,
    label: str = "",
    **settings: Any,
) -> None:
    """Add rows of operators that take the same inputs and attributes."""
    for name in names.split():
        domain, _, op_type = name.rpartition(".")

        def build(draw: Source, dims: Dims, domain: str = domain, op_type: str = op_type) -> Case:
            found = attributes(dims) if callable(attributes) else attributes or {}
            return Case(op_type, inputs(draw, dims), found, domain=domain, **settings)

        into[f"{name} {label}".strip()] = build


def more(names: str, inputs: Any, attributes: Any = None, *, label: str, **settings: Any) -> None:
    """Add other forms of operators."""
    add(names, inputs, attributes, into=MORE, label=label, **settings)


def middle(dims: Dims) -> int:
    """Return the number of the axis in the middle."""
    return len(dims) // 2


def every_second(dims: Dims) -> list[int]:
    """Return the numbers of every second axis."""
    return list(range(0, len(dims), 2))


def vector(*numbers: int) -> np.ndarray:
    """Return int64 numbers."""
    return np.array(numbers, np.int64)
