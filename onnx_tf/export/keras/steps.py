"""The calls of layers and operations that a model consists of, in the order of its ONNX nodes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Step", "Trace", "depth_of", "inputs_of", "needed", "scope_of", "uses_of"]


_VALUE = re.compile(r"_output_\d+(_|$)|_channels_(first|last)$")
"""What names of values have at their ends, by the exporter of PyTorch or the choice of memory orders."""


@dataclass(frozen=True, eq=False)
class Step:
    """One call of a layer or an operation.

    Attributes:
        operation: the layer or operation.
        call: Keras's record of the call: its arguments and what it gave.
        place: the name of the ONNX node that it belongs to; empty for inputs and outputs.
    """

    operation: Any
    call: Any
    place: str = ""

    @property
    def inputs(self) -> list[Any]:
        """The tensors that it takes, in order; one that it takes twice is there twice."""
        return list(self.call.arguments.keras_tensors)

    @property
    def outputs(self) -> list[Any]:
        """The tensors that it gives."""
        return list(self.call.outputs)


class Trace:
    """Collects the steps of a model while it is built.

    Attributes:
        steps: the steps so far, each behind those whose results it takes.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._seen: set[Any] = set()

    def add(self, place: str, tensor: Any) -> None:
        """Add the steps that lead to a tensor and are not there yet.

        Args:
            place: the name of the ONNX node that gives it.
            tensor: a Keras tensor.
        """
        waiting = [_call_of(tensor)]
        while waiting:
            call = waiting[-1]
            missing = [one for one in map(_call_of, call.arguments.keras_tensors) if one not in self._seen]
            if missing and call not in self._seen:
                waiting.extend(reversed(missing))
                continue
            waiting.pop()
            if call not in self._seen:
                self._seen.add(call)
                self.steps.append(Step(call.operation, call, place))


def _call_of(tensor: Any) -> Any:
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index]


def needed(steps: Sequence[Step], outputs: Sequence[Any]) -> list[Step]:
    """Return the steps that outputs come from, in their order."""
    wanted = set(map(id, outputs))
    found = []
    for step in reversed(steps):
        if not wanted.isdisjoint(map(id, step.outputs)):
            found.append(step)
            wanted.update(map(id, step.inputs))
    return found[::-1]


def depth_of(steps: Sequence[Step]) -> int:
    """Return how many steps follow one another at most."""
    depths: dict[int, int] = {}
    for step in steps:
        depth = 1 + max((depths.get(id(tensor), 0) for tensor in step.inputs), default=0)
        depths.update(dict.fromkeys(map(id, step.outputs), depth))
    return max(depths.values(), default=0)


def scope_of(place: str) -> tuple[str, ...]:
    """Return the scopes that a node lies in by its name, from the outermost on: what is before the last ``/``.

    What is called after a value, as changes of memory order are, lies where the value does.
    """
    *scope, _ = [part for part in place.split("/") if part] or [""]
    return tuple(itertools.takewhile(lambda part: not _VALUE.search(part), scope))


def inputs_of(steps: Sequence[Step]) -> list[Any]:
    """Return the tensors that steps take and do not give, each once, in the order in which they are taken."""
    own = {id(tensor) for step in steps for tensor in step.outputs}
    found = {id(tensor): tensor for step in steps for tensor in step.inputs if id(tensor) not in own}
    return list(found.values())


def uses_of(steps: Sequence[Step]) -> dict[int, list[Step]]:
    """Return the steps that take each tensor, by the tensor's ``id``."""
    uses: dict[int, list[Step]] = {}
    for step in steps:
        for tensor in step.inputs:
            uses.setdefault(id(tensor), []).append(step)
    return uses
