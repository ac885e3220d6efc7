"""The way of a model, from what the user has to a graph bound to handlers: one list of named steps."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import (
    LiftConstantsToInitializersPass,
    RemoveInitializersFromInputsPass,
    RemoveUnusedNodesPass,
)

from onnx_tf.budget import Budget
from onnx_tf.edits import edit
from onnx_tf.errors import ConversionError, OnnxTfError
from onnx_tf.layout import LayoutReport, optimize_layout
from onnx_tf.model.loading import ModelSource, load_model
from onnx_tf.options import Options
from onnx_tf.origins import Readers, origins, unique_names
from onnx_tf.passes.declared_shapes import DeclaredShapes
from onnx_tf.passes.decompose import decompose
from onnx_tf.passes.detach_outputs import detach_constant_outputs
from onnx_tf.passes.expand_functions import expand_schema_functions
from onnx_tf.passes.extract_gradients import extract_gradients
from onnx_tf.passes.fold_batch_normalization import fold_batch_normalization
from onnx_tf.passes.fold_constants import fold_constants
from onnx_tf.passes.fuse_group_normalization import fuse_group_normalization
from onnx_tf.passes.fuse_space_to_depth import fuse_space_to_depth
from onnx_tf.passes.infer_shapes import infer_shapes
from onnx_tf.passes.inline_functions import inline_model_functions
from onnx_tf.passes.lift_initializers import lift_initializers
from onnx_tf.passes.lower_batch_normalization import lower_batch_normalization
from onnx_tf.passes.make_vectors import make_vectors
from onnx_tf.passes.merge_duplicates import merge_duplicates, merge_initializers, merge_tied_initializers
from onnx_tf.passes.refuse_kinds import refuse_kinds
from onnx_tf.passes.refuse_sizes import refuse_sizes
from onnx_tf.passes.remove_identities import remove_identities
from onnx_tf.refusals import refuse_unsupported
from onnx_tf.registry import Registry, registry
from onnx_tf.supervision.journal import tell
from onnx_tf.targets import Pass

if TYPE_CHECKING:
    from onnx_tf.runtime.graph import BoundGraph

__all__ = ["Lowered", "Step", "lower", "steps"]

MAX_FOLDED_BYTES = 1 << 20
"""Constants of up to this size are kept to be looked at, also where only what they were folded into is computed."""

MIN_COLLECTED_BYTES = 16 << 20
"""A collection takes longer than the conversion of a small model: it is worth it for weights of this size."""


@dataclass
class Lowered:
    """A model on its way; what a step has not made yet is not there.

    Attributes:
        source: what the user has.
        options: the options of the conversion.
        handlers: the table of handlers that serve it.
        overridden: initializers that are graph inputs too and lose their values.
        budget: what the conversion may make besides what the file holds.
        model: the model in the form that the steps so far gave it.
        outputs: the names of its outputs; what a target adds stands at their end.
        overridable: the initializers that are graph inputs too.
        readers: the values of the model as it was loaded.
        declared: the shapes that the file states for them.
        folded: small ONNX values that are constants, and of which only others were left.
        layout_report: what the layout pass did.
        graph: the bound graph.
        timings: how long each step took, by its name, in seconds.
    """

    source: ModelSource
    options: Options
    handlers: Registry
    overridden: frozenset[str] = frozenset()
    budget: Budget = field(init=False)
    model: ir.Model = field(init=False)
    outputs: tuple[str, ...] = ()
    overridable: frozenset[str] = frozenset()
    readers: Readers = field(default_factory=lambda: Readers({}))
    declared: DeclaredShapes = field(init=False)
    folded: dict[str, np.ndarray] = field(default_factory=dict)
    layout_report: LayoutReport = field(default_factory=LayoutReport)
    graph: BoundGraph = field(init=False)
    timings: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.budget = self.options.budget()


@dataclass(frozen=True)
class Step:
    """A step of the way: its name, and what it does to a model."""

    name: str
    run: Callable[[Lowered], object]


def lower(
    source: ModelSource,
    options: Options | None = None,
    *,
    handlers: Registry | None = None,
    overridden: frozenset[str] = frozenset(),
    until: str = "bind",
) -> Lowered:
    """Take a model through the steps.

    Args:
        source: see :func:`onnx_tf.prepare`; it is left unchanged.
        options: the options of the conversion.
        handlers: the table of handlers; a snapshot of the registry by default.
        overridden: initializers that are graph inputs too and are to be inputs alone.
        until: the name of the last step to take.

    Raises:
        OnnxTfError: a step failed; its ``step`` says which.
        ValueError: no step is called ``until``.
    """
    options = options or Options()
    handlers = registry.snapshot(options.adapted_target.forms) if handlers is None else handlers
    lowered = Lowered(source, options, handlers, overridden)
    taken = list(steps(options))
    names = [step.name for step in taken]
    for step in taken[: names.index(until) + 1]:
        start = time.perf_counter()
        tell("step", step.name)
        try:
            step.run(lowered)
        except OnnxTfError as error:
            error.step = error.step or step.name
            raise
        except RecursionError as error:
            reason = "the model's functions or graphs are nested too deep: export it with flatter ones"
            raise ConversionError(reason, step=step.name) from error
        except Warning:
            raise  # of users who want warnings to be errors
        except Exception as error:
            raise ConversionError(f"{type(error).__name__}: {error}", step=step.name) from error
        lowered.timings[step.name] = time.perf_counter() - start
    return lowered


def steps(options: Options) -> Iterator[Step]:
    """Return the steps that options ask for, in order: what is one place here is nowhere else."""
    yield Step("load", _load)
    yield Step("edit", _edit)
    yield Step("separate defaults from inputs", lambda lowered: RemoveInitializersFromInputsPass()(lowered.model))
    yield from _ir_steps(options)
    yield Step("bind", _bind)


def _ir_steps(options: Options) -> Iterator[Step]:
    yield _pass("detach constant outputs", lambda lowered: detach_constant_outputs(lowered.model))
    yield _pass("extract gradients", lambda lowered: extract_gradients(lowered.model))
    yield _pass("inline functions", _inline_functions)
    yield _pass("lift constants", lambda lowered: _lift_constants(lowered.model))
    yield _pass("infer shapes", lambda lowered: infer_shapes(lowered.model))
    yield Step("refuse kinds", lambda lowered: refuse_kinds(lowered.model))
    yield _pass("expand functions", _expand_functions)
    yield _pass("make vectors", _make_vectors)
    yield _pass("fold constants", _fold_constants)
    yield Step("refuse sizes", lambda lowered: refuse_sizes(lowered.model))
    yield _pass("remove identities", lambda lowered: remove_identities(lowered.model))
    yield _pass("lift initializers", lambda lowered: lift_initializers(lowered.model))
    if options.target.is_trained:
        yield _pass("merge initializers", lambda lowered: merge_tied_initializers(lowered.model))
    elif not options.training:  # training makes equal weights differ
        yield _pass("merge initializers", lambda lowered: merge_initializers(lowered.model))
    yield _pass("merge duplicates", lambda lowered: merge_duplicates(lowered.model, lowered.handlers.supports))
    yield _pass("remove unused nodes", lambda lowered: RemoveUnusedNodesPass()(lowered.model))
    # In the terms of the model: what follows renames and moves nodes.
    yield Step("refuse unsupported", lambda lowered: refuse_unsupported(lowered.model.graph, lowered.handlers))
    if not options.training:
        yield _pass("fuse group normalization", lambda lowered: fuse_group_normalization(lowered.model))
        yield _pass("fuse space to depth", lambda lowered: fuse_space_to_depth(lowered.model))
        yield _pass("fold batch normalization", lambda lowered: fold_batch_normalization(lowered.model))
        if not options.target.is_trained:
            yield _pass("lower batch normalization", lambda lowered: lower_batch_normalization(lowered.model))
    if options.rewriting.simpler:
        yield _pass("decompose", _decompose)
    target = options.adapted_target
    yield from map(_of_target, target.recognitions)
    yield _pass("layout", _choose_layout)
    yield from map(_of_target, target.passes)


def _of_target(run: Pass) -> Step:
    return _pass(run.__name__.replace("_", " "), lambda lowered: run(lowered.model))


def _pass(name: str, run: Callable[[Lowered], object]) -> Step:
    """Return a step from IR to IR; what it adds gets names of its own."""

    def run_and_name(lowered: Lowered) -> None:
        run(lowered)
        unique_names(lowered.model)

    return Step(name, run_and_name)


def _load(lowered: Lowered) -> None:
    lowered.model = load_model(lowered.source, lowered.budget)


def _edit(lowered: Lowered) -> None:
    model = lowered.model = edit(lowered.model, lowered.options)
    lowered.outputs = tuple(str(value.name) for value in model.graph.outputs)
    defaults = frozenset(str(value.name) for value in model.graph.inputs if value.is_initializer())
    lowered.overridable = defaults - lowered.overridden
    for name in lowered.overridden:
        value = model.graph.initializers.pop(name)
        value.const_value = None
    lowered.readers = Readers.of(model)
    lowered.declared = DeclaredShapes(model)


def _lift_constants(model: ir.Model) -> None:
    LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)


def _inline_functions(lowered: Lowered) -> None:
    inline_model_functions(lowered.model, lowered.handlers.supports, lowered.budget)


def _expand_functions(lowered: Lowered) -> None:
    if expand_schema_functions(lowered.model, lowered.handlers.supports, lowered.budget):
        _lift_constants(lowered.model)
        unique_names(lowered.model)
        infer_shapes(lowered.model)


def _make_vectors(lowered: Lowered) -> None:
    if make_vectors(lowered.model):
        unique_names(lowered.model)
        infer_shapes(lowered.model)


def _fold_constants(lowered: Lowered) -> None:
    """Fold until nothing is left to be folded; shapes are all that can be known of them then."""
    while fold_constants(lowered.model, lowered.budget):
        while True:
            unique_names(lowered.model)
            infer_shapes(lowered.model, implied=False)
            if not fold_constants(lowered.model, lowered.budget):
                break
        infer_shapes(lowered.model)
    lowered.folded |= _folded_away(lowered.model.graph)
    lowered.declared.warn()


def _decompose(lowered: Lowered) -> None:
    if decompose(lowered.model, lowered.options.rewriting.simpler, lowered.budget):
        _lift_constants(lowered.model)
        unique_names(lowered.model)
        infer_shapes(lowered.model)
        _fold_constants(lowered)
        remove_identities(lowered.model)
        lift_initializers(lowered.model)


def _folded_away(graph: ir.Graph) -> Iterator[tuple[str, np.ndarray]]:
    for value in graph.initializers.values():
        tensor = value.const_value
        if value.uses() or value.is_graph_output() or tensor is None or tensor.nbytes > MAX_FOLDED_BYTES:
            continue
        for origin in origins(value):
            yield origin.name, origin.restored(tensor.numpy())


def _choose_layout(lowered: Lowered) -> None:
    options, handlers = lowered.options, lowered.handlers
    lowered.folded |= _folded_away(lowered.model.graph)
    lowered.layout_report = optimize_layout(
        lowered.model,
        channels_last_inputs=options.channels_last_inputs,
        channels_last_outputs=options.channels_last_outputs,
        exists_channels_last=handlers.supports_channels_last if options.layout == "auto" else None,
    )


def _bind(lowered: Lowered) -> None:
    from onnx_tf.binding import bind  # the first step that needs TensorFlow

    added = lowered.model.graph.outputs[len(lowered.outputs) :]
    lowered.outputs += tuple(str(value.name) for value in added)
    lowered.graph = bind(lowered.model, lowered.handlers, lowered.options, lowered.outputs, lowered.budget)
    del lowered.model, lowered.declared
    if sum(constant.tensor.nbytes for constant in lowered.graph.constants.values()) > MIN_COLLECTED_BYTES:
        # Nodes and values refer to each other: without a collection the file's tensors stay through the trace.
        gc.collect()
