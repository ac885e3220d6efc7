"""The kinds of quantised .tflite files that are made of a model in floats, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from onnx_tf.errors import OptionError, either, option
from onnx_tf.export.post_training.recipes import Recipe

__all__ = ["CALIBRATED", "KINDS", "RECIPE", "Kind", "Quantization", "is_made_of_floats"]

Kind = Literal[
    "dynamic_range_quant",
    "integer_quant",
    "full_integer_quant",
    "integer_quant_with_int16_act",
    "full_integer_quant_with_int16_act",
]
KINDS: tuple[Kind, ...] = (
    "dynamic_range_quant",
    "integer_quant",
    "full_integer_quant",
    "integer_quant_with_int16_act",
    "full_integer_quant_with_int16_act",
)
CALIBRATED: tuple[Kind, ...] = KINDS[1:]
"""Those whose activations are integers, the steps of which data tell."""
RECIPE: Literal["recipe"] = "recipe"
"""What a recipe makes, among the kinds of files of one conversion."""

GRANULARITIES = ("per-channel", "per-tensor")
INTERFACES = ("int8", "uint8", "float32")


@dataclass(frozen=True)
class Quantization:
    """How a model in floats is quantised.

    Attributes:
        weights: ``"per-channel"`` gives each output channel of a weight steps of its own, ``"per-tensor"`` a weight.
        inputs: the dtype of the inputs that are floats in the ONNX model, of files of integers alone
            (``full_integer_quant``): ``"int8"``, ``"uint8"`` or ``"float32"``; int8 by default, int16 where
            activations have 16 bits.
        outputs: that of the outputs.
        keep_float: names of ONNX nodes, or patterns of such names as in ``"/head/*"``, that stay in floats.
        per_layer: measure what each layer loses.
        tune: look for the nodes that are worth staying in floats too.
        recipe: what one more file is made by; the other settings are not for it.
    """

    weights: str = "per-channel"
    inputs: str | None = None
    outputs: str | None = None
    keep_float: tuple[str, ...] = ()
    per_layer: bool = False
    tune: bool = False
    recipe: Recipe | None = None

    def __post_init__(self) -> None:
        if self.weights not in GRANULARITIES:
            raise OptionError(
                f"{option('quantize_weights')} must be {' or '.join(map(repr, GRANULARITIES))}, not {self.weights!r}"
            )
        for side, dtype in (("inputs", self.inputs), ("outputs", self.outputs)):
            if dtype not in (None, *INTERFACES):
                choices = ", ".join(map(repr, INTERFACES))
                raise OptionError(f"{option(f'quantized_{side}')} must be one of {choices}, not {dtype!r}")

    def check(self, kinds: Sequence[str]) -> None:
        """Refuse settings that none of the kinds has.

        Raises:
            OptionError: there are such.
        """
        quantized = [kind for kind in kinds if kind in KINDS]
        full = [kind for kind in quantized if is_full(kind)]
        if not quantized and replace(self, recipe=None) != Quantization():
            told = "the recipe" if self.recipe is not None else "how to quantise is told, and no kind that does"
            rest = " says itself how it quantises" if self.recipe is not None else " is asked for"
            raise OptionError(f"{told}{rest}: choose some of {KINDS}")
        if (self.inputs or self.outputs) and not full:
            raise OptionError(
                f"{option('quantized_inputs')} and {option('quantized_outputs')} are for full_integer_quant: "
                "other files take and give floats"
            )
        if {self.inputs, self.outputs} - {None, "float32"} and all(map(has_16_bits, full)):
            raise OptionError("full_integer_quant_with_int16_act takes and gives int16 or float32, not 8 bits")
        if (self.keep_float or self.tune) and full:
            raise OptionError(
                f"{full[0]} holds no floats: nodes stay in floats ({option('keep_float')}, {option('tune')}) in "
                "integer_quant and the like"
            )
        if (self.tune or self.per_layer) and not set(quantized) & set(CALIBRATED):
            raise OptionError(
                f"{option('per_layer')} and {option('tune')} judge what integers lose: ask for integer_quant"
            )

    def check_data(self, kinds: Sequence[str], has_data: bool) -> None:
        """Refuse kinds whose steps only data tell, without any, and data that nothing is calibrated with.

        Raises:
            OptionError: it is so.
        """
        if has_data and not any(map(is_made_of_floats, kinds)):
            raise OptionError(
                f"calibration data ({option('data')}) are for quantised .tflite files: ask for one of "
                f"{', '.join(KINDS)}, or of a recipe ({option('recipe')})"
            )
        needing: list[str] = [kind for kind in kinds if kind in CALIBRATED]
        if self.recipe is not None and self.recipe.is_static:
            needing.append(f"the recipe {self.recipe.name}")
        if needing and not has_data:
            raise OptionError(
                f"{needing[0]} is calibrated with data of yours: give them ({either('data', '--data NAME=FILE')}); "
                f"random numbers ({either('random', '--data random')}) serve tests of speed alone"
            )

    def interface(self, kind: str) -> tuple[str, str]:
        """Return the dtypes of the inputs and outputs of a file of a kind."""
        if not is_full(kind):
            return "float32", "float32"
        if has_16_bits(kind):
            taken, given = ("float32" if side == "float32" else "int16" for side in (self.inputs, self.outputs))
            return taken, given
        return self.inputs or "int8", self.outputs or "int8"

    def task(self, kind: str) -> dict[str, Any]:
        """Return what the process has to know of a kind."""
        taken, given = self.interface(kind)
        return {
            "kind": kind,
            "full": is_full(kind),
            "wide": has_16_bits(kind),
            "inputs": taken,
            "outputs": given,
            "per_tensor": self.weights == "per-tensor",
            "per_layer": self.per_layer,
            "tune": self.tune,
        }


def is_made_of_floats(kind: str) -> bool:
    """Return whether files of a kind are quantised files of a model in floats."""
    return kind in KINDS or kind == RECIPE


def is_full(kind: str) -> bool:
    """Return whether files of a kind hold no floats."""
    return kind.startswith("full_")


def has_16_bits(kind: str) -> bool:
    """Return whether activations have 16 bits in files of a kind."""
    return kind.endswith("int16_act")
