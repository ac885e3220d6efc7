"""What an artefact takes and gives: the ONNX names, types and memory orders of its inputs and outputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnx_ir as ir
import tensorflow as tf

from onnx_tf.backend_tf_module import input_spec
from onnx_tf.dtypes import from_tf
from onnx_tf.model.loading import MAP_TYPE
from onnx_tf.runtime.feeding import bind_inputs, to_numpy
from onnx_tf.runtime.signature import flat_tensors, grouped_specs, regrouped
from onnx_tf.values import Map, OptionalValue, TensorSequence

if TYPE_CHECKING:
    from onnx_tf.backend_rep import TensorflowRep

__all__ = ["Interface", "in_artifact_order", "in_onnx_order"]


@dataclass(frozen=True)
class Interface:
    """The inputs and outputs of an artefact that knows nothing but named tensors.

    Attributes:
        inputs: the inputs, in ONNX order.
        outputs: a value or spec for each output by ONNX name, in ONNX order, of the form that the artefact gives.
        dtypes: the ONNX dtype of each output's elements.
        channels_last_inputs: the inputs that the artefact takes as N, spatial..., C.
        channels_last_outputs: the outputs that it gives so.
    """

    inputs: tuple[ir.Value, ...]
    outputs: Mapping[str, Any]
    dtypes: Mapping[str, ir.DataType | None]
    channels_last_inputs: Collection[str] = ()
    channels_last_outputs: Collection[str] = ()

    @classmethod
    def of(cls, rep: TensorflowRep) -> Interface:
        """Return the interface of what a rep exports."""
        graph, report = rep.tf_module.graph, rep.layout_report
        return cls(
            tuple(graph.inputs),
            rep.signatures["serving_default"].structured_outputs,
            {str(value.name): value.dtype for value in graph.outputs},
            report.channels_last_inputs,
            report.channels_last_outputs,
        )

    @classmethod
    def of_tensors(cls, inputs: Mapping[str, tf.TensorSpec], outputs: Mapping[str, tf.TensorSpec]) -> Interface:
        """Return the interface that the named tensors of a signature show.

        They do not show all: memory orders and the ONNX dtypes that others carry are taken as the
        tensors have them, elements of a sequence of known length (``NAME_0``, ``NAME_1``, ...) are
        taken for outputs of their own, and the order is that of the names.
        """
        specs = grouped_specs(dict(sorted(outputs.items())))
        values = tuple(_value(name, spec) for name, spec in grouped_specs(dict(sorted(inputs.items()))).items())
        return cls(values, specs, dict.fromkeys(specs))

    def bound(self, feed: Mapping[str, Any]) -> dict[str, Any]:
        """Return inputs by ONNX name as TensorFlow values, checked against what the model states.

        Raises:
            InputError: a name, rank, static dimension or dtype does not fit.
        """
        names = [str(value.name) for value in self.inputs]
        return dict(zip(names, bind_inputs(self.inputs, feed, {}), strict=True))

    def flat(self, feed: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        """Return the tensors that stand for a feed in ONNX order, by their names in a signature.

        Raises:
            InputError: as of :meth:`bound`.
        """
        specs = {str(value.name): input_spec(value) for value in self.inputs}
        return flat_tensors(self.bound(in_artifact_order(feed, self.channels_last_inputs)), specs)

    def whole(self, tensors: Mapping[str, tf.Tensor]) -> dict[str, Any]:
        """Return numpy outputs in ONNX order from the tensors of a signature."""
        values = regrouped(self.outputs, tensors)
        outputs = {name: to_numpy(value, self.dtypes[name]) for name, value in values.items()}
        return in_onnx_order(outputs, self.channels_last_outputs)


def in_artifact_order(values: Mapping[str, Any], channels_last: Collection[str]) -> dict[str, Any]:
    """Return values by name with those that an artefact holds as N, spatial..., C brought there."""
    return {name: np.moveaxis(v, 1, -1) if name in channels_last else v for name, v in values.items()}


def in_onnx_order(values: Mapping[str, Any], channels_last: Collection[str]) -> dict[str, Any]:
    """Return values by name with those that an artefact holds as N, spatial..., C brought back."""
    return {name: np.moveaxis(v, -1, 1) if name in channels_last else v for name, v in values.items()}


def _value(name: str, spec: Any) -> ir.Value:
    """Return the graph input that a spec stands for."""
    if isinstance(spec, Map.Spec):
        value = ir.Value(name=name)
        keys, values = (int(from_tf(tensor.dtype)) for tensor in (spec.keys, spec.values))
        value.meta[MAP_TYPE] = onnx.helper.make_map_type_proto(keys, onnx.helper.make_tensor_type_proto(values, []))
        return value
    is_optional = isinstance(spec, OptionalValue.Spec)
    element = spec.element if is_optional else spec
    kind: Any = ir.TensorType(from_tf(element.dtype))
    if isinstance(element, TensorSequence.Spec):
        kind = ir.SequenceType(kind)
    if is_optional:
        kind = ir.OptionalType(kind)
    shape = None if element.shape.rank is None else ir.Shape(element.shape.as_list())
    return ir.Value(name=name, type=kind, shape=shape)
