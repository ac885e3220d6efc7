"""``TensorflowRep``: a converted model to run, inspect and export."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
from onnx.backend.base import BackendRep

from onnx_tf.backend_tf_module import BackendTFModule
from onnx_tf.feeding import bind_inputs, to_numpy
from onnx_tf.layout import LayoutReport
from onnx_tf.outputs import Outputs
from onnx_tf.plan import BoundGraph
from onnx_tf.run_errors import run_error

__all__ = ["TensorflowRep"]


class TensorflowRep(BackendRep):
    """A model in TensorFlow: ``run`` it, export it, or take its ``tf_module``.

    Attributes:
        tf_module: the ``tf.Module`` with the weights; call or train it like any other.
        overridable: names of initializers that are graph inputs too: ``run`` takes other values
            for them, by name.
        layout_report: which memory order each value has, and which Transposes are left and why.
    """

    def __init__(
        self,
        graph: BoundGraph,
        overridable: frozenset[str] = frozenset(),
        override: Callable[[frozenset[str]], BoundGraph] | None = None,
        layout_report: LayoutReport | None = None,
    ) -> None:
        """Trace a bound graph.

        Args:
            graph: the graph.
            overridable: names of initializers that the model lists as inputs too.
            override: binds the model with some of those as inputs.
            layout_report: what the layout pass did.
        """
        self.tf_module = BackendTFModule(graph)
        self.overridable = overridable
        self._override = override
        self.layout_report = layout_report or LayoutReport()
        if self.tf_module.is_static:
            self._function  # noqa: B018  (tracing now reports every error in prepare)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The ONNX names of the inputs that ``run`` needs, in graph order."""
        return self.tf_module.input_names

    @property
    def outputs(self) -> tuple[str, ...]:
        """The ONNX names of the outputs, in graph order."""
        return self.tf_module.output_names

    @property
    def signatures(self) -> dict[str, Any]:
        """The concrete functions that ``export_graph`` writes, by signature name."""
        return {"serving_default": self._function}

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
            RunError: TensorFlow failed on the way; the error names the ONNX node that it came to.
        """
        graph = self.tf_module.graph
        given = inputs if isinstance(inputs, Mapping) else {}
        overrides = self.overridable & (given.keys() | kwargs.keys())
        if overrides:
            return self._overridden(overrides).run(inputs, **kwargs)
        tensors = bind_inputs(graph.inputs, inputs, kwargs)
        try:
            results = self.tf_module.compute(*tensors)
            return Outputs([(str(v.name), to_numpy(results[str(v.name)], v.dtype)) for v in graph.outputs])
        except tf.errors.OpError as error:
            raise run_error(error, graph) from error

    def export_graph(self, path: str | os.PathLike[str], *, freeze: bool = False, overwrite: bool = True) -> None:
        """Write the model as a SavedModel with the signature ``serving_default``.

        The signature takes and returns tensors by their ONNX names. The loaded object has ``serve``
        besides, as Keras's exports do, which takes one dict of them, or the only one. Loading needs
        TensorFlow alone. The folder appears whole or not at all.

        Args:
            path: the SavedModel's folder.
            freeze: bake the weights into the graph as constants (at most 2 GB) instead of
                ``variables/``.
            overwrite: replace a SavedModel that is there already.

        Raises:
            ExportError: the path holds something else than a SavedModel, or ``overwrite`` is
                false and it exists, or the graph would pass 2 GB.
            WriteError: the operating system refuses to write there.
        """
        from onnx_tf.export.saved_model import export_saved_model

        export_saved_model(self, path, freeze=freeze, overwrite=overwrite)

    @functools.cached_property
    def _function(self) -> Any:
        return self.tf_module.concrete()

    @functools.lru_cache(maxsize=4)  # noqa: B019  (a rep lives as long as its variants)
    def _overridden(self, names: frozenset[str]) -> TensorflowRep:
        assert self._override is not None
        return TensorflowRep(self._override(names))
