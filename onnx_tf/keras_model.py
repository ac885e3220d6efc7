"""``to_keras``: a model of Keras's own layers, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import onnx_ir as ir

from onnx_tf.budget import MAX_CONSTANT_BYTES, MAX_NODES
from onnx_tf.export.keras import build
from onnx_tf.model.loading import ModelSource
from onnx_tf.options import Options
from onnx_tf.targets import KERAS

if TYPE_CHECKING:
    import keras

__all__ = ["to_keras"]


def to_keras(
    model: ModelSource,
    *,
    training: bool = False,
    channels_last_inputs: Sequence[str] | Literal["all"] = (),
    channels_last_outputs: Sequence[str] | Literal["all"] = (),
    batch_size: int | None = None,
    input_shapes: Mapping[str, Sequence[int | str | None]] | None = None,
    input_names: Sequence[str] = (),
    output_names: Sequence[str] = (),
    max_constant_bytes: int = MAX_CONSTANT_BYTES,
    max_nodes: int = MAX_NODES,
    overrides: Any = None,
) -> keras.Model:
    """Convert an ONNX model to a Keras model of ``keras.layers`` and ``keras.ops`` alone.

    Inputs and outputs have the order, dtypes and open dimensions of the ONNX model, and its names with what Keras
    forbids in names replaced by ``_``; so have the layers those of its nodes.

    Args:
        model: see :func:`onnx_tf.prepare`, which also takes the options from ``channels_last_inputs`` on.
        training: keep BatchNormalization as layers, which ``fit`` trains; without it they are folded into convolutions.
        channels_last_inputs: see :func:`onnx_tf.prepare`.
        channels_last_outputs: see :func:`onnx_tf.prepare`.
        batch_size: see :func:`onnx_tf.prepare`.
        input_shapes: see :func:`onnx_tf.prepare`.
        input_names: see :func:`onnx_tf.prepare`.
        output_names: see :func:`onnx_tf.prepare`.
        max_constant_bytes: see :func:`onnx_tf.prepare`.
        max_nodes: see :func:`onnx_tf.prepare`.
        overrides: see :func:`onnx_tf.prepare`.

    Raises:
        UnsupportedError: Keras has no form of some nodes, or none for what they are given; it lists all of them.
        ExportError: an input is no tensor, or holds strings.
        OnnxTfError: see :func:`onnx_tf.prepare`.
    """
    options = Options.of(
        training=training,
        channels_last_inputs=channels_last_inputs,
        channels_last_outputs=channels_last_outputs,
        batch_size=batch_size,
        input_shapes=input_shapes,
        input_names=input_names,
        output_names=output_names,
        max_constant_bytes=max_constant_bytes,
        max_nodes=max_nodes,
        overrides=overrides,
        target=KERAS,
    )
    source: Any = model.clone() if isinstance(model, ir.Model) else model
    return build(source, options).model
