"""What onnx-tf 1.x had and this version has not: each with what to do instead, as doc/migrating.md lists it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnx_tf.errors import OptionError

__all__ = ["REMOVED", "refuse_removed", "refuse_removed_attribute"]

REMOVED = {
    "strict": "leave it out: numbers are always those of ONNX",
    "gen_tensor_dict": "leave it out: rep.intermediate_values gives the values inside of a model",
    "auto_cast": "leave it out: cast inputs yourself, nothing is cast silently",
    "logging_level": "leave it out: set the levels of Python's logging",
    "tensor_dict": "use rep.intermediate_values",
}
"""Arguments and attributes of 1.x, by name."""


def refuse_removed(function: str, given: Mapping[str, Any]) -> None:
    """Refuse arguments that a function does not have.

    Raises:
        OptionError: one of them is an argument of 1.x.
        TypeError: one of them is none of any version.
    """
    for name in given:
        if name in REMOVED:
            raise OptionError(f"{function} has no argument {name!r} any more, {REMOVED[name]}; {_row(name)}")
        raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")


def refuse_removed_attribute(owner: str, name: str) -> None:
    """Refuse an attribute that was one in 1.x.

    Raises:
        AttributeError: it was.
    """
    if name in REMOVED:
        raise AttributeError(f"{owner} has no {name!r} any more, {REMOVED[name]}; {_row(name)}")


def _row(name: str) -> str:
    return f"see the row `{name}` of doc/migrating.md"
