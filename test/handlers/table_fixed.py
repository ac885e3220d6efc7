"""Rows of :mod:`test.handlers.table` of operators that fix the rank of their data, from its four dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from test.handlers.table import FIXED, Dims, Source, vector
from test.handlers.table import add as _add


def add(names: str, inputs: Any, attributes: Any = None, **settings: Any) -> None:
    """Add rows for data of four axes, N, C, height, width."""
    _add(names, inputs, attributes, into=FIXED, **settings)


def _recurrent(gates: int) -> Callable[[Source, Dims], list[np.ndarray]]:
    def inputs(draw: Source, dims: Dims) -> list[np.ndarray]:
        batch, _, length, size = dims
        weights = [draw.floats(1, gates * 4, size), draw.floats(1, gates * 4, 4), draw.floats(1, 2 * gates * 4)]
        return [draw.floats(length, batch, size), *weights]

    return inputs


for _name, _gates in {"RNN": 1, "GRU": 3, "LSTM": 4}.items():
    add(_name, _recurrent(_gates), {"hidden_size": 4}, outputs=3 if _name == "LSTM" else 2, fixed=(1, 2, 3))
add("Gemm", lambda draw, dims: [draw.floats(*dims[:2]), draw.floats(dims[1], 3), draw.floats(3)])
add(
    "Gemm",
    lambda draw, dims: [draw.floats(*dims[:2]), draw.floats(3, dims[1])],
    {"transB": 1, "alpha": 0.5},
    label="scaled",
)
add("com.microsoft.FusedGemm", lambda draw, dims: [draw.floats(*dims[:2]), draw.floats(dims[1], 3), draw.floats(3)],
    {"activation": "Relu"})  # fmt: skip
add("AffineGrid", lambda draw, dims: [draw.floats(dims[0], 2, 3), vector(*dims)])
add("Attention", lambda draw, dims: [draw.floats(*dims), draw.floats(*dims), draw.floats(*dims)])
add(
    "com.microsoft.MultiHeadAttention",
    lambda draw, dims: [draw.floats(dims[0], dims[2], 2 * dims[1]) for _ in range(3)],
    {"num_heads": 2},
)
add("Col2Im", lambda draw, dims: [draw.floats(dims[0], 4 * dims[1], 9), vector(4, 4), vector(2, 2)])
add(
    "DeformConv",
    lambda draw, dims: [
        draw.floats(*dims),
        draw.floats(4, dims[1], 2, 2),
        draw.positive(dims[0], 8, max(dims[2] - 1, 0), max(dims[3] - 1, 0)),
    ],
    fixed=(1, 2),
)
add("DepthToSpace", lambda draw, dims: [draw.floats(dims[0], 4 * dims[1], *dims[2:])], {"blocksize": 2})
add("SpaceToDepth", lambda draw, dims: [draw.floats(*dims[:2], 2 * dims[2], 2 * dims[3])], {"blocksize": 2})
add("EyeLike", lambda draw, dims: [draw.floats(*dims[:2])])
for _name, _mode in {"GridSample": "linear", "com.microsoft.GridSample": "bilinear"}.items():
    add(
        _name,
        lambda draw, dims: [draw.floats(*dims), draw.positive(dims[0], 2, 2, 2) - np.float32(1.2)],
        {"mode": _mode},
        fixed=(1,),
    )


def _regions(_: Source, dims: Dims) -> np.ndarray:
    """Return image and corners of one region, none of no images."""
    return np.float32([[0, 0, 0, 1, 2]])[: dims[0]]


add(
    "RoiAlign",
    lambda draw, dims: [draw.floats(*dims), _regions(draw, dims)[:, 1:], np.zeros(min(dims[0], 1), np.int64)],
    {"output_height": 2, "output_width": 2},
    fixed=(1,),
)
add(
    "MaxRoiPool",
    lambda draw, dims: [draw.floats(*dims), _regions(draw, dims)],
    {"pooled_shape": [1, 2]},
    fixed=(1,),
    opset=21,
)
add(
    "RotaryEmbedding",
    lambda draw, dims: [draw.floats(*dims[:3], 4), draw.floats(5, 2), draw.floats(5, 2),
                        draw.integers(dims[0], dims[2], low=0, high=5)],
)  # fmt: skip
add(
    "STFT",
    lambda draw, dims: [draw.floats(dims[0], 16, 1), np.int64(4), draw.floats(8), np.int64(8)],
    fixed=(1, 3),
)
add("SimplifiedLayerNormalization", lambda draw, dims: [draw.floats(*dims), draw.positive(dims[3])], opset=1)
for _name, _more in {
    "Affine": {"alpha": 2.0, "beta": 0.5},
    "Crop": {"border": [0, 0, 0, 0]},
    "ParametricSoftplus": {"alpha": 2.0, "beta": 0.5},
    "ScaledTanh": {"alpha": 2.0, "beta": 0.5},
}.items():
    add(_name, lambda draw, dims: [draw.floats(*dims)], _more, opset=7)
add(
    "ImageScaler",
    lambda draw, dims: [draw.floats(*dims)],
    lambda dims: {"bias": [0.5] * max(dims[1], 1), "scale": 2.0},
    opset=7,
)

ML = "ai.onnx.ml."
LINEAR = {"coefficients": [1.0, 2.0, -1.0, 0.5, 1.5, -2.0], "intercepts": [0.1, 0.2]}
ROWS_OF = {"support_vectors": [0.0, 1.0, 1.0, 1.0, 0.0, 2.0], "kernel_type": "RBF", "kernel_params": [0.5, 0.0, 3.0]}
SUPPORT = ROWS_OF | {"coefficients": [1.0, -1.0], "rho": [0.1]}
STUMP = {
    "nodes_treeids": [0, 0, 0],
    "nodes_nodeids": [0, 1, 2],
    "nodes_featureids": [0, 0, 0],
    "nodes_values": [0.25, 0.0, 0.0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
    "nodes_truenodeids": [1, 0, 0],
    "nodes_falsenodeids": [2, 0, 0],
}


def _features(draw: Source, dims: Dims) -> list[np.ndarray]:
    return [draw.floats(dims[0] * 3, 3)]


for _norm in ("MAX", "L1", "L2"):
    add(f"{ML}Normalizer", _features, {"norm": _norm}, label="" if _norm == "MAX" else _norm)
add(f"{ML}Scaler", _features, {"offset": [0.5, 1.0, 0.0], "scale": [2.0, 3.0, 1.0]})
add(f"{ML}Imputer", _features, {"imputed_value_floats": [7.0], "replaced_value_float": float("nan")})
add(f"{ML}FeatureVectorizer", lambda draw, dims: _features(draw, dims) * 2, {"inputdimensions": [3, 3]})
add(f"{ML}LinearRegressor", _features, LINEAR | {"targets": 2})
add(f"{ML}LinearClassifier", _features, LINEAR | {"classlabels_ints": [3, 4]}, outputs=2)
add(f"{ML}SVMRegressor", _features, SUPPORT | {"n_supports": 2})
add(f"{ML}SVMClassifier", _features, SUPPORT | {"vectors_per_class": [1, 1], "classlabels_ints": [3, 4]}, outputs=2)
add(
    f"{ML}TreeEnsembleRegressor",
    _features,
    STUMP | {"target_treeids": [0, 0], "target_nodeids": [1, 2], "n_targets": 1, "target_ids": [0, 0],
             "target_weights": [1.0, 2.0]},
)  # fmt: skip
add(
    f"{ML}TreeEnsembleClassifier",
    _features,
    STUMP | {"class_treeids": [0, 0], "class_nodeids": [1, 2], "class_ids": [0, 1], "class_weights": [1.0, 1.0],
             "classlabels_int64s": [3, 4]},
    outputs=2,
)  # fmt: skip

MS = "com.microsoft."
add(f"{MS}CDist", lambda draw, dims: [draw.floats(*dims[:2]), draw.floats(3, dims[1])], {"metric": "euclidean"})
add(
    f"{MS}ConvTransposeWithDynamicPads",
    lambda draw, dims: [draw.floats(*dims), draw.floats(dims[1], 3, 2, 2), vector(0, 0, 0, 0)],
    fixed=(1,),
)
add(
    f"{MS}CropAndResize",
    lambda draw, dims: [draw.floats(*dims), _regions(draw, dims)[:, 1:] / 2, np.zeros(min(dims[0], 1), np.int32),
                        np.array([2, 2], np.int32)],
    fixed=(1,),
)  # fmt: skip
add(
    f"{MS}FusedConv",
    lambda draw, dims: [draw.floats(*dims), draw.floats(4, dims[1], 1, 2), draw.floats(4)],
    {"activation": "Relu"},
    fixed=(1, 2),
)
add(
    f"{MS}QuantizeLinear",
    lambda draw, dims: [draw.floats(*dims), np.float32(0.5), np.int8(1)],
    fixed=(1,),
)
add(
    f"{MS}DequantizeLinear",
    lambda draw, dims: [draw.integers(*dims, dtype=np.int8), draw.positive(), np.int8(1)],
    fixed=(2,),
)
for _name in ("SkipLayerNormalization", "SkipSimplifiedLayerNormalization"):
    add(
        f"{MS}{_name}",
        lambda draw, dims: [draw.floats(dims[0], *dims[2:]), draw.floats(dims[0], *dims[2:]), draw.positive(dims[3])],
    )
add(f"{MS}UnfoldTensor", lambda draw, dims: [draw.floats(*dims[:2], 6)], {"size": 2})
add(f"{MS}Unique", lambda draw, dims: [draw.floats(dims[1])], outputs=3)
