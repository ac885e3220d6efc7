"""Which other forms operators take, as users ask for them: for runtimes that lack some, or run others faster."""

from __future__ import annotations

import functools
from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass, replace
from typing import Any

from onnx_tf.errors import OptionError, either, option
from onnx_tf.passes.decompose import DECOMPOSED
from onnx_tf.passes.limit_slices import limit_slices
from onnx_tf.passes.limit_transposes import limit_transposes
from onnx_tf.passes.narrow_products import NARROW_DTYPES, narrow_products
from onnx_tf.passes.recognize_gelu import recognize_gelu
from onnx_tf.targets import SAVED_MODEL, Pass, Target
from onnx_tf.telling import did_you_mean

__all__ = ["ARGMAX_DTYPES", "AS_IT_IS", "Rewriting", "left_over", "refuse_compute"]

ARGMAX_DTYPES = ("int64", "int32", "float32")
MIN_RANK = 3
"""Of axes that move; two are enough for matrices alone."""


@dataclass(frozen=True)
class Rewriting:
    """The forms that are asked for; nothing is changed by default.

    Attributes:
        decompose: names of :data:`~onnx_tf.passes.decompose.DECOMPOSED`, which become simpler operators.
        unroll_rnn: whether RNN, GRU and LSTM are laid out step by step; ``None`` where their length decides.
        argmax: ``"reduce-max"``: ArgMax by ReduceMax; ``"fused"`` or ``"fused:RATIO"``: ArgMax of images that are
            made smaller first, and larger again after it.
        argmax_dtype: the dtype of graph outputs that ArgMax gives, of :data:`ARGMAX_DTYPES`.
        max_transpose_rank: Transposes have so many axes at most.
        max_slice_rank: Slices likewise.
        mvn_epsilon: MeanVarianceNormalization divides by sqrt(variance + epsilon), instead of by
            sqrt(variance) + 1e-9.
        compute: the dtype in which convolutions and products of matrices of float32 are computed, one of
            :data:`~onnx_tf.passes.narrow_products.NARROW_DTYPES`.
    """

    decompose: tuple[str, ...] = ()
    unroll_rnn: bool | None = None
    argmax: str | None = None
    argmax_dtype: str | None = None
    max_transpose_rank: int | None = None
    max_slice_rank: int | None = None
    mvn_epsilon: float | None = None
    compute: str | None = None

    def __post_init__(self) -> None:
        for name in self.decompose:
            if name not in KNOWN:
                near = did_you_mean(name, KNOWN)
                raise OptionError(f"{option('decompose')}: {name!r} is not among {', '.join(KNOWN)}{near}")
        _check_choice("unroll_rnn", self.unroll_rnn, (None, True, False))
        _check_choice("argmax_dtype", self.argmax_dtype, (None, *ARGMAX_DTYPES))
        _check_choice("compute", self.compute, (None, *NARROW_DTYPES))
        for name in ("max_transpose_rank", "max_slice_rank"):
            rank = getattr(self, name)
            if rank is not None and (not isinstance(rank, int) or isinstance(rank, bool) or rank < MIN_RANK):
                raise OptionError(f"{option(name)} must be a whole number from {MIN_RANK} on, not {rank!r}")
        if self.mvn_epsilon is not None and not (_is_number(self.mvn_epsilon) and self.mvn_epsilon >= 0):
            raise OptionError(f"{option('mvn_epsilon')} must be a number from 0 on, not {self.mvn_epsilon!r}")
        if self.argmax != "reduce-max":
            _ = self.argmax_ratio  # refuses what is none

    @property
    def argmax_ratio(self) -> float | None:
        """By how much images are made smaller before ArgMax; ``None`` if they are not.

        Raises:
            OptionError: it is no such number.
        """
        if self.argmax in (None, "reduce-max"):
            return None
        kind, colon, text = str(self.argmax).partition(":")
        try:
            ratio = float(text) if colon else DEFAULT_RATIO
        except ValueError:
            ratio = 0.0
        if kind != "fused" or not 0 < ratio <= 1:
            raise OptionError(
                f"{option('argmax')} must be 'reduce-max', 'fused' or 'fused:RATIO' with a ratio up to 1, "
                f"not {self.argmax!r}"
            )
        return ratio

    @property
    def simpler(self) -> tuple[str, ...]:
        """What becomes simpler operators."""
        return (*self.decompose, "ArgMax") if self.argmax == "reduce-max" else self.decompose

    def of_target(self, target: Target) -> Target:
        """Return a target whose passes and handlers give these forms."""
        kept = [run for run in target.recognitions if _RECOGNIZED.get(run) not in self.decompose]
        added: list[Pass] = [
            functools.update_wrapper(functools.partial(run, rank=rank), run)
            for run, rank in ((limit_transposes, self.max_transpose_rank), (limit_slices, self.max_slice_rank))
            if rank is not None
        ]
        form = () if self.unroll_rnn is None else (_recurrent_form(target, self.unroll_rnn),)
        if self.compute is not None:
            refuse_compute([] if target.name == SAVED_MODEL.name else [target.name])
            run = functools.partial(narrow_products, dtype=NARROW_DTYPES[self.compute])
            added.append(functools.update_wrapper(run, narrow_products))
            form = (*form, "narrow")
        if not added and not form and len(kept) == len(target.recognitions):
            return target
        return replace(target, recognitions=tuple(kept), passes=(*target.passes, *added), forms=(*form, *target.forms))


def refuse_compute(formats: Collection[str]) -> None:
    """Refuse formats for which there is another way to smaller or faster floats than ``compute``.

    Args:
        formats: what else than SavedModels and frozen graphs is asked for.

    Raises:
        OptionError: there are some.
    """
    if formats:
        weights = either("tflite=['float16']", "--tflite float16")
        sums = either("float16_accumulation=True", "--float16-accumulation")
        raise OptionError(
            f"{option('compute')} is for SavedModels and frozen graphs, not for {', '.join(formats)}: .tflite files "
            f"have float16 weights by {weights}, and sums of float16 on GPUs by {sums}; layers of a Keras model take a "
            "dtype policy of Keras"
        )


DEFAULT_RATIO = 0.5
"""Of images before a fused ArgMax."""
KNOWN = tuple(name for name in DECOMPOSED if name != "ArgMax")
"""What can be decomposed by name."""
_RECOGNIZED: Mapping[Pass, str] = {recognize_gelu: "Gelu"}
"""Passes that make operators out of others."""


def _recurrent_form(target: Target, is_unrolled: bool) -> str:
    form = "unrolled_rnn" if is_unrolled else "looped_rnn"
    return f"litert_{form}" if "litert" in target.forms else form


def _check_choice(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    if not any(value is choice or (isinstance(choice, str) and value == choice) for choice in choices):
        raise OptionError(f"{option(name)} must be {' or '.join(map(repr, choices[1:]))}, not {value!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


AS_IT_IS = Rewriting()

_OF_LITERT = {
    "Abs": "ABS",
    "ArgMax": "ARG_MAX",
    "Atan": "ATAN2",
    "BatchMatMul": "BATCH_MATMUL",
    "GatherND": "GATHER_ND",
    "Gelu": "GELU",
    "HardSwish": "HARD_SWISH",
    "LeakyRelu": "LEAKY_RELU",
    "Neg": "NEG",
    "PRelu": "PRELU",
    "Pow": "POW",
}
"""LiteRT's operators, by the names of what can be decomposed; it has none for the others."""


def left_over(rewriting: Rewriting, operators: Container[str]) -> list[str]:
    """Return those that were to become simpler, and are among the operators of a .tflite file nevertheless."""
    return [name for name in rewriting.simpler if _OF_LITERT.get(name) in operators]
