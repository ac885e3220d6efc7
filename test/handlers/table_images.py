"""Rows of :mod:`test.handlers.table` whose data is N, C, spatial..., and of operators that fix the rank."""

from __future__ import annotations

import numpy as np

from test.handlers.table import Dims, Source, add, more


def _kernel(dims: Dims) -> list[int]:
    return [1 + i % 2 for i in range(len(dims) - 2)]


def _quantized(draw: Source, *dims: int) -> list[np.ndarray]:
    return [draw.integers(*dims, low=0, dtype=np.uint8), np.float32(0.5), np.uint8(1)]


def _images(draw: Source, dims: Dims) -> list[np.ndarray]:
    return [draw.floats(*dims)]


add("GlobalAveragePool GlobalMaxPool", _images)
add("GlobalLpPool", _images, opset=21)
add("AveragePool MaxPool LpPool", _images, lambda dims: {"kernel_shape": _kernel(dims)})
more(
    "AveragePool MaxPool LpPool",
    _images,
    lambda dims: {"kernel_shape": _kernel(dims), "strides": _kernel(dims), "pads": [k - 1 for k in _kernel(dims)] * 2},
    label="padded",
)
more("MaxPool", _images, lambda dims: {"kernel_shape": [1] * (len(dims) - 2)}, label="with indices", outputs=2)
more("MaxPool", _images, lambda dims: {"kernel_shape": _kernel(dims), "auto_pad": "SAME_UPPER"}, label="same")
add(
    "MaxUnpool",
    lambda draw, dims: [draw.floats(*dims), np.arange(np.prod(dims), dtype=np.int64).reshape(dims)],
    lambda dims: {"kernel_shape": [1] * (len(dims) - 2)},
)
add(
    "Conv",
    lambda draw, dims: [draw.floats(*dims), draw.floats(4, dims[1], *_kernel(dims)), draw.floats(4)],
    fixed=(1, 2),
)
more(
    "Conv",
    lambda draw, dims: [draw.floats(*dims), draw.floats(4, dims[1], *_kernel(dims))],
    lambda dims: {"auto_pad": "SAME_UPPER", "strides": [2] * (len(dims) - 2)},
    label="of variable filters",
)
more(
    "Conv",
    lambda draw, dims: [draw.floats(*dims), draw.floats(dims[1], 1, *_kernel(dims))],
    lambda dims: {"group": max(dims[1], 1), "pads": [1] * 2 * (len(dims) - 2)},
    label="depthwise",
    fixed=(1,),
)
more(
    "Conv",
    lambda draw, dims: [draw.floats(*dims), draw.floats(4, dims[1], *_kernel(dims))],
    lambda dims: {"dilations": [2] * (len(dims) - 2), "auto_pad": "SAME_UPPER"},
    label="dilated",
    fixed=(1,),
)
add("ConvTranspose", lambda draw, dims: [draw.floats(*dims), draw.floats(dims[1], 3, *_kernel(dims))], fixed=(1,))
more(
    "ConvTranspose",
    lambda draw, dims: [draw.floats(*dims), draw.floats(dims[1], 3, *_kernel(dims)), draw.floats(3)],
    lambda dims: {"strides": [2] * (len(dims) - 2)},
    label="of stride 2",
    fixed=(1, 2),
)
add(
    "ConvInteger",
    lambda draw, dims: [
        draw.integers(*dims, low=0, dtype=np.uint8),
        draw.integers(3, dims[1], *_kernel(dims), low=0, dtype=np.uint8),
    ],
    fixed=(1,),
)
add(
    "QLinearConv",
    lambda draw, dims: [
        *_quantized(draw, *dims),
        *_quantized(draw, 3, dims[1], *_kernel(dims)),
        *[np.float32(0.5), np.uint8(1)],
    ],
    fixed=(1, 3, 4, 6),
)
add(
    "BatchNormalization",
    lambda draw, dims: [draw.floats(*dims), *[draw.positive(dims[1]) for _ in range(4)]],
    fixed=(1, 2, 3, 4),
)
add("InstanceNormalization", lambda draw, dims: [draw.floats(*dims), draw.positive(dims[1]), draw.floats(dims[1])])
add(
    "GroupNormalization",
    lambda draw, dims: [draw.floats(*dims), draw.positive(dims[1]), draw.floats(dims[1])],
    {"num_groups": 1},
)
add("LRN", _images, {"size": 3})
