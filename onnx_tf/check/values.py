"""Every value inside a model against ONNX Runtime's own: where do they part?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import onnx_ir as ir

from onnx_tf.check.compare import ANY, Difference, Tolerance, compare, step_tolerance
from onnx_tf.check.expected import expected_outputs
from onnx_tf.check.inputs import described
from onnx_tf.check.interface import Interface, in_artifact_order
from onnx_tf.check.onnx_runtime import intermediate_values
from onnx_tf.check.upstream import random_values
from onnx_tf.model.loading import ModelSource, load_model
from onnx_tf.model.quantized import is_quantized
from onnx_tf.passes.infer_shapes import infer_shapes

if TYPE_CHECKING:
    from onnx_tf.backend_rep import TensorflowRep

__all__ = ["CheckedValue", "Inside", "Values", "check_values"]

MAX_BYTES = 256 << 20
"""How many bytes of values ONNX Runtime and TensorFlow each hold at once, as far as shapes tell."""

_GUESSED_BYTES = 4 << 20
"""What a value counts whose shape is not known."""


@dataclass(frozen=True)
class CheckedValue:
    """A value inside a model.

    Attributes:
        name: its ONNX name.
        node: the name of the node that computes it.
        op: that node's operator.
        difference: how far it is from ONNX Runtime's.
        is_finite: whether TensorFlow's has neither NaN nor infinities.
    """

    name: str
    node: str
    op: str
    difference: Difference
    is_finite: bool

    @property
    def fits(self) -> bool:
        """Whether it counts as equal."""
        return self.difference.fits

    def fields(self) -> dict[str, Any]:
        """Return all of it, ready for JSON: an infinite error is the word ``"Infinity"``."""
        error = self.difference.error
        return {
            "node": self.node,
            "op": self.op,
            "value": self.name,
            "error": error if math.isfinite(error) else "Infinity",
            "tolerance": self.difference.tolerance,
            "fits": self.fits,
            "reason": self.difference.reason,
            "at": self.difference.at,
        }


@dataclass(frozen=True)
class Values:
    """What a check of the values inside a model found.

    Attributes:
        checked: the values that both have, in ONNX order.
        dropped: those that TensorFlow does not compute on their own: they were folded or fused into others.
        inputs: dtype and shape of what both were fed, by name.
    """

    checked: tuple[CheckedValue, ...]
    dropped: tuple[str, ...]
    inputs: Mapping[str, str]

    @property
    def fits(self) -> bool:
        """Whether every value counts as equal."""
        return all(value.fits for value in self.checked)

    @property
    def first_diverging(self) -> CheckedValue | None:
        """The first value that differs: what its node is given does not."""
        return next((value for value in self.checked if not value.fits), None)

    @property
    def first_not_finite(self) -> CheckedValue | None:
        """The first value in which TensorFlow has NaN or an infinity, ONNX Runtime having it too or not."""
        return next((value for value in self.checked if not value.is_finite), None)

    def worst(self, count: int = 5) -> list[CheckedValue]:
        """Return the values with the largest errors, the largest first."""
        return sorted((v for v in self.checked if v.difference.error), key=lambda v: -v.difference.error)[:count]


class Inside(Protocol):
    """What tells the values inside a model: a rep, or :class:`onnx_tf.check.through.ThroughFiles`."""

    @property
    def value_names(self) -> Sequence[str]:
        """The ONNX names of the values that it has."""

    def intermediate_values(self, inputs: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
        """Return values by ONNX name, in ONNX order, for inputs as the rep takes them."""


def check_values(
    model: ModelSource,
    rep: TensorflowRep,
    feed: Mapping[str, Any] | None = None,
    *,
    inside: Inside | None = None,
    tolerance: Tolerance | None = None,
    max_bytes: int = MAX_BYTES,
    progress: Callable[[str], object] = lambda _: None,
) -> Values:
    """Compare every value that a rep and ONNX Runtime both compute on their way, in graph order.

    ONNX Runtime runs the graph as it is written. Values are taken in groups that fit into ``max_bytes``; both run
    once for each group.

    Args:
        model: the ONNX model: a path, bytes, a ``ModelProto`` or an ``onnx_ir.Model``. It may be another than the
            rep was made of, as far as their values have the same names.
        rep: what ``prepare`` made.
        feed: inputs by ONNX name, as ``rep.run`` takes them; by default random ones, in shapes that ONNX Runtime
            accepts.
        inside: what computes the values; by default the rep.
        tolerance: what counts as equal; by default :class:`~onnx_tf.check.compare.OfScale`, in a quantised model, in
            which roundings add up, eight steps over all elements (:class:`~onnx_tf.check.compare.OfSteps`).
        max_bytes: of the values that exist at once.
        progress: is told which group is compared.

    Raises:
        OnnxTfError: ONNX Runtime is not installed, or cannot run the model on these inputs.
    """
    interface = Interface.of(rep)
    given, _, _ = expected_outputs(interface, model, feed)
    own = in_artifact_order(given, interface.channels_last_inputs)
    loaded = load_model(model)
    nodes = {str(value.name): node for node in loaded.graph for value in node.outputs if value.name and _is_used(value)}
    inside = rep if inside is None else inside
    known = set(inside.value_names)
    shared = [name for name in nodes if name in known]
    in_steps = tolerance is None and is_quantized(loaded)
    random = random_values(loaded)
    checked: list[CheckedValue] = []
    for group in _groups(shared, _bytes(loaded, given), max_bytes):
        progress(f"Compare values {len(checked) + 1} to {len(checked) + len(group)} of {len(shared)}")
        found = inside.intermediate_values(own, group)
        for name, expected in intermediate_values(model, given, group):
            node = nodes[name]
            limit = ANY if name in random else step_tolerance(expected) if in_steps else tolerance
            (difference,) = compare({name: expected}, {name: found[name]}, limit).outputs
            checked.append(CheckedValue(name, str(node.name), node.op_type, difference, _is_finite(found.pop(name))))
    inputs = {name: described(value) for name, value in own.items()}
    return Values(tuple(checked), tuple(name for name in nodes if name not in known), inputs)


def _is_used(value: ir.Value) -> bool:
    return value.is_graph_output() or bool(value.uses())


def _is_finite(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_finite, value))
    return not (isinstance(value, np.ndarray) and value.dtype.kind in "fc") or bool(np.isfinite(value).all())


def _groups(names: Sequence[str], sizes: Mapping[str, int], limit: int) -> Iterator[list[str]]:
    group: list[str] = []
    total = 0
    for name in names:
        if group and total + sizes[name] > limit:
            yield group
            group, total = [], 0
        group.append(name)
        total += sizes[name]
    if group:
        yield group


def _bytes(model: ir.Model, feed: Mapping[str, Any]) -> dict[str, int]:
    """Return the size of every value of the main graph for these inputs; of unknown shapes it is guessed."""
    model = model.clone()
    for value in model.graph.inputs:
        if isinstance(feed.get(str(value.name)), np.ndarray):
            value.shape = ir.Shape(feed[str(value.name)].shape)
    infer_shapes(model, implied=False)
    return {str(value.name): _size(value) for node in model.graph for value in node.outputs}


def _size(value: ir.Value) -> int:
    dims = None if value.shape is None else [dim for dim in value.shape if isinstance(dim, int)]
    if dims is None or value.dtype is None or len(dims) < len(value.shape or ()):
        return _GUESSED_BYTES
    return math.ceil(math.prod(dims) * value.dtype.bitwidth / 8)
