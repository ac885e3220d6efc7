"""Forms of kernels that LiteRT has operators for, where those for all targets have none, by family.

Each is registered with ``target="litert"`` for every version from which the operator has another
signature: whichever holds goes before all that are for all targets.
"""

from onnx_tf.handlers.litert import (
    activations,
    control_flow,
    convolution,
    einsum,
    elementwise,
    integers,
    many_axes,
    moving,
    normalization,
    pooling,
    quantized,
    quantized_convolution,
    random,
    recurrent,
    scattering,
    sequences,
    signal,
    sorting,
    splitting,
    standing_products,
    standing_quantization,
    transposed_convolution,
    transposing,
    vision,
)

__all__ = [
    "activations",
    "control_flow",
    "convolution",
    "einsum",
    "elementwise",
    "integers",
    "many_axes",
    "moving",
    "normalization",
    "pooling",
    "quantized",
    "quantized_convolution",
    "random",
    "recurrent",
    "scattering",
    "sequences",
    "signal",
    "sorting",
    "splitting",
    "standing_products",
    "standing_quantization",
    "transposed_convolution",
    "transposing",
    "vision",
]
