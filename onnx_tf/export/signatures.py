"""Which signatures a SavedModel gets, and which of them are frozen."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from onnx_tf.errors import OptionError, either, option
from onnx_tf.telling import did_you_mean

__all__ = ["SERVING", "SERVING_ALONE", "Freeze", "Signatures"]

SERVING = "serving_default"
_KNOWN = (SERVING, "train", "intermediate")
Freeze = bool | Literal["both"]


@dataclass(frozen=True)
class Signatures:
    """The signatures of a SavedModel.

    Attributes:
        names: what they are called; ``serving_default`` is among them.
        freeze: whether the weights are constants; ``"both"`` keeps variables for ``train``.
        intermediate_names: what ``intermediate`` gives; all values inside if there are none.
    """

    names: tuple[str, ...] = (SERVING,)
    freeze: Freeze = False
    intermediate_names: tuple[str, ...] = ()

    @classmethod
    def of(cls, signatures: Sequence[str], freeze: Freeze, intermediate_names: Sequence[str] = ()) -> Signatures:
        """Return those that are asked for, and those that are implied.

        Raises:
            OptionError: one is not known, or a model without variables is to be trained.
        """
        if freeze not in (False, True, "both"):
            raise OptionError(f"{option('freeze')} must be a bool or 'both', not {freeze!r}")
        asked = _listed(signatures)
        for name in asked:
            if name not in _KNOWN:
                near, choice = did_you_mean(str(name), _KNOWN), ", ".join(_KNOWN)
                raise OptionError(f"{option('signatures')}: {name!r} is not known{near}: choose some of {choice}")
        if freeze is True and "train" in asked:
            step = either("freeze='both'", "--freeze both")
            raise OptionError(f"a frozen model has no variables to train: {step} keeps those of the signature train")
        inside = _listed(intermediate_names)
        chosen = (
            {SERVING, *asked} | ({"train"} if freeze == "both" else set()) | ({"intermediate"} if inside else set())
        )
        return cls(tuple(name for name in _KNOWN if name in chosen), freeze, inside)

    @property
    def is_training(self) -> bool:
        """Whether the model is prepared for training."""
        return "train" in self.names

    def check_formats(self, formats: Collection[str]) -> None:
        """Refuse signatures where no SavedModel is written.

        Raises:
            OptionError: there are some besides ``serving_default``.
        """
        if "saved_model" not in formats and len(self.names) > 1:
            raise OptionError(
                f"{option('signatures')}: {', '.join(self.names[1:])} of a SavedModel, and none is asked for: add "
                f"{either('it to formats', '--formats saved_model')}, or leave the option out"
            )


SERVING_ALONE = Signatures()


def _listed(names: Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)
