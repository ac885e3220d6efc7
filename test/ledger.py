"""The ledger of what does not work today, ``ledger.toml``, and how tests hold to it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Section = Literal["keras", "litert", "onednn", "onnx", "random", "releases", "zoo"]


@functools.cache
def ledger(section: Section) -> dict[str, str]:
    """Return the reasons of a section by id; an entry ``reason = [id, ...]`` is one for each id."""
    entries = tomllib.loads(Path(__file__).with_name("ledger.toml").read_text())[section]
    found: dict[str, str] = {}
    for key, value in entries.items():
        found |= {key: value} if isinstance(value, str) else dict.fromkeys(value, key)
    return found


def hold(section: Section, identifier: str, check: Callable[[], None]) -> None:
    """Run a check; what the ledger lists must fail (or may, if it is random), everything else must pass."""
    chance = ledger("random").get(identifier)
    reason = ledger(section).get(identifier)
    try:
        check()
    except Exception as error:
        if reason or chance:
            pytest.xfail(str(reason or chance))
        if hasattr(error, "add_note"):
            error.add_note(paste(section, identifier, error))
        raise
    if chance is not None:
        pytest.xfail(chance)
    if reason is not None:
        pytest.fail(f"{identifier} passes now: delete its line from test/ledger.toml", pytrace=False)


def paste(section: Section, identifier: str, error: Exception) -> str:
    """Return the line to paste into a section of the ledger."""
    message = f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
    return f'test/ledger.toml [{section}]: "{identifier}" = {message!r}'
