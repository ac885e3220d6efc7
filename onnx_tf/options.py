"""The options of a conversion, handed down as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from onnx_tf.errors import OptionError

__all__ = ["Layout", "Options"]

Layout = Literal["auto", "keep"]


@dataclass(frozen=True)
class Options:
    """How a model is converted.

    Attributes:
        layout: ``"auto"`` chooses the memory order of each operation so that the fewest
            bytes are transposed; ``"keep"`` computes everything in the ONNX order.
        channels_last_inputs: names of graph inputs to be taken as N, spatial..., C, or ``"all"``.
        channels_last_outputs: names of graph outputs to be given as N, spatial..., C, or ``"all"``.
        training: keep what training needs: nothing is folded, equal weights stay apart, all float
            weights are variables, and Dropouts that do not say otherwise drop.
    """

    layout: Layout = "auto"
    channels_last_inputs: tuple[str, ...] | Literal["all"] = ()
    channels_last_outputs: tuple[str, ...] | Literal["all"] = ()
    training: bool = False

    def __post_init__(self) -> None:
        if self.layout not in ("auto", "keep"):
            raise OptionError(f"layout must be 'auto' or 'keep', not {self.layout!r}")
