"""Write a model as a frozen GraphDef: one .pb file of operations and constants."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef

from onnx_tf.backend_tf_module import BackendTFModule
from onnx_tf.errors import ExportError
from onnx_tf.export.saved_model import check_frozen_size
from onnx_tf.runtime.scopes import scope_name
from onnx_tf.runtime.signature import flat_tensors, regrouped

__all__ = ["OperationNames", "write_frozen_graph"]


@dataclass(frozen=True)
class OperationNames:
    """What the placeholders and outputs of a frozen graph are called, by their names in a signature."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]

    @classmethod
    def of(cls, inputs: Iterable[str], outputs: Iterable[str]) -> OperationNames:
        """Return the names themselves where TensorFlow takes them.

        It takes ASCII letters, digits and ``_./-``, no ``/`` at either end, and each name once: other characters
        become ``_``, and of equal names all but the first end in ``_1``, ``_2``, ...
        """
        taken: set[str] = set()
        return cls(_unique(inputs, taken), _unique(outputs, taken))

    @property
    def changed(self) -> dict[str, str]:
        """Those that are not the model's."""
        both = itertools.chain(self.inputs.items(), self.outputs.items())
        return {name: operation for name, operation in both if name != operation}


def _unique(names: Iterable[str], taken: set[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in names:
        candidates = itertools.chain([scope_name(name)], map(f"{scope_name(name)}_{{}}".format, itertools.count(1)))
        found[name] = next(candidate for candidate in candidates if candidate not in taken)
        taken.add(found[name])
    return found


def write_frozen_graph(model: BackendTFModule, file: Path) -> OperationNames:
    """Write a GraphDef whose placeholders are the inputs, and return the names of these and of the outputs.

    Args:
        model: the module of a rep.
        file: where to write.

    Raises:
        ExportError: the graph with its weights is too large for one file, or an input has no named tensors.
    """
    check_frozen_size(model, "write a SavedModel, whose variables may be larger")
    function = _function(model)
    names = OperationNames.of(function.inputs, function.outputs)
    graph = function.traced.graph.as_graph_def()
    _rename(graph, function, names)
    file.write_bytes(graph.SerializeToString(deterministic=True))
    return names


@dataclass(frozen=True)
class _Function:
    """A traced function of the tensors that stand for a model's inputs, and the names of both sides."""

    traced: Any
    inputs: Sequence[str]
    outputs: Sequence[str]


def _function(model: BackendTFModule) -> _Function:
    compute = model.frozen()
    whole = model.input_specs()
    specs = flat_tensors(whole)
    outputs: list[str] = []

    def flat(*tensors: tf.Tensor) -> list[tf.Tensor]:
        values = compute(*regrouped(whole, dict(zip(specs, tensors, strict=True))).values())
        results = flat_tensors(values)
        outputs[:] = results
        return list(results.values())

    traced = tf.function(flat, autograph=False).get_concrete_function(*specs.values())
    if traced.captured_inputs:
        held = ", ".join(sorted({tensor.dtype.name for tensor in traced.captured_inputs}))
        raise ExportError(f"the model holds what is no constant ({held}): write a SavedModel")
    return _Function(traced, list(specs), outputs)


def _rename(graph: GraphDef, function: _Function, names: OperationNames) -> None:
    """Give placeholders and outputs their names; what has one of these makes room."""
    traced, wanted = function.traced, {*names.inputs.values(), *names.outputs.values()}
    renamed = {tensor.op.name: name for tensor, name in zip(traced.inputs, names.inputs.values(), strict=True)}
    added: list[tuple[str, tf.Tensor]] = []
    for tensor, name in zip(traced.outputs, names.outputs.values(), strict=True):
        if tensor.op.type == "Identity" and tensor.op.name not in renamed:
            renamed[tensor.op.name] = name
        else:
            added.append((name, tensor))
    taken = wanted | {node.name for node in graph.node}
    for name in [node.name for node in graph.node if node.name in wanted and node.name not in renamed]:
        renamed |= _unique([name], taken)
    for node in graph.node:
        node.name = renamed.get(node.name, node.name)
        node.input[:] = [_renamed(text, renamed) for text in node.input]
    for name, tensor in added:
        node = graph.node.add(name=name, op="Identity", input=[_renamed(tensor.name, renamed)])
        node.attr["T"].type = tensor.dtype.as_datatype_enum
    _guard(graph, set(names.outputs.values()), [renamed.get(op.name, op.name) for op in traced.graph.control_outputs])


def _guard(graph: GraphDef, outputs: Collection[str], checks: Iterable[str]) -> None:
    """Let outputs wait for what a function runs besides, as TensorFlow's own checks: a session runs what is fetched."""
    guards = [f"^{name}" for name in checks]
    for node in graph.node:
        if node.name in outputs:
            node.input.extend(guard for guard in guards if guard not in node.input)


def _renamed(text: str, renamed: Mapping[str, str]) -> str:
    """Return an input of a node, as in ``name``, ``name:1`` and ``^name``, of operations that have other names now."""
    mark = "^" if text.startswith("^") else ""
    name, colon, index = text[len(mark) :].partition(":")
    return f"{mark}{renamed.get(name, name)}{colon}{index}"
