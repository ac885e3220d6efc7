"""The smallest part of a model that still fails: what to attach to a report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx
import onnx_ir as ir

from onnx_tf.backend import prepare
from onnx_tf.backend_rep import TensorflowRep
from onnx_tf.check.artifacts import Prepared
from onnx_tf.check.compare import compare, step_tolerance
from onnx_tf.check.expected import expected_outputs
from onnx_tf.check.interface import Interface, in_artifact_order
from onnx_tf.check.onnx_runtime import OnnxRuntime, intermediate_values
from onnx_tf.check.values import check_values
from onnx_tf.edits.cut import cut
from onnx_tf.edits.neutral import with_neutral_names, with_random_weights
from onnx_tf.errors import ModelError, OnnxTfError
from onnx_tf.model.loading import ModelSource, bodies, load_model, used_by
from onnx_tf.model.quantized import is_quantized

__all__ = ["Smallest", "bisect"]


@dataclass(frozen=True)
class Smallest:
    """A part of a model that fails as the whole does.

    Attributes:
        model: the part, as a model of its own, with its weights.
        nodes: the names of its nodes, as the whole has them.
        inputs: what it fails on, by ONNX name; empty where it cannot be converted.
        failure: what goes wrong.
    """

    model: onnx.ModelProto
    nodes: tuple[str, ...]
    inputs: Mapping[str, Any]
    failure: str


@dataclass(frozen=True)
class _Failure:
    """What goes wrong.

    Attributes:
        is_refusal: whether it is not converted; else it is wrong in its numbers, or fails in the run.
        text: what is told of it.
        name: the node at which the conversion ends, or the first value that differs.
    """

    is_refusal: bool
    text: str
    name: str


def bisect(
    model: ModelSource,
    feed: Mapping[str, Any] | None = None,
    *,
    neutral: bool = False,
    progress: Callable[[str], object] = lambda _: None,
    **options: Any,
) -> Smallest | None:
    """Shrink a model that cannot be converted, or whose numbers are not ONNX Runtime's, and keep it failing.

    Begins at the node where the conversion ends, or at the first value that differs, and takes as many of the nodes
    before it as it needs; what these read is given as ONNX Runtime computes it.

    Args:
        model: the ONNX model: a path, bytes, a ``ModelProto`` or an ``onnx_ir.Model``.
        feed: inputs by ONNX name; by default random ones, in shapes that ONNX Runtime accepts.
        neutral: give the part names that tell nothing, and, where it fails with them too, random weights.
        progress: is told what is tried.
        options: of the conversion, as :func:`onnx_tf.prepare` takes them.

    Returns:
        The part; ``None`` if nothing fails.

    Raises:
        OnnxTfError: ONNX Runtime is not installed, or cannot run the model on these inputs; or the model is not a
            valid one.
    """
    loaded = load_model(model)
    trial = _Trial(options, is_quantized(loaded))
    rep, failure = trial.prepared(model)
    given = dict(feed or {})
    if rep is not None:
        given, _, _ = expected_outputs(Interface.of(rep), model, feed)
        failure = trial.numbers(model, given, rep)
        own = in_artifact_order(given, rep.layout_report.channels_last_inputs)
        diverging = check_values(model, rep, own).first_diverging
        if diverging is not None:  # it may be lost on the way to the outputs
            failure = _Failure(False, str(failure.text if failure else diverging.difference), diverging.name)
    if failure is None:
        return None
    graph, ends = loaded.graph, [failure.name]
    if failure.is_refusal:
        ends = [str(v.name) for node in graph if node.name == failure.name for v in node.outputs if v.name]
    ends = ends or [str(value.name) for value in graph.outputs]
    search = _Search(loaded, model, failure, given, trial, progress)
    found = search.smallest(ends) or search.smallest([str(value.name) for value in graph.outputs])
    if found is None:  # not even all nodes as the loaded model has them: the file itself is the smallest
        proto = ir.to_proto(ir.external_data.load_to_model(loaded))
        found = Smallest(proto, tuple(str(node.name) for node in graph), given, failure.text)
    return _neutral(found, trial, failure) if neutral else found


def _neutral(part: Smallest, trial: _Trial, failure: _Failure) -> Smallest:
    model, names = with_neutral_names(part.model)
    inputs = {names[name]: value for name, value in part.inputs.items()}
    for candidate in (with_random_weights(model), model):
        found = trial.prepared(candidate)[1] if failure.is_refusal else trial.numbers(candidate, inputs)
        if found is not None:
            nodes = tuple(node.name for node in candidate.graph.node)
            return Smallest(candidate, nodes, inputs, found.text)
    return part


@dataclass(frozen=True)
class _Trial:
    """What is done to a part to see whether it fails."""

    options: Mapping[str, Any]
    in_steps: bool

    def prepared(self, model: ModelSource) -> tuple[TensorflowRep | None, _Failure | None]:
        """Return the converted model, or what keeps it from being converted."""
        try:
            return prepare(model, **self.options), None
        except ModelError:
            raise
        except OnnxTfError as error:
            return None, _Failure(True, str(error), error.node or "")

    def numbers(self, model: ModelSource, feed: Mapping[str, Any], rep: TensorflowRep | None = None) -> _Failure | None:
        """Return how the outputs differ from ONNX Runtime's, if they do; inputs are in ONNX order."""
        expected = OnnxRuntime(model, optimized=False).run(feed)
        try:
            found = Prepared(rep or prepare(model, **self.options)).run(feed)
        except OnnxTfError as error:
            return _Failure(False, str(error), next(iter(expected)))
        limits = {name: step_tolerance(value) for name, value in expected.items()} if self.in_steps else None
        differing = [output for output in compare(expected, found, limits).outputs if not output.fits]
        return _Failure(False, str(differing[0]), differing[0].name) if differing else None


@dataclass
class _Search:
    loaded: ir.Model
    source: ModelSource
    failure: _Failure
    feed: Mapping[str, Any]
    trial: _Trial
    progress: Callable[[str], object]

    def smallest(self, ends: Sequence[str]) -> Smallest | None:
        """Return the part with the fewest nodes before these values that still fails, ``None`` if not even all do."""
        nodes = list(_before(self.loaded.graph, ends))
        size, best = 1, None
        while best is None:
            best = self._failing(nodes[:size], ends)
            if best is None and size >= len(nodes):
                return None
            size = min(2 * size, len(nodes))
        low, high = len(best.nodes) // 2 + 1, len(best.nodes)
        while low < high:
            middle = (low + high) // 2
            found = self._failing(nodes[:middle], ends)
            best, low, high = (found, low, middle) if found else (best, middle + 1, high)
        return self._without_each(best, nodes, ends)

    def _without_each(self, best: Smallest, nodes: Sequence[ir.Node], ends: Sequence[str]) -> Smallest:
        """Leave out every single node that the failure does not need."""
        kept = [node for node in nodes if node.name in best.nodes]
        for node in reversed(kept[1:]):
            fewer = [other for other in kept if other is not node]
            found = self._failing(fewer, ends)
            if found is not None:
                best, kept = found, fewer
        return best

    def _failing(self, nodes: Sequence[ir.Node], ends: Sequence[str]) -> Smallest | None:
        self.progress(f"Try {len(nodes)} nodes")
        inputs = _read(nodes)
        try:
            part = cut(self.loaded, inputs, ends)
            proto = ir.to_proto(ir.external_data.load_to_model(part))
            if self.failure.is_refusal:
                found, feed = self.trial.prepared(proto)[1], {}
                is_same = found is not None and (not self.failure.name or found.name == self.failure.name)
            else:
                feed = dict(intermediate_values(self.source, self.feed, inputs)) if inputs else {}
                found = self.trial.numbers(proto, feed)
                is_same = found is not None
        except OnnxTfError:
            return None
        if found is None or not is_same:
            return None
        return Smallest(proto, tuple(str(node.name) for node in part.graph), feed, found.text)


def _before(graph: ir.Graph, ends: Sequence[str]) -> Iterator[ir.Node]:
    """Yield the nodes that compute the ends, and those before them, the nearest first."""
    level = {v.producer(): None for node in graph for v in node.outputs if v.name in ends}
    seen: set[ir.Node] = set()
    while level:
        yield from (node for node in level if node is not None and node not in seen)
        seen |= {node for node in level if node is not None}
        producers = (value.producer() for node in level if node is not None for value in used_by(node))
        level = {node: None for node in producers if node is not None and node not in seen and node.graph is graph}


def _read(nodes: Sequence[ir.Node]) -> list[str]:
    """Return the names of what the nodes read and none of them computes; weights stay what they are."""
    computed = {value for node in nodes for value in node.outputs}
    own = {inner for node in nodes for body in bodies(node) for n in body.all_nodes() for inner in n.outputs}
    read = dict.fromkeys(value for node in nodes for value in used_by(node))
    return [
        str(value.name)
        for value in read
        if value not in computed and value not in own and value.const_value is None and _is_outer(value, nodes)
    ]


def _is_outer(value: ir.Value, nodes: Sequence[ir.Node]) -> bool:
    """Whether a value is one of the main graph: inputs of bodies are not."""
    graph = nodes[0].graph
    producer = value.producer()
    return producer.graph is graph if producer is not None else value in set(graph.inputs)  # type: ignore[union-attr]
