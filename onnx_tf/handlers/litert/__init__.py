"""Forms of kernels that LiteRT has operators for, where those for all targets have none, by family.

Each is registered with ``target="litert"`` for every version from which the operator has another
signature: whichever holds goes before all that are for all targets.
"""

from onnx_tf.handlers.litert import convolution, pooling, transposed_convolution

__all__ = ["convolution", "pooling", "transposed_convolution"]
