"""What one conversion may make out of a file beyond what the file holds: bytes of constants, and nodes.

A few bytes can ask for gigabytes: a tensor of ones, a loop in a loop, functions that call functions. All that makes
something draws from the one budget of its conversion. Where it is spent, whoever draws takes the form that does not
grow, and where there is none, refuses and names the node and the option.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from onnx_tf.errors import ConversionError, OptionError, option

__all__ = ["MAX_CONSTANT_BYTES", "MAX_NODES", "Budget"]

MAX_CONSTANT_BYTES = 2 << 30
"""How many bytes of constants a conversion makes by default: a file of TensorFlow's holds no more."""

MAX_NODES = 100_000
"""How many nodes a conversion adds to those of the file by default."""

MAX_UNROLLED_NODES = 128
"""A loop of known trip count is unrolled up to this many nodes in all, those of the loops in it and around it included:
shapes then stay static."""


@dataclass
class Budget:
    """What is left of the bytes and nodes that one conversion may make.

    Attributes:
        max_constant_bytes: how many bytes of constants there may be besides those of the file.
        max_nodes: how many nodes there may be besides those of the file.
        constant_bytes: how many bytes were made.
        nodes: how many nodes were made.
    """

    max_constant_bytes: int = MAX_CONSTANT_BYTES
    max_nodes: int = MAX_NODES
    constant_bytes: int = 0
    nodes: int = 0
    _traced: int = field(default=0, repr=False)
    _given: int = field(default=0, repr=False)
    _repeated: int = field(default=1, repr=False)

    def __post_init__(self) -> None:
        for name in ("max_constant_bytes", "max_nodes"):
            limit = getattr(self, name)
            if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
                raise OptionError(f"{option(name)} must be a whole number, not {limit!r}")

    def takes_bytes(self, count: int) -> bool:
        """Draw bytes for a constant if there are as many left; tell whether there were."""
        if count > self.max_constant_bytes - self.constant_bytes:
            return False
        self.constant_bytes += count
        return True

    def takes_nodes(self, count: int) -> bool:
        """Draw nodes if there are as many left; tell whether there were."""
        if count > self.max_nodes - self.nodes:
            return False
        self.nodes += count
        return True

    def begin_trace(self, given: int) -> None:
        """Begin to count what one trace makes: a model is traced anew for every form that it is written in.

        Args:
            given: how many nodes the traced graph has, its bodies included.
        """
        self._traced, self._given, self._repeated = 0, given, 1

    def trace_node(self) -> None:
        """Count a node that is traced.

        Raises:
            ConversionError: more nodes are traced than those of the graph and those that may be made besides.
        """
        self._traced += 1
        if self._given and self._traced > self._given + self.max_nodes - self.nodes:
            raise ConversionError(
                f"its bodies are traced more often than {self.most_nodes()} allows: loops and choices in each other "
                f"multiply; export the model with flatter control flow, or {self.more_nodes()}"
            )

    def writes_out(self, count: int) -> bool:
        """Count operations that are written out for one node if there are as many left; tell whether there were."""
        left = self.max_nodes - self.nodes - max(self._traced - self._given, 0)
        self._traced += count if count <= left else 0
        return count <= left

    def write_out(self, count: int) -> None:
        """Count operations that are written out for one node.

        Raises:
            ConversionError: they are more than may be made.
        """
        if not self.writes_out(count):
            raise ConversionError(
                f"it is written out in {count} operations, more than are left of {self.most_nodes()}: "
                f"{self.more_nodes()}"
            )

    @contextmanager
    def unrolling(self, count: int, size: int) -> Iterator[bool]:
        """Within it, a loop is unrolled if that is told to be allowed; loops within count for each of its iterations.

        Args:
            count: the number of iterations.
            size: the number of nodes in the body; one of none still counts.
        """
        factor = max(count, 1)
        allowed = self._repeated * count * max(size, 1) <= MAX_UNROLLED_NODES
        self._repeated *= factor if allowed else 1
        try:
            yield allowed
        finally:
            self._repeated //= factor if allowed else 1

    def most_nodes(self) -> str:
        """Return the limit of nodes, as in ``max_nodes=100000``."""
        return f"max_nodes={self.max_nodes}"

    def more_nodes(self) -> str:
        """Return how to allow more nodes."""
        return _more("max_nodes")

    def more_bytes(self) -> str:
        """Return how to allow more bytes of constants."""
        return _more("max_constant_bytes")


def _more(name: str) -> str:
    return f"allow more with {option(name)}"
