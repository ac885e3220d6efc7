"""What of an override does not fit the model."""

from __future__ import annotations

__all__ = ["Misfit"]


class Misfit(Exception):  # noqa: N818  (never leaves the edits: its text becomes a line of an EditError)
    """A part of an entry that does not fit; the text says why, and what does."""
