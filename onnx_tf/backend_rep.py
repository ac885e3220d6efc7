"""``TensorflowRep``: a converted model to run, inspect and export."""

from __future__ import annotations

import difflib
import functools
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import tensorflow as tf
from onnx.backend.base import BackendRep

from onnx_tf.backend_tf_module import BackendTFModule
from onnx_tf.errors import InputError, OnnxTfError
from onnx_tf.export.intermediate import Intermediate
from onnx_tf.export.saved_model import export_saved_model
from onnx_tf.export.signatures import Freeze, Signatures
from onnx_tf.input_checks import disagreement
from onnx_tf.options import Options
from onnx_tf.origins import Origin
from onnx_tf.pipeline import Lowered, lower
from onnx_tf.removed import refuse_removed_attribute
from onnx_tf.runtime.calling import Call, caller
from onnx_tf.runtime.copies import check_process, portable
from onnx_tf.runtime.empty_batches import empty_dims, of_nothing, one_row
from onnx_tf.runtime.feeding import bind_inputs, to_numpy
from onnx_tf.runtime.graph import Held
from onnx_tf.runtime.memory import check_memory
from onnx_tf.runtime.outputs import Outputs
from onnx_tf.runtime.plain_inputs import PlainInputs
from onnx_tf.runtime.run_errors import failing_node, run_error
from onnx_tf.supervision.journal import tell
from onnx_tf.value_types import NamedTypes, ValueType, shape_text

__all__ = ["TensorflowRep"]


def _restored(value: Any, held: Held) -> Any:
    return held.origin.restored(value) if isinstance(value, np.ndarray) else value


def _prepared_again(source: Any, options: Options, values: Mapping[str, np.ndarray]) -> TensorflowRep:
    rep = TensorflowRep(lower(source, options), functools.partial(lower, source, options))
    for name, value in values.items():
        rep.tf_module.weights[name].assign(value)
    return rep


class _Signatures(dict[str, Any]):
    def __init__(self, functions: Mapping[str, Any], rep: TensorflowRep) -> None:
        super().__init__(functions)
        self._text = f"{rep.inputs} -> {rep.outputs}"

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name!r}: {self._text}' for name in self)}}}"


def _type_text(tensor: tf.Tensor, origin: Origin | None) -> str:
    dims = tensor.shape.as_list()
    return f"{tensor.dtype.name}{shape_text(dims if origin is None else origin.dims(dims))}"


def _named(values: Iterable[ir.Value], channels_last: Iterable[str]) -> NamedTypes:
    return NamedTypes([(str(value.name), ValueType.of(value)) for value in values], channels_last)


class TensorflowRep(BackendRep):
    """A model in TensorFlow: ``run`` it, export it, or take its ``tf_module``.

    Attributes:
        tf_module: the ``tf.Module`` with the weights; call or train it like any other.
        overridable: names of initializers that are graph inputs too: ``run`` takes other values
            for them, by name.
        layout_report: which memory order each value has, and which Transposes are left and why.
        timings: how long each step of the conversion took, by its name, in seconds.
    """

    def __init__(self, lowered: Lowered, lower_again: Callable[..., Lowered] | None = None) -> None:
        """Trace a bound graph.

        Args:
            lowered: a model that has been through all steps.
            lower_again: takes it through them with ``overridden`` initializers as inputs.
        """
        tell("step", "trace")
        self.tf_module = BackendTFModule(lowered.graph)
        self.overridable = lowered.overridable
        self.layout_report = lowered.layout_report
        self.timings = lowered.timings
        self._readers, self._folded = lowered.readers, lowered.folded
        self._lower_again = lower_again
        self._process = os.getpid()
        if self.tf_module.is_static:
            start = time.perf_counter()
            try:
                self._function  # noqa: B018  (tracing now reports every error in prepare)
            except OnnxTfError as error:
                error.step = "trace"
                raise
            self.timings["trace"] = time.perf_counter() - start

    @property
    def inputs(self) -> NamedTypes:
        """The ONNX names of the inputs that ``run`` needs, in graph order, with their dtypes, shapes and orders."""
        return _named(self.tf_module.graph.inputs, self.layout_report.channels_last_inputs)

    @property
    def outputs(self) -> NamedTypes:
        """The ONNX names of the outputs, in graph order, with their dtypes, shapes and orders."""
        return _named(self.tf_module.graph.outputs, self.layout_report.channels_last_outputs)

    def __repr__(self) -> str:
        count = len(self.layout_report.transposes)
        left = "1 Transpose" if count == 1 else f"{count or 'no'} Transposes"
        return f"<TensorflowRep {self.inputs} -> {self.outputs}, {len(self.tf_module.weights)} weights, {left} left>"

    @property
    def value_names(self) -> tuple[str, ...]:
        """The ONNX names of the values that :meth:`intermediate_values` gives, in ONNX order."""
        held, folded = self.tf_module.graph.held, self._folded
        return tuple(name for name in self._readers.by_name if name in held or name in folded)

    @property
    def signatures(self) -> dict[str, Any]:
        """The concrete functions that ``export_graph`` writes, by signature name; printed they show names and types."""
        return _Signatures({"serving_default": self._function}, self)

    def __getattr__(self, name: str) -> Any:
        refuse_removed_attribute("TensorflowRep", name)
        raise AttributeError(f"'TensorflowRep' object has no attribute {name!r}")

    @property
    def graph(self) -> tf.Graph:
        """The ``tf.Graph`` of the traced model."""
        return self._function.graph

    def run(self, inputs: Any = None, **kwargs: Any) -> Outputs:
        """Compute the outputs for given inputs.

        Args:
            inputs: an array (for a single input), a list or tuple by position, or a dict by ONNX
                name. Values may be numpy arrays, tensors, or Python scalars and nested lists
                (these take the input's dtype). A dict may also override initializers that are
                graph inputs.
            kwargs: inputs by name.

        Returns:
            The outputs as numpy arrays (lists of them for ONNX sequences), by index and by name.

        Raises:
            InputError: count, name, rank, static dimension or dtype do not fit the model.
            RunError: TensorFlow failed on the way; the error names the ONNX node that it came to. Or this process
                was forked after ``prepare``.
        """
        check_process(self._process)
        graph = self.tf_module.graph
        if self.overridable and (overrides := self._overrides(inputs, kwargs)):
            return self._overridden(overrides).run(inputs, **kwargs)
        plain = None if self._plain is None else self._plain.of(inputs, kwargs)
        tensors = bind_inputs(graph.inputs, inputs, kwargs) if plain is None else plain
        check_memory(graph)
        empty = frozenset() if plain is not None else empty_dims(graph, tensors)
        try:
            results = self._compute(one_row(graph, tensors, empty) if empty else tensors)
            arrays = [to_numpy(result, v.dtype) for result, v in zip(results, graph.outputs, strict=True)]
        except tf.errors.OpError as error:
            raise self._explained(error, bind_inputs(graph.inputs, inputs, kwargs)) from error
        if empty:
            arrays = [of_nothing(v, array, empty) for v, array in zip(graph.outputs, arrays, strict=True)]
        return Outputs.of(self.tf_module.output_names, arrays)

    def intermediate_values(
        self, inputs: Any = None, names: Iterable[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Compute values inside the model, all in one pass.

        Args:
            inputs: as for :meth:`run`.
            names: ONNX names (or one) of graph inputs and of what nodes of the main graph compute; by
                default all that still exist (some are folded into constants or fused with others).
            kwargs: inputs by name.

        Returns:
            The values as numpy arrays (or as :meth:`run` gives others) by ONNX name, in ONNX order, their
            axes in ONNX order too, whatever the memory order in which they are computed.

        Raises:
            InputError: the inputs do not fit, or a name is unknown or no value of its own any longer: the
                message says what it became a part of.
            RunError: see :meth:`run`.
        """
        check_process(self._process)
        if overrides := self._overrides(inputs, kwargs):
            return self._overridden(overrides).intermediate_values(inputs, names, **kwargs)
        held, folded = self.tf_module.graph.held, self._folded
        chosen = self._observable(names)
        probe = self._probe(tuple(n for n in chosen if n in held))
        tensors = bind_inputs(self.tf_module.graph.inputs, inputs, kwargs)
        try:
            results = probe(*tensors)
            found = {name: _restored(to_numpy(value, held[name].dtype), held[name]) for name, value in results.items()}
        except tf.errors.OpError as error:
            raise self._explained(error, tensors) from error
        return {name: found[name] if name in found else folded[name] for name in chosen}

    def export_graph(
        self,
        path: str | os.PathLike[str],
        *,
        freeze: Freeze = False,
        signatures: Sequence[str] = ("serving_default",),
        intermediate_names: Sequence[str] = (),
        overwrite: bool = True,
    ) -> None:
        """Write the model as a SavedModel with the signature ``serving_default``, and others that are asked for.

        The signatures take and return tensors by their ONNX names. The loaded object has ``serve``
        besides, as Keras's exports do, which takes one dict of them, or the only one. Loading needs
        TensorFlow alone. The folder appears whole or not at all.

        Args:
            path: the SavedModel's folder.
            freeze: bake the weights into the graph as constants (at most 2 GB) instead of
                ``variables/``; ``"both"`` freezes ``serving_default`` and keeps variables for ``train``.
            signatures: besides ``"serving_default"`` also ``"train"``, which computes as a call of ``tf_module``
                does and through which gradients reach the variables, of a rep that was prepared with
                ``training=True``; and ``"intermediate"``, which gives what :meth:`intermediate_values` does.
            intermediate_names: what ``"intermediate"`` gives, as there, and that it is written; by default all.
            overwrite: replace a SavedModel that is there already.

        Raises:
            ExportError: the path holds something else than a SavedModel, or ``overwrite`` is
                false and it exists, or the graph would pass 2 GB.
            OptionError: a signature is not known, or the rep was not prepared for it.
            InputError: a name is unknown or no value of its own any longer, see :meth:`intermediate_values`.
            WriteError: the operating system refuses to write there.
        """
        chosen = Signatures.of(signatures, freeze, intermediate_names)
        inside = self._inside(chosen.intermediate_names) if "intermediate" in chosen.names else None
        export_saved_model(self.tf_module, path, signatures=chosen, intermediate=inside, overwrite=overwrite)

    def _inside(self, names: Sequence[str]) -> Intermediate:
        chosen = self._observable(names or None)
        held, folded = self.tf_module.graph.held, self._folded
        return Intermediate(
            {name: held[name] for name in chosen if name in held},
            {name: folded[name] for name in chosen if name not in held},
        )

    def _observable(self, names: Iterable[str] | None) -> list[str]:
        """Return the names that are asked for, in ONNX order, or all."""
        wanted = None if names is None else dict.fromkeys([names] if isinstance(names, str) else names)
        self.check_observable(wanted or ())
        return [name for name in self.value_names if wanted is None or name in wanted]

    def __reduce__(self) -> tuple[Any, ...]:
        """Take the model, the options and the values of the variables along: what copies and pickles prepare again.

        A model that was given as a path is taken along too, unless it has external data: then its files must be
        where the pickle is loaded.
        """
        if not isinstance(self._lower_again, functools.partial):
            raise TypeError("only what prepare returns can be copied or pickled")
        source, options = self._lower_again.args
        values = {name: variable.numpy() for name, variable in self.tf_module.weights.items()}
        return _prepared_again, (portable(source), options, values)

    @functools.cached_property
    def _function(self) -> Any:
        return self.tf_module.concrete()

    @functools.cached_property
    def _plain(self) -> PlainInputs | None:
        inputs = self.tf_module.graph.inputs
        return PlainInputs(inputs) if PlainInputs.are_plain(inputs) else None

    @functools.cached_property
    def _call(self) -> Call | None:
        return None if self._plain is None else caller(self.tf_module)

    def _compute(self, tensors: Sequence[Any]) -> list[Any]:
        """Compute the outputs in order."""
        if self._call is not None:
            return self._call(tensors)
        results = self.tf_module.compute(*tensors)
        return [results[name] for name in self.tf_module.output_names]

    @functools.lru_cache(maxsize=4)  # noqa: B019  (a rep lives as long as its variants)
    def _overridden(self, names: frozenset[str]) -> TensorflowRep:
        assert self._lower_again is not None
        return TensorflowRep(self._lower_again(overridden=names))

    @functools.lru_cache(maxsize=4)  # noqa: B019
    def _probe(self, names: tuple[str, ...]) -> Callable[..., dict[str, Any]]:
        return self.tf_module.probe(names)

    def _overrides(self, inputs: Any, keywords: Mapping[str, Any]) -> frozenset[str]:
        given = inputs if isinstance(inputs, Mapping) else {}
        return self.overridable & (given.keys() | keywords.keys())

    def _explained(self, error: tf.errors.OpError, tensors: Sequence[Any]) -> OnnxTfError:
        """Return what to raise: the node and what it was given, or the inputs that do not agree."""
        graph = self.tf_module.graph
        given = {str(v.name): t for v, t in zip(graph.inputs, tensors, strict=True) if isinstance(t, tf.Tensor)}
        failed = run_error(error, graph)
        node = failing_node(error, graph)
        if node is not None:
            names = [node.labels[slot] for slot in node.inputs if slot is not None]
            failed.inputs = self._types_of(list(dict.fromkeys(names)), given, tensors) or None
        told = disagreement(graph.inputs, {name: list(tensor.shape) for name, tensor in given.items()})
        if not told:
            return failed
        fields = {name: getattr(failed, name) for name in ("node", "op", "domain", "version", "inputs")}
        return InputError(f"inputs that share a dimension differ in it: {told}; {failed.marked}", **fields)

    def _types_of(self, names: Sequence[str], given: Mapping[str, Any], tensors: Sequence[Any]) -> dict[str, str]:
        """Return dtypes and shapes of what a node that failed was given, as far as they can be computed."""
        held = self.tf_module.graph.held
        computed: Mapping[str, Any] = {}
        try:
            computed = self._probe(tuple(name for name in names if name in held and name not in given))(*tensors)
        except OnnxTfError as error:  # traced for these shapes, the node fails before it runs
            if error.inputs is not None and set(error.inputs) == set(names):
                return error.inputs
        except tf.errors.OpError:
            pass
        found = {name: given.get(name, computed.get(name)) for name in names}
        origins = {name: held[name].origin for name in computed}
        return {n: _type_text(value, origins.get(n)) for n, value in found.items() if tf.is_tensor(value)}

    def check_observable(self, names: Iterable[str]) -> None:
        """Refuse names that :meth:`intermediate_values` does not give.

        Raises:
            InputError: as there.
        """
        held, known = self.tf_module.graph.held, self._readers.by_name
        for name in names:
            if name not in known:
                near = ", ".join(map(repr, difflib.get_close_matches(str(name), known, 3))) or "none like it"
                raise InputError(f"the model computes no value {name!r}; it has {near}")
            if name in held or name in self._folded:
                continue
            heirs = ", ".join(map(repr, self._readers.heirs(name, held)[:3]))
            raise InputError(
                f"value {name!r} is not computed on its own: it was folded or fused into {heirs}; ask for that instead"
                if heirs
                else f"value {name!r} is not computed: no output needs it"
            )
