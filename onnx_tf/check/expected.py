"""What a model's outputs are to be, on several inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from onnx_tf.check.inputs import accepted_inputs, drawn_inputs, more_accepted_inputs
from onnx_tf.check.interface import Interface, in_onnx_order
from onnx_tf.check.known_differences import explanations
from onnx_tf.check.reference import Reference, open_reference, reference_name
from onnx_tf.check.strictness import Strictness
from onnx_tf.check.upstream import random_outputs, selecting_outputs
from onnx_tf.errors import OnnxTfError
from onnx_tf.model.loading import ModelSource, load_model
from onnx_tf.model.quantized import rounds_values
from onnx_tf.runtime.feeding import to_numpy

__all__ = ["Expected", "expected_of", "expected_outputs"]


DEFAULT = Strictness()


@dataclass(frozen=True)
class Expected:
    """What the reference makes of an ONNX model and some inputs; all is in ONNX order.

    Attributes:
        model: the ONNX model.
        feeds: the inputs of each run, by ONNX name.
        outputs: the outputs of each run, likewise.
        reference: what computed them, with its version.
        random: the outputs that depend on random numbers.
        selecting: the outputs that depend on a choice among values.
        quantized: whether the model rounds what it computes to steps: roundings add up.
        optimized: whether ONNX Runtime might rewrite the graph.
        strictness: what counts as equal.
    """

    model: ModelSource
    feeds: Sequence[Mapping[str, Any]]
    outputs: Sequence[Mapping[str, Any]]
    reference: str
    random: frozenset[str]
    selecting: frozenset[str]
    quantized: bool
    optimized: bool
    strictness: Strictness = DEFAULT


def expected_of(
    interface: Interface,
    model: ModelSource,
    feed: Mapping[str, Any] | None = None,
    *,
    optimized: bool | None = None,
    strictness: Strictness = DEFAULT,
) -> Expected:
    """Return inputs that a reference runs on and its outputs.

    Args:
        interface: what the artefact takes and gives.
        model: the ONNX model: a path, bytes, a ``ModelProto`` or an ``onnx_ir.Model``.
        feed: inputs by ONNX name, as the artefact takes them, to which a second batch of twice the size is added
            where that is open. By default some are drawn: values that are likely, others in other sizes where
            dimensions are open, values at the ends of what is likely; or those of them that the reference takes.
        optimized: whether ONNX Runtime may rewrite the graph; by default unless the model is quantised, since its
            integer kernels are further off on some processors.
        strictness: how many inputs are drawn, and what counts as equal.

    Raises:
        OnnxTfError: the reference cannot run the model on these inputs.
    """
    loaded = load_model(model)
    quantized = rounds_values(loaded)
    optimized = not quantized if optimized is None else optimized
    given, outputs, reference = expected_outputs(interface, model, feed, optimized=optimized)
    if feed is None:
        drawn = drawn_inputs(interface.inputs, interface.channels_last_inputs)
        more = more_accepted_inputs(drawn, given, reference, strictness.samples - 1) if drawn else []
    else:
        more = _twice(given, interface, reference)
    feeds, results = zip((given, outputs), *more, strict=True)
    random, selecting = frozenset(random_outputs(loaded)), frozenset(selecting_outputs(loaded))
    return Expected(model, feeds, results, reference_name(), random, selecting, quantized, optimized, strictness)


def expected_outputs(
    interface: Interface, model: ModelSource, feed: Mapping[str, Any] | None, *, optimized: bool = True
) -> tuple[dict[str, Any], dict[str, Any], Reference]:
    """Return inputs, the reference's outputs for them, both in ONNX order, and the reference.

    Args:
        interface: what the artefact takes and gives.
        model: the ONNX model, see :func:`expected_of`.
        feed: inputs by ONNX name, as the artefact takes them; by default random ones, in shapes that the reference
            accepts.
        optimized: whether ONNX Runtime may rewrite the graph.

    Raises:
        OnnxTfError: the reference cannot run the model on these inputs.
    """
    moved = interface.channels_last_inputs
    try:
        reference = open_reference(model, optimized=optimized)
        if feed is None:
            given, expected = accepted_inputs(drawn_inputs(interface.inputs, moved), reference)
        else:
            bound = interface.bound(feed)
            dtypes = {str(value.name): value.dtype for value in interface.inputs}
            given = in_onnx_order({name: to_numpy(value, dtypes[name]) for name, value in bound.items()}, moved)
            expected = reference.run(given)
    except OnnxTfError as error:
        known = explanations(load_model(model))
        if not known:
            raise
        raise type(error)("\n".join([error.marked, *known])) from error
    return given, expected, reference


def _twice(
    given: Mapping[str, Any], interface: Interface, reference: Reference
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return a batch of twice the size and what the reference makes of it, if all inputs take one and it runs."""
    values = [value for value in interface.inputs if str(value.name) in given]
    is_open = [bool(value.shape) and not isinstance(value.shape[0], int) for value in values]  # type: ignore[index]
    if not any(is_open):
        return []
    feed = dict(given)
    for value, may_grow in zip(values, is_open, strict=True):
        array = given[str(value.name)]
        if may_grow and isinstance(array, np.ndarray):
            feed[str(value.name)] = np.concatenate([array, array])
    try:
        return [(feed, reference.run(feed))]
    except OnnxTfError:
        return []
