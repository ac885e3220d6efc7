"""How much memory and time a conversion may take."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass

from onnx_tf.errors import OptionError, either, option
from onnx_tf.supervision.process_tree import can_measure

__all__ = ["Limits", "memory_size"]

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY_UNITS = {"ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30, "ti": 1 << 40}


@dataclass(frozen=True)
class Limits:
    """What a process and all that it starts may take together.

    Attributes:
        memory: bytes of resident memory.
        seconds: seconds by the clock.
    """

    memory: int | None = None
    seconds: float | None = None

    @classmethod
    def of(cls, max_memory: int | str | None, timeout: float | None) -> Limits:
        """Return the limits that options state.

        Raises:
            OptionError: one is no size or no time, or this system cannot hold it.
        """
        if timeout is not None and not (math.isfinite(timeout) and timeout > 0):
            raise OptionError(f"{option('timeout')} must be a positive number of seconds, not {timeout}")
        memory = memory_size(max_memory) if isinstance(max_memory, str) else max_memory
        if memory is not None and memory <= 0:
            raise OptionError(f"{option('max_memory')} must be a positive number of bytes, not {memory}")
        if (memory is not None or timeout is not None) and not can_watch():
            limit = option("timeout" if memory is None else "max_memory")
            raise OptionError(f"{limit} needs Linux, macOS or another system of POSIX: leave it out here")
        if memory is not None and not can_measure():
            raise OptionError(
                f"{option('max_memory')}: this system does not tell what memory processes hold (there is neither /proc "
                f"nor ps): leave it out, {either('timeout=', '--timeout')} works"
            )
        return cls(memory, timeout)


def can_watch() -> bool:
    """Return whether a process can watch over another here: with signals and pipes."""
    return os.name == "posix"


def memory_size(text: str) -> int:
    """Return the bytes that a text like ``4G``, ``500 MB`` or ``1.5GiB`` states.

    Raises:
        OptionError: it states none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*([kmgt]i?)?b?", text.strip().lower())
    if match is None:
        raise OptionError(f"{option('max_memory')} must be a size like 4G or 512MiB, not {text!r}")
    return int(float(match[1]) * {**_UNITS, **_BINARY_UNITS}[match[2] or ""])
