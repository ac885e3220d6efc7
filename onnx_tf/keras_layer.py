"""``OnnxLayer``: a rep inside of a Keras model, with weights that ``fit`` trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import keras

from onnx_tf.errors import ExportError, InputError
from onnx_tf.runtime.scopes import scope_name
from onnx_tf.telling import listed

if TYPE_CHECKING:
    from onnx_tf.backend_rep import TensorflowRep

__all__ = ["OnnxLayer"]


class OnnxLayer(keras.layers.Layer):
    """A layer that computes a rep: it takes one dict of inputs by ONNX name, or the only one, and returns a dict.

    Its weights are those of ``rep.tf_module``, so that ``rep.run`` and ``rep.export_graph`` use what ``fit`` found.
    A model that was prepared with ``training=True`` drops and normalises as in training while Keras trains, and
    serves otherwise.
    """

    def __init__(self, rep: TensorflowRep, **settings: Any) -> None:
        """Make a layer.

        Args:
            rep: what :func:`onnx_tf.prepare` returned.
            settings: those of ``keras.layers.Layer``: ``name``, ``trainable``, ...
        """
        super().__init__(**settings)
        self.rep = rep
        # Keras finds what it trains among the attributes of a layer: its own variables alone, which may hold others.
        self.onnx_weights = [
            keras.Variable(weight, trainable=weight.trainable, name=scope_name(name).replace("/", "_"))
            for name, weight in rep.tf_module.weights.items()
        ]
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> dict[str, Any]:
        """Compute the outputs by ONNX name.

        Raises:
            InputError: the inputs are not those of the model.
        """
        names = list(self.rep.inputs)
        given = inputs if isinstance(inputs, Mapping) else dict.fromkeys(names[:1], inputs)
        if given.keys() != set(names):
            raise InputError(f"the layer takes a dict of {listed(names)}, got {listed(given)}")
        module = self.rep.tf_module
        results = module(**given) if training else module.compute(*[given[name] for name in names])
        return dict(results)

    def get_config(self) -> NoReturn:
        """Refuse to be saved in a .keras file, which holds no ONNX model.

        Raises:
            ExportError: always.
        """
        raise ExportError(
            "a .keras file cannot hold an OnnxLayer: use the layers of onnx_tf.to_keras, or rep.export_graph and "
            "keras.layers.TFSMLayer"
        )
