"""Names that TensorFlow takes for the operations of a node and for its values."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["scope_name", "scopes"]


def scope_name(name: str) -> str:
    """Return a node or value name with the characters that TensorFlow scopes forbid replaced."""
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "_./-") else "_" for c in name).strip("/")
    return safe if safe and (safe[0].isalnum() or safe[0] == ".") else f"n{safe}"


def scopes(names: Iterable[str]) -> list[str]:
    """Return a scope for each name: all differ, to TensorFlow too, and none lies in another.

    An operation's name thereby tells the one node that it belongs to. TensorFlow takes scopes that differ
    in case for the same.
    """
    wanted = [scope_name(name) for name in names]
    inner = {prefix for name in map(str.lower, wanted) for prefix in _prefixes(name)}
    taken: set[str] = set()
    found = []
    for name in wanted:
        candidate, count = name, 1
        while (key := candidate.lower()) in taken or key in inner:
            count += 1
            candidate = f"{name}_{count}"
        taken.add(key)
        found.append(candidate)
    return found


def _prefixes(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts))]
