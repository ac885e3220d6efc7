"""What an artefact does not compute exactly as the model says."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import onnx_ir as ir

from onnx_tf.export.post_training.kinds import has_16_bits
from onnx_tf.passes.narrow_products import PRODUCTS
from onnx_tf.planning.results import Approximation

__all__ = ["of_all", "of_tflite"]

_RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)
_NARROWED = frozenset({"Div", "Mod", "Pow", "Abs", "Sign", "ArgMax", "ArgMin", "MatMul", "BitShift"})
"""Operators that LiteRT has of 32-bit integers, and not of 64 bits."""

_LARGEST_HALF = float(np.finfo(np.float16).max)


def of_all(model: ir.Model, compute: str | None) -> Iterator[Approximation]:
    """Yield what no artefact computes as ONNX Runtime does, of a model whose shapes are inferred.

    ``compute`` is the dtype that products of float32 are computed in, if that is another.
    """
    if compute is not None:
        products = _nodes(model, lambda node: node.op_type in PRODUCTS and _gives(node, ir.DataType.FLOAT))
        yield Approximation(f"products of float32 are computed in {compute}", products)
    random = _nodes(model, lambda node: node.op_type in _RANDOM and node.domain == "")
    if random:
        yield Approximation("random numbers are TensorFlow's: dtype and shape are the model's", random)


def of_tflite(model: ir.Model, kind: str, *, int64_as_int32: bool, has_integers: bool) -> Iterator[Approximation]:
    """Yield what a .tflite file of a kind computes otherwise, of a model whose shapes are inferred."""
    doubles = _nodes(model, lambda node: _gives(node, ir.DataType.DOUBLE))
    if doubles:
        yield Approximation("float64 is computed in float32", doubles)
    if int64_as_int32:
        narrowed = _nodes(model, lambda node: node.op_type in _NARROWED and _gives(node, ir.DataType.INT64))
        if narrowed:
            yield Approximation("64-bit integers are computed in 32 bits, whether they fit or not", narrowed)
    if kind == "float16":
        yield Approximation("weights are rounded to float16")
        large = tuple(name for name, tensor in _floats(model) if np.abs(tensor.numpy()).max(initial=0) > _LARGEST_HALF)
        if large:
            yield Approximation(
                f"weights beyond {_LARGEST_HALF:.0f}, the largest number of float16, become that", large
            )
    elif kind == "dynamic_range_quant":
        yield Approximation("weights are rounded to 8 bits")
    elif kind != "float32" and not has_integers:
        bits = 16 if has_16_bits(kind) else 8
        yield Approximation(f"weights are rounded to 8 bits, activations to {bits}, in steps that the data tell")


def _nodes(model: ir.Model, is_wanted: Callable[[ir.Node], bool]) -> tuple[str, ...]:
    return tuple(str(node.name) for node in model.graph.all_nodes() if is_wanted(node))


def _gives(node: ir.Node, dtype: ir.DataType) -> bool:
    return any(output.dtype is dtype for output in node.outputs)


def _floats(model: ir.Model) -> Iterator[tuple[str, ir.TensorProtocol]]:
    for name, value in model.graph.initializers.items():
        tensor = value.const_value
        if tensor is not None and tensor.dtype in (ir.DataType.FLOAT, ir.DataType.DOUBLE):
            yield name, tensor
