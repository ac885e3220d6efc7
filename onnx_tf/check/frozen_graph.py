"""A frozen GraphDef, loaded and run in a session as ``tf.compat.v1`` users do."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError

from onnx_tf.backend_tf_module import input_spec
from onnx_tf.check.interface import Interface
from onnx_tf.errors import CheckError
from onnx_tf.export.frozen_graph import OperationNames
from onnx_tf.runtime.run_errors import run_error
from onnx_tf.runtime.signature import flat_names

__all__ = ["FrozenGraph"]


class FrozenGraph:
    """A .pb file that :func:`onnx_tf.export.frozen_graph.write_frozen_graph` wrote.

    Attributes:
        interface: its inputs and outputs.
    """

    def __init__(self, path: str | os.PathLike[str], interface: Interface) -> None:
        """Load a graph.

        Args:
            path: the file.
            interface: its inputs and outputs.

        Raises:
            CheckError: the file holds no graph.
        """
        self.interface, self._path = interface, Path(path)
        specs = {str(value.name): input_spec(value) for value in interface.inputs}
        self._names = OperationNames.of(flat_names(specs), flat_names(interface.outputs))

    def run(self, feed: Mapping[str, Any]) -> dict[str, Any]:
        """See :class:`~onnx_tf.check.artifacts.Artifact`.

        Raises:
            CheckError: the graph has other inputs or outputs.
            RunError: TensorFlow fails; the message names the operation that it came to.
        """
        tensors = self.interface.flat(feed)
        given = {f"{self._names.inputs[name]}:0": tensor.numpy() for name, tensor in tensors.items()}
        wanted = {name: f"{operation}:0" for name, operation in self._names.outputs.items()}
        try:
            with tf.compat.v1.Session(graph=self._graph) as session:
                results = session.run(wanted, given)
        except tf.errors.OpError as error:
            raise run_error(error) from error
        except (KeyError, TypeError, ValueError) as error:
            raise CheckError(f"{self._path}: {str(error).splitlines()[0]}: is it of this model?") from error
        return self.interface.whole({name: tf.convert_to_tensor(array) for name, array in results.items()})

    def runs(self, feeds: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the outputs for several feeds, one after another; see :meth:`run`."""
        return [self.run(feed) for feed in feeds]

    @functools.cached_property
    def _graph(self) -> tf.Graph:
        definition = tf.compat.v1.GraphDef()
        try:
            definition.ParseFromString(self._path.read_bytes())
            with tf.Graph().as_default() as graph:
                tf.import_graph_def(definition, name="")
        except (DecodeError, ValueError) as error:
            raise CheckError(f"{self._path} holds no GraphDef: {str(error).splitlines()[0]}") from error
        return graph
