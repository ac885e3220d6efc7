"""Models of ``keras.layers`` and ``keras.ops`` alone: builders by family, and the walk that calls them."""

from __future__ import annotations

from onnx_tf.export.keras import (  # noqa: F401  (registers the builders)
    activations,
    attention,
    convolution,
    dense,
    elementwise,
    generating,
    images,
    indexing,
    normalization,
    pooling,
    quantization,
    quantized,
    recurrent,
    reduction,
    resizing,
    sampling,
    shaping,
    signal,
)
from onnx_tf.export.keras.model import KerasRep, build, write_keras

__all__ = ["KerasRep", "build", "write_keras"]
