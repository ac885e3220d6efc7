"""What a converted model is for, as data: an exporter chooses a target, passes and handlers follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import onnx_ir as ir

from onnx_tf.errors import OptionError
from onnx_tf.passes.batch_products import batch_products
from onnx_tf.passes.carry_integers import carry_integers, carry_integers_in_32_bits
from onnx_tf.passes.fuse_group_normalization import fuse_group_normalization
from onnx_tf.passes.gather_integers import gather_integers
from onnx_tf.passes.join_biases import join_biases
from onnx_tf.passes.keep_addends import keep_addends
from onnx_tf.passes.keep_apart import keep_apart
from onnx_tf.passes.keep_operands import keep_operands
from onnx_tf.passes.keep_roundings import keep_roundings
from onnx_tf.passes.keep_unfused import keep_unfused
from onnx_tf.passes.make_addends_vectors import make_addends_vectors
from onnx_tf.passes.move_floats import move_floats
from onnx_tf.passes.pack_recurrent_weights import pack_recurrent_weights
from onnx_tf.passes.pack_weights import pack_weights
from onnx_tf.passes.pad_selections import pad_selections
from onnx_tf.passes.quantize_constants import quantize_constants
from onnx_tf.passes.recognize_attention import recognize_attention
from onnx_tf.passes.recognize_gelu import recognize_gelu
from onnx_tf.passes.recognize_layer_normalization import recognize_layer_normalization
from onnx_tf.passes.recognize_local_response_normalization import recognize_local_response_normalization
from onnx_tf.passes.settle_shapes import settle_shapes, settle_shapes_of_parts
from onnx_tf.passes.unfold_quantized import unfold_quantized
from onnx_tf.passes.widen_floats import widen_floats

__all__ = ["KERAS", "LITERT", "LITERT_QUANTIZED", "SAVED_MODEL", "TARGETS", "Pass", "Target", "litert", "target_named"]

Pass = Callable[[ir.Model], bool]
"""A pass from IR to IR: changes a model in place, and returns whether it did."""


@dataclass(frozen=True)
class Target:
    """A kind of artefact or device, and the form that models take for it.

    Attributes:
        name: what users call it.
        recognitions: what runs before the memory orders are chosen, in this order: patterns that become
            the one operator which they write out.
        passes: what runs once they are chosen, in this order.
        forms: handlers registered for these targets (``@onnx_op(..., target=...)``) go before those for
            all, the first named first.
        is_trained: what is written is trained further in any case: weights stay apart that begin alike, and
            BatchNormalization that no convolution takes stays what it is.
    """

    name: str
    recognitions: tuple[Pass, ...] = ()
    passes: tuple[Pass, ...] = ()
    forms: tuple[str, ...] = ()
    is_trained: bool = False


SAVED_MODEL = Target(
    "saved_model",
    recognitions=(recognize_local_response_normalization,),
    passes=(gather_integers, pack_weights, pack_recurrent_weights, keep_apart, keep_unfused, keep_roundings),
)
"""TensorFlow's own kernels, in Python and in SavedModels."""

LITERT = Target(
    "litert",
    recognitions=(
        widen_floats,
        recognize_gelu,
        settle_shapes,
        carry_integers,
    ),
    passes=(
        pack_weights,
        batch_products,
        make_addends_vectors,
        keep_addends,
        keep_operands,
    ),
    forms=("litert",),
)
"""LiteRT's operators, in .tflite files."""


KERAS = Target(
    "keras",
    recognitions=(
        fuse_group_normalization,
        recognize_gelu,
        recognize_layer_normalization,
        settle_shapes_of_parts,
        recognize_attention,
    ),
    passes=(
        pack_weights,
        join_biases,
        keep_apart,
        keep_roundings,
    ),
    is_trained=True,
)
"""Keras's layers and operations, in .keras files."""


def litert(*, int64_as_int32: bool = False, padded_selections: bool = False, quantized: bool = False) -> Target:
    """Return LiteRT's target.

    Args:
        int64_as_int32: compute 64-bit integers in 32 bits, whether they are known to fit or not.
        padded_selections: give NonMaxSuppression a fixed number of rows, see
            :func:`onnx_tf.passes.pad_selections.pad_selections`.
        quantized: let quantisations stand, which become integer kernels.
    """
    runs = [carry_integers_in_32_bits if int64_as_int32 and r is carry_integers else r for r in LITERT.recognitions]
    padded = [pad_selections] if padded_selections else []
    pairs = [unfold_quantized, quantize_constants, move_floats] if quantized else []
    forms = ("litert_quantized", *LITERT.forms) if quantized else LITERT.forms
    return replace(LITERT, recognitions=(*padded, *pairs, *runs), forms=forms)


LITERT_QUANTIZED = litert(quantized=True)
"""LiteRT's operators, with the model's own integers where they have kernels for them."""

TARGETS = {target.name: target for target in (SAVED_MODEL, LITERT)}
"""The targets that users can name."""


def target_named(name: str) -> Target:
    """Return the target of a name.

    Raises:
        OptionError: there is none; the error names those that there are.
    """
    if name not in TARGETS:
        raise OptionError(f"target {name!r} is not known: choose {' or '.join(map(repr, TARGETS))}")
    return TARGETS[name]
