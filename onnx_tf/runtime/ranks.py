"""Run nodes whose operands have a rank that only data decide.

An If whose branches differ in rank, a Squeeze of whatever has size 1, a Reshape by an input: what
follows is traced as it stands, and where a handler cannot do that, once for every rank that the
value can have. A rank for which it cannot be traced is one that the model cannot take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import onnx_ir as ir
import tensorflow as tf
from tensorflow.python.framework.func_graph import FuncGraph

from onnx_tf.errors import ConversionError, either
from onnx_tf.handlers._control import conditional
from onnx_tf.values import possible_shapes

__all__ = ["Environment", "Slot", "UnknownRankError", "in_this_graph", "run"]

Slot = int
"""The number of a value in the whole model, its bodies included."""

Environment = dict[Slot, Any]
"""The values computed so far: tensors, or what stands for a sequence or optional."""

MAX_RANK = 8
"""The highest rank that is tried where nothing tells which ranks there can be."""

MAX_TRACED_NODES = 2000
"""How many nodes are traced at most for the ranks of one value; beyond, node by node."""

MAX_REPEATED_ELEMENTS = 1024
"""Constants of up to this size are repeated in the subgraphs that use them: TensorFlow's shape
inference does not look into what a subgraph captures."""


class Step(Protocol):
    """A node that computes its outputs into an environment."""

    @property
    def inputs(self) -> tuple[Slot | None, ...]:
        """Its inputs, ``None`` for one that is absent."""

    @property
    def reads(self) -> tuple[Slot, ...]:
        """Its inputs and what its subgraphs capture."""

    @property
    def outputs(self) -> tuple[Slot, ...]:
        """Its outputs."""

    @property
    def labels(self) -> Mapping[Slot, str]:
        """The names of its inputs and outputs."""

    @property
    def shapes(self) -> tuple[tuple[int | None, ...] | None, ...]:
        """The shape of each output as far as the model tells it."""

    @property
    def size(self) -> int:
        """The number of nodes, those of subgraphs included."""

    def __call__(self, environment: Environment) -> None:
        """Compute the outputs."""


class UnknownRankError(ConversionError):
    """A node needs the rank of a value, which only data decide.

    Attributes:
        value: the name of the value.
        depends_on: the values that decide it, as far as the graph tells.
    """

    code = "unknown-rank"
    next_step = "state the shapes of the inputs that the message names"

    def __init__(self, reason: str, value: str = "", depends_on: Iterable[Slot] = (), **fields: Any) -> None:
        super().__init__(reason, **fields)
        self.value = value
        self.depends_on = frozenset(depends_on)

    def _with(self, reason: str, depends_on: Iterable[Slot]) -> UnknownRankError:
        return UnknownRankError(reason, self.value, depends_on, **self.fields())

    def traced_back(self, nodes: Sequence[Step]) -> UnknownRankError:
        """Return the error with what decides the rank followed up through nodes."""
        producers = {slot: node for node in nodes for slot in node.outputs}
        found: set[Slot] = set()
        waiting = list(self.depends_on)
        while waiting:
            slot = waiting.pop()
            if slot not in found:
                found.add(slot)
                waiting += producers[slot].reads if slot in producers else ()
        return self._with(self.marked, found)

    def advising(self, inputs: Mapping[Slot, ir.Value]) -> UnknownRankError:
        """Return the error with the inputs of the model whose shapes would settle the rank, if any would."""
        flags = [_flag(value) for slot, value in inputs.items() if slot in self.depends_on and _is_shape_open(value)]
        advice = f"state the shape that decides it: {' '.join(flags)}" if flags else "no shape of an input settles it"
        return self._with(f"{self.marked}; {advice}", self.depends_on)


def _is_shape_open(value: ir.Value) -> bool:
    return value.shape is None or not value.shape.is_static()


def _flag(value: ir.Value) -> str:
    if value.shape is None:
        return f"{either(f'input_shapes={{{value.name!r}: ...}}', f'--input-shape {value.name}:...')} (its dimensions)"
    dims = [str(d) if isinstance(d, int) else str(d.value or f"dim{i}") for i, d in enumerate(value.shape)]
    names = dict.fromkeys(dim for dim, given in zip(dims, value.shape, strict=True) if not isinstance(given, int))
    shape = ", ".join(dims)
    stated = either(
        f"input_shapes={{{value.name!r}: [{shape}]}}", f"--input-shape {value.name}:{shape.replace(' ', '')}"
    )
    return f"{stated} (numbers for {', '.join(names)})"


def in_this_graph(value: Any) -> Any:
    """Return a value of an outer graph; a small constant of one stays visible while tracing."""
    if isinstance(value, list):
        return [in_this_graph(item) for item in value]
    if not isinstance(value, tf.Tensor) or value.graph is tf.compat.v1.get_default_graph():
        return value
    known = tf.get_static_value(value) if value.shape.num_elements() in range(MAX_REPEATED_ELEMENTS) else None
    return value if known is None else tf.constant(known, value.dtype)


def run(
    nodes: Sequence[Step], environment: Environment, wanted: Sequence[Slot], budget: int = MAX_TRACED_NODES
) -> None:
    """Compute nodes, which are in topological order, into an environment.

    Args:
        nodes: the nodes.
        environment: holds all that they read and do not compute themselves.
        wanted: the results, of what the nodes compute.
        budget: how many nodes may be traced at most for the ranks of one value.

    Raises:
        ConversionError: a node cannot be traced; the message names it.
        UnknownRankError: it cannot be traced because only data decide the rank of a value.
    """
    try:
        _run(nodes, environment, wanted, budget)
    except UnknownRankError as error:
        raise error.traced_back(nodes) from error


def _run(nodes: Sequence[Step], environment: Environment, wanted: Sequence[Slot], budget: int) -> None:
    done: list[Step] = []
    pending = list(nodes)
    roots: dict[Slot, Slot] = {}
    while pending:
        node = pending[0]
        # What is open for a subgraph alone is seen to when that is traced.
        root = _root(node.inputs, roots, environment)
        failure = None if root is None else _failure(node, environment)
        if root is None or failure is None:
            node(environment)
            _state_ranks(node, environment)
            above = _root(node.reads, roots, environment)
            roots |= {slot: above for slot in node.outputs if above is not None and _is_open(environment.get(slot))}
            done.append(pending.pop(0))
            continue
        switch = _switch(root, failure, done, pending, environment, budget)
        later = {slot for n in (*switch.nodes, *pending) for slot in n.reads}
        run(switch.before, environment, [*wanted, *later], budget)
        pending = [n for n in pending if n not in switch.nodes and n not in switch.before]
        done = [n for n in (*done, *switch.before) if n not in switch.nodes]
        read = {slot for n in pending for slot in n.reads} | set(wanted)
        outputs = [slot for n in switch.nodes for slot in n.outputs]
        roots = {slot: above for slot, above in roots.items() if slot not in outputs}
        replace(switch, results=tuple(slot for slot in outputs if slot in read))(environment)


def _state_ranks(node: Step, environment: Environment) -> None:
    """Give the results of a node the ranks that the model tells: all others are errors further down."""
    for slot, shape in zip(node.outputs, node.shapes, strict=True):
        value = environment.get(slot)
        if shape is not None and isinstance(value, tf.Tensor) and value.shape.rank is None:
            of_rank = [s for s in possible_shapes(value) or () if s.rank == len(shape)]
            environment[slot] = _of_shape(value, of_rank[0] if of_rank else tf.TensorShape([None] * len(shape)))


def _is_open(value: Any) -> bool:
    """Whether what follows may lack the rank of a value, or the length of a shape."""
    if not isinstance(value, tf.Tensor):
        return False
    if value.shape.rank is None:
        return True
    return value.shape.rank == 1 and value.shape[0] is None and value.dtype in (tf.int32, tf.int64)


def _failure(node: Step, environment: Environment) -> ConversionError | None:
    """Return why a node cannot be traced, if it cannot, and leave nothing of it in the graph."""
    with FuncGraph("trial").as_default():
        try:
            node({slot: in_this_graph(environment[slot]) for slot in node.reads})
        except ConversionError as error:
            return error
    return None


def _root(slots: Iterable[Slot | None], roots: Mapping[Slot, Slot], environment: Environment) -> Slot | None:
    """Return the value of unknown rank from which values descend, through values that are open as well.

    Args:
        slots: the values.
        roots: the roots of values that were computed from one.
        environment: holds the values.
    """
    for slot in slots:
        if slot is not None and _is_open(environment[slot]):
            if slot in roots:
                return roots[slot]
            if environment[slot].shape.rank is None:
                return slot
    return None


def _switch(
    root: Slot,
    failure: ConversionError,
    done: Sequence[Step],
    pending: Sequence[Step],
    environment: Environment,
    budget: int,
) -> _Switch:
    """Return what is traced for every rank of a value, so that the first of the pending nodes can be traced."""
    known = possible_shapes(environment[root])
    shapes = known or [tf.TensorShape([None] * rank) for rank in range(MAX_RANK + 1)]
    order = [*done, *pending]
    nodes = _dependents(root, order, environment)
    is_small = sum(node.size for node in nodes) * len(shapes) <= budget
    if not is_small:
        order = order[: len(done) + 1]
        path = _ancestors([pending[0]], order)
        nodes = [node for node in _dependents(root, order, environment) if node in path or node is pending[0]]
    needed = _ancestors(nodes, order).difference(done)
    before = [node for node in order if node in needed]
    choose = is_small or known is not None
    name = next((step.labels[root] for step in (*done, *pending) if root in step.labels), "")
    return _Switch(root, name, shapes, failure, nodes, before, budget // len(shapes) if is_small else budget, choose)


def _dependents(root: Slot, order: Sequence[Step], environment: Environment) -> list[Step]:
    """Return the nodes that need the rank of a value to know that of their own results, and what lies between them."""
    open_, all_ = {root}, {root}
    nodes: dict[Step, None] = {}
    dependent: set[Step] = set()
    for node in order:
        if not all_.isdisjoint(node.reads):
            dependent.add(node)
            all_.update(node.outputs)
        if not open_.isdisjoint(node.reads):
            nodes[node] = None
            for slot, shape in zip(node.outputs, node.shapes, strict=True):
                if shape in (None, (None,)) or _is_open(environment.get(slot)):
                    open_.add(slot)
    between = _ancestors(nodes, order) & dependent
    return [node for node in order if node in nodes or node in between]


def _ancestors(nodes: Iterable[Step], order: Sequence[Step]) -> set[Step]:
    """Return what nodes need, themselves left out."""
    given = set(nodes)
    read = {slot for node in given for slot in node.reads}
    found = set()
    for node in reversed(order):
        if node not in given and not read.isdisjoint(node.outputs):
            found.add(node)
            read.update(node.reads)
    return found


@dataclass(frozen=True, eq=False)
class _Switch:
    """Nodes that are traced for every rank of a value.

    Attributes:
        value: the value.
        name: its name.
        shapes: the shapes that it may have, one for each rank.
        failure: why the first of the nodes cannot be traced without.
        nodes: the nodes.
        before: what else must be computed before.
        budget: how many nodes may be traced for the ranks of one value within each rank.
        chooses: whether there may be more than one rank for which the nodes can be traced.
        results: the outputs of the nodes that are used elsewhere.
    """

    value: Slot
    name: str
    shapes: Sequence[tf.TensorShape]
    failure: ConversionError
    nodes: Sequence[Step]
    before: Sequence[Step]
    budget: int
    chooses: bool
    results: tuple[Slot, ...] = ()

    def __call__(self, environment: Environment) -> None:
        """Compute the results into the environment.

        Raises:
            UnknownRankError: the nodes cannot be traced for any rank, or for too many.
        """
        failures: dict[int, ConversionError] = {}
        while len(failures) < len(self.shapes):
            shapes = [shape for shape in self.shapes if shape.rank not in failures]
            try:
                values = self._chosen(shapes, environment)
            except _UntraceableError as found:
                failures[found.rank] = found.error
                continue
            if len(shapes) > 1 and not self.chooses:
                raise self._refusal(self.failure)
            environment.update(zip(self.results, values, strict=True))
            return
        raise self._refusal(next(iter(failures.values())) if possible_shapes(environment[self.value]) else self.failure)

    def _refusal(self, error: ConversionError) -> UnknownRankError:
        depends_on = error.depends_on if isinstance(error, UnknownRankError) else ()
        reason = f"{error.marked}; the rank of {self.name!r} is known from the data only"
        return UnknownRankError(reason, self.name, {self.value, *depends_on}, **error.fields())

    def _chosen(self, shapes: Sequence[tf.TensorShape], environment: Environment) -> list[Any]:
        if len(shapes) == 1:
            return self._traced(shapes[0], environment)
        branches: list[Callable[[], list[Any]]] = [
            lambda: self._traced(shapes[0], environment),
            lambda: self._chosen(shapes[1:], environment),
        ]
        return conditional(tf.equal(tf.rank(environment[self.value]), shapes[0].rank), branches)

    def _traced(self, shape: tf.TensorShape, environment: Environment) -> list[Any]:
        read = {slot for node in self.nodes for slot in node.reads if slot in environment}
        values = {slot: in_this_graph(environment[slot]) for slot in read}
        values[self.value] = _of_shape(environment[self.value], shape)
        try:
            run(self.nodes, values, self.results, self.budget)
        except ConversionError as error:
            raise _UntraceableError(int(shape.rank), error) from error
        return [values[slot] for slot in self.results]


class _UntraceableError(Exception):
    """Nodes cannot be traced for a rank."""

    def __init__(self, rank: int, error: ConversionError) -> None:
        super().__init__(rank, error)
        self.rank = rank
        self.error = error


def _of_shape(tensor: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
    """Return a tensor with the rank and the dimensions that it has at run time; of another rank it is an error."""
    dims = tf.reshape(tf.shape(tensor), [shape.rank])
    stated = [dims[i] if dim is None else dim for i, dim in enumerate(shape)]
    return tf.reshape(tensor, tf.stack(stated) if stated else dims)
