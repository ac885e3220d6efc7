"""Everything that computes an ONNX model, behind one method.

==================  =================================================================
artefact            class
==================  =================================================================
a ``TensorflowRep``  :class:`Prepared`
a SavedModel folder  :class:`SavedModel`
the ONNX model      :class:`OnnxRuntime`, in ONNX Runtime (module ``onnx_runtime``)
==================  =================================================================

A further kind is a class here with the method ``run``. One that takes and gives named tensors, as
a SavedModel does, gets an :class:`~onnx_tf.check.interface.Interface`, which turns ONNX's inputs
into such tensors and the results back.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from onnx_tf.check.interface import Interface, in_artifact_order, in_onnx_order
from onnx_tf.check.onnx_runtime import OnnxRuntime
from onnx_tf.errors import CheckError
from onnx_tf.runtime.run_errors import run_error

if TYPE_CHECKING:
    from onnx_tf.backend_rep import TensorflowRep

__all__ = ["Artifact", "OnnxRuntime", "Prepared", "SavedModel"]

SIGNATURE = "serving_default"


class Artifact(Protocol):
    """Something that computes an ONNX model."""

    def run(self, feed: Mapping[str, Any]) -> dict[str, Any]:
        """Return the outputs by ONNX name: arrays, lists for sequences, dicts for maps, ``None`` for no value.

        Names and axes are in ONNX order, whatever order the artefact itself has.

        Args:
            feed: the inputs by ONNX name, in the same forms.

        Raises:
            OnnxTfError: the inputs do not fit, or the artefact cannot compute them.
        """


class Prepared:
    """A model that ``prepare`` made."""

    def __init__(self, rep: TensorflowRep) -> None:
        self.rep = rep

    def run(self, feed: Mapping[str, Any]) -> dict[str, Any]:
        """See :class:`Artifact`; the feed may override initializers that are inputs too."""
        report = self.rep.layout_report
        outputs = self.rep.run(in_artifact_order(feed, report.channels_last_inputs))
        return in_onnx_order(dict(outputs.items()), report.channels_last_outputs)


class SavedModel:
    """A SavedModel, loaded and called by its signature ``serving_default``.

    Attributes:
        interface: its inputs and outputs.
    """

    def __init__(self, path: str | os.PathLike[str], interface: Interface | None = None) -> None:
        """Load a SavedModel.

        Args:
            path: its folder.
            interface: its inputs and outputs; by default what the folder shows of them, see
                :meth:`~onnx_tf.check.interface.Interface.of_tensors`.

        Raises:
            OnnxTfError: the folder holds no SavedModel with that signature.
        """
        try:
            self._loaded = tf.saved_model.load(os.fspath(path))  # owns the variables
        except OSError as error:
            raise CheckError(f"{os.fspath(path)} holds no SavedModel: {str(error).splitlines()[0]}") from error
        if SIGNATURE not in self._loaded.signatures:
            raise CheckError(f"{os.fspath(path)}: no signature {SIGNATURE!r}, only {list(self._loaded.signatures)}")
        self._signature = self._loaded.signatures[SIGNATURE]
        specs = self._signature.structured_input_signature[1]
        self._keywords = _keywords(Path(path), specs)
        inputs = {name: specs[keyword] for name, keyword in self._keywords.items()}
        self.interface = interface or Interface.of_tensors(inputs, self._signature.structured_outputs)

    def run(self, feed: Mapping[str, Any]) -> dict[str, Any]:
        """See :class:`Artifact`.

        Raises:
            RunError: TensorFlow fails; the message names the operation that it came to.
        """
        return self.interface.whole(self.bind(feed)())

    def runs(self, feeds: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the outputs for several feeds, one after another; see :meth:`run`."""
        return [self.run(feed) for feed in feeds]

    def bind(self, feed: Mapping[str, Any]) -> Callable[[], dict[str, tf.Tensor]]:
        """Return a function that calls the signature on these inputs, for who takes its time."""
        tensors = self.interface.flat(feed)
        unknown = [name for name in tensors if name not in self._keywords]
        if unknown:
            raise CheckError(
                f"the SavedModel has no input {unknown[0]!r}, its inputs are {sorted(self._keywords)}: is it of this "
                "model, converted with these options?"
            )
        return functools.partial(self._call, {self._keywords[name]: tensor for name, tensor in tensors.items()})

    def _call(self, tensors: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        try:
            results: dict[str, tf.Tensor] = self._signature(**tensors)
        except tf.errors.OpError as error:
            raise run_error(error) from error
        return results


def _keywords(path: Path, specs: Mapping[str, tf.TensorSpec]) -> dict[str, str]:
    """Return the keyword under which Python passes each input of the signature, by its name.

    They differ where TensorFlow takes the names of two inputs for the same.
    """
    model = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    inputs = model.meta_graphs[0].signature_def[SIGNATURE].inputs
    keywords = {}
    for name, info in inputs.items():
        placeholder = info.name.split(":")[0].removeprefix(f"{SIGNATURE}_")
        keywords[name] = name if name in specs else placeholder
    return keywords
