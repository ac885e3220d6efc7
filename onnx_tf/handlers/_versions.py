"""Serve several versions of an operator by one function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["earlier"]


def earlier(
    function: Callable[..., Any], lacks: Mapping[str, Any] | None = None, ignores: Sequence[str] = ()
) -> Callable[..., Any]:
    """Return the handler of an earlier version of an operator.

    Args:
        function: the handler of the later version.
        lacks: the attributes that the earlier version lacks, and the value each stands for there.
        ignores: attributes that it has besides, without effect.
    """
    fixed = dict(lacks or {})

    def handler(*inputs: Any, **attributes: Any) -> Any:
        return function(*inputs, **{k: v for k, v in attributes.items() if k not in ignores}, **fixed)

    parameters = inspect.signature(function).parameters.values()
    keywords = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in fixed]
    handler.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter("inputs", inspect.Parameter.VAR_POSITIONAL)]
        + [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in [*keywords, *ignores]]
    )
    return handler
