"""Place a directed graph for a drawing: items in layers from top to bottom, few crossings, straight chains.

Longest paths give the layers, sweeps of barycentres the order within a layer, isotonic regression
the positions. A net, one source and all that reads it, runs through the layers as one line with
branches, so that the size of the problem is that of the drawing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Arrangement", "Net", "arrange"]

SWEEPS = 8
GAP = 18.0
LINE_WIDTH = 4.0
ITEM_WEIGHT = 1000.0
"""How much rather a line makes room than an item: chains of items stay straight."""


@dataclass(frozen=True)
class Net:
    """An item and the items that read it."""

    source: int
    readers: tuple[int, ...]


@dataclass(frozen=True)
class Arrangement:
    """Where things are.

    Attributes:
        layers: the layer of each item, from 0 at the top.
        centers: the horizontal position of each item.
        bends: by net, where its line is in each layer between its source and its last reader.
    """

    layers: list[int]
    centers: list[float]
    bends: list[dict[int, float]]


def arrange(widths: Sequence[float], nets: Sequence[Net]) -> Arrangement:
    """Place items.

    Args:
        widths: the width of each item; items are in topological order.
        nets: which items read which.
    """
    layers = _layers(len(widths), nets)
    drawing = _Drawing(widths, layers, nets)
    drawing.order()
    centers = drawing.centers()
    bends = [{layer: centers[v] for layer, v in chain.items()} for chain in drawing.chains]
    return Arrangement(layers, centers[: len(widths)], bends)


def _layers(count: int, nets: Sequence[Net]) -> list[int]:
    layers = [0] * count
    readers: dict[int, list[int]] = {}
    has_source = [False] * count
    for net in nets:
        readers.setdefault(net.source, []).extend(net.readers)
        for reader in net.readers:
            has_source[reader] = True
    for item in range(count):
        for reader in readers.get(item, ()):
            layers[reader] = max(layers[reader], layers[item] + 1)
    for item in range(count):
        if not has_source[item] and item in readers:
            layers[item] = min(layers[reader] for reader in readers[item]) - 1
    return layers


class _Drawing:
    """Vertices, the items and the points where lines pass through layers, and the edges between adjacent layers."""

    def __init__(self, widths: Sequence[float], layers: Sequence[int], nets: Sequence[Net]) -> None:
        self.items = len(widths)
        self.widths = list(widths)
        self.chains: list[dict[int, int]] = []
        self.rows: list[list[int]] = [[] for _ in range(max(layers, default=-1) + 1)]
        for item, layer in enumerate(layers):
            self.rows[layer].append(item)
        self.above: list[list[int]] = [[] for _ in widths]
        self.below: list[list[int]] = [[] for _ in widths]
        for net in nets:
            self._add_net(net, layers)

    def _add_net(self, net: Net, layers: Sequence[int]) -> None:
        start = layers[net.source]
        chain: dict[int, int] = {}
        at = net.source
        for layer in range(start + 1, max(layers[r] for r in net.readers)):
            vertex = len(self.widths)
            self.widths.append(LINE_WIDTH)
            self.above.append([])
            self.below.append([])
            self.rows[layer].append(vertex)
            self._connect(at, vertex)
            chain[layer] = at = vertex
        for reader in dict.fromkeys(net.readers):
            self._connect(chain.get(layers[reader] - 1, net.source), reader)
        self.chains.append(chain)

    def _connect(self, upper: int, lower: int) -> None:
        self.below[upper].append(lower)
        self.above[lower].append(upper)

    def order(self) -> None:
        """Sort each row by where its neighbours are, downwards and upwards in turn."""
        place = [0.0] * len(self.widths)
        for row in self.rows:
            _number(row, place)
        for sweep in range(SWEEPS):
            near = self.below if sweep % 2 else self.above
            for row in reversed(self.rows) if sweep % 2 else self.rows:
                wanted = {v: _mean(place[u] for u in near[v]) if near[v] else place[v] for v in row}
                row.sort(key=wanted.__getitem__)
                _number(row, place)

    def centers(self) -> list[float]:
        """Return positions: each row follows the one before it as closely as its order allows."""
        at = [0.0] * len(self.widths)
        for row in self.rows:
            self._settle(row, [0.0] * len(row), at)
        for sweep in range(2 * SWEEPS):
            near = self.below if sweep % 2 else self.above
            for row in reversed(self.rows) if sweep % 2 else self.rows:
                self._settle(row, [self._wanted(v, near, at) for v in row], at)
        left = min((x - w / 2 for x, w in zip(at, self.widths, strict=True)), default=0.0)
        return [x - left for x in at]

    def _wanted(self, vertex: int, near: Sequence[Sequence[int]], at: Sequence[float]) -> float:
        neighbours = near[vertex]
        items = [v for v in neighbours if v < self.items]
        return _mean(at[v] for v in items or neighbours) if neighbours else at[vertex]

    def _settle(self, row: Sequence[int], wanted: Sequence[float], at: list[float]) -> None:
        """Move a row to the positions nearest to those wanted at which nothing overlaps (pool adjacent violators)."""
        offsets, offset = [], 0.0
        for index, vertex in enumerate(row):
            if index:
                offset += (self.widths[row[index - 1]] + self.widths[vertex]) / 2 + GAP
            offsets.append(offset)
        pools: list[tuple[float, float, int]] = []
        for vertex, target, offset in zip(row, wanted, offsets, strict=True):
            weight = ITEM_WEIGHT if vertex < self.items else 1.0
            total, count = weight * (target - offset), 1
            while pools and pools[-1][0] / pools[-1][1] > total / weight:
                more, heavier, items = pools.pop()
                total, weight, count = total + more, weight + heavier, count + items
            pools.append((total, weight, count))
        placed = [total / weight for total, weight, count in pools for _ in range(count)]
        for vertex, base, offset in zip(row, placed, offsets, strict=True):
            at[vertex] = base + offset


def _number(row: Sequence[int], place: list[float]) -> None:
    # Halves from the middle, so that rows of different lengths are compared fairly.
    for index, vertex in enumerate(row):
        place[vertex] = index - (len(row) - 1) / 2


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)
