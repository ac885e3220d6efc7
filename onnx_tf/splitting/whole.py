"""Run parts one after the other, as one artefact."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Whole"]


class _Runs(Protocol):
    def runs(self, feeds: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]: ...


@dataclass
class Whole:
    """Parts of a model, called by its inputs; only one is loaded at a time.

    Attributes:
        parts: for each part what loads it, and the names of its inputs.
        outputs: the names of the outputs of the model.
        runtime: what ran the last part, where that tells it.
    """

    parts: Sequence[tuple[Callable[[], _Runs], Sequence[str]]]
    outputs: Sequence[str]
    runtime: str = ""

    def runs(self, feeds: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the outputs for several feeds; see :class:`onnx_tf.check.artifacts.Artifact`."""
        known = [dict(feed) for feed in feeds]
        for load, names in self.parts:
            part = load()
            results = part.runs([{name: values[name] for name in names} for values in known])
            known = [values | result for values, result in zip(known, results, strict=True)]
            self.runtime = getattr(part, "runtime", "")
        return [{name: values[name] for name in self.outputs} for values in known]
