"""Maximum flow (Dinic) and the minimum cut nearest to the sink."""

from __future__ import annotations

from collections import deque

__all__ = ["FlowNetwork"]


class FlowNetwork:
    """A directed network with integer capacities of any size."""

    def __init__(self, nodes: int) -> None:
        self._edges_of: list[list[int]] = [[] for _ in range(nodes)]
        self._to: list[int] = []
        self._residual: list[int] = []

    def add_edge(self, start: int, end: int, capacity: int, back: int = 0) -> None:
        """Add an edge, and one back with a capacity of its own."""
        for a, b, c in ((start, end, capacity), (end, start, back)):
            self._edges_of[a].append(len(self._to))
            self._to.append(b)
            self._residual.append(c)

    def maximize(self, source: int, sink: int) -> int:
        """Push as much flow as possible and return its value."""
        total = 0
        while (levels := self._levels(source))[sink] >= 0:
            nexts = [0] * len(self._edges_of)
            while pushed := self._augment(source, sink, levels, nexts):
                total += pushed
        return total

    def reaching(self, sink: int) -> list[bool]:
        """Tell for each node whether the residual network leads from it to the sink."""
        reached = [False] * len(self._edges_of)
        reached[sink] = True
        queue = deque([sink])
        while queue:
            node = queue.popleft()
            for edge in self._edges_of[node]:
                if self._residual[edge ^ 1] > 0 and not reached[self._to[edge]]:
                    reached[self._to[edge]] = True
                    queue.append(self._to[edge])
        return reached

    def _levels(self, source: int) -> list[int]:
        levels = [-1] * len(self._edges_of)
        levels[source] = 0
        queue = deque([source])
        while queue:
            node = queue.popleft()
            for edge in self._edges_of[node]:
                if self._residual[edge] > 0 and levels[self._to[edge]] < 0:
                    levels[self._to[edge]] = levels[node] + 1
                    queue.append(self._to[edge])
        return levels

    def _augment(self, source: int, sink: int, levels: list[int], nexts: list[int]) -> int:
        """Push flow along one path of the level graph (a depth-first search without recursion)."""
        path: list[int] = []
        node = source
        while node != sink:
            edges = self._edges_of[node]
            while nexts[node] < len(edges):
                edge = edges[nexts[node]]
                if self._residual[edge] > 0 and levels[self._to[edge]] == levels[node] + 1:
                    break
                nexts[node] += 1
            else:
                if not path:
                    return 0
                node = self._to[path.pop() ^ 1]
                nexts[node] += 1
                continue
            path.append(edge)
            node = self._to[edge]
        pushed = min(self._residual[edge] for edge in path)
        for edge in path:
            self._residual[edge] -= pushed
            self._residual[edge ^ 1] += pushed
        return pushed
