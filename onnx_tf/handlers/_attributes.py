"""Attributes that the schema lets be absent and an operator cannot do without."""

from __future__ import annotations

from typing import Any

__all__ = ["given"]


def given(**attributes: Any) -> list[Any]:
    """Return the values of attributes, in their order.

    Raises:
        ValueError: some are absent.
    """
    absent = [name for name, value in attributes.items() if value is None]
    if absent:
        raise ValueError(f"attributes are missing: {', '.join(absent)}; export the model again")
    return list(attributes.values())
