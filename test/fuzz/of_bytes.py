"""Files that broke: bits flipped, bytes cut, inserted, doubled, exchanged."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from test.fuzz.case import Case
from test.fuzz.seeds import Seed

__all__ = ["make"]


def make(rng: random.Random, seeds: Sequence[Seed], _number: int) -> Case:
    """Return a model with one to eight faults in its bytes."""
    seed = rng.choice(seeds)
    content, done = bytearray(seed.content), []
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        fault = rng.choice(FAULTS)
        fault(rng, content)
        done.append(fault.__name__.strip("_"))
    return Case(f"{', '.join(done)}: {seed.name}", bytes(content), seed.inputs)


def _flip(rng: random.Random, content: bytearray) -> None:
    if content:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def _set(rng: random.Random, content: bytearray) -> None:
    if content:
        content[rng.randrange(len(content))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))


def _cut(rng: random.Random, content: bytearray) -> None:
    del content[rng.randrange(len(content) + 1) :]


def _remove(rng: random.Random, content: bytearray) -> None:
    start = rng.randrange(len(content) + 1)
    del content[start : start + rng.randrange(1, 20)]


def _insert(rng: random.Random, content: bytearray) -> None:
    start = rng.randrange(len(content) + 1)
    content[start:start] = rng.choice((rng.randbytes(rng.randrange(1, 12)), b"\xff" * 9 + b"\x01", bytes(8)))


def _double(rng: random.Random, content: bytearray) -> None:
    start = rng.randrange(len(content) + 1)
    part = content[start : start + rng.randrange(1, 200)]
    content[start:start] = part


def _exchange(rng: random.Random, content: bytearray) -> None:
    if len(content) > 40:
        one, other = (rng.randrange(len(content) - 16) for _ in range(2))
        content[one : one + 16], content[other : other + 16] = content[other : other + 16], content[one : one + 16]


FAULTS: tuple[Callable[[random.Random, bytearray], None], ...] = (
    _flip,
    _flip,
    _set,
    _set,
    _cut,
    _remove,
    _insert,
    _double,
    _exchange,
)
