"""Recipes of Google's quantiser of .tflite files, which is one package under two names, and files made by them."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from onnx_tf.errors import ConversionError, FileError, OptionError, option
from onnx_tf.own_process import ProcessDiedError, call_telling
from onnx_tf.telling import did_you_mean, listed

__all__ = ["PACKAGES", "Recipe", "RecipeSource", "quantized_by_recipe", "recipe_of"]

PACKAGES = ("ai_edge_quantizer", "litert_quantizer")
"""The names that the quantiser is imported by: the second is what it is called since version 0.11."""
RECIPE = "recipe"

RecipeSource = str | os.PathLike[str] | Sequence[Mapping[str, Any]]
"""A recipe's name, a JSON file that holds one, or its rules."""

_RUN = """
import runpy
runpy.run_module("onnx_tf.export.post_training.recipe_process", run_name="__main__")
"""


@dataclass(frozen=True)
class Recipe:
    """How the quantiser makes integers of a file of floats.

    Attributes:
        name: the recipe's own, or that of its file.
        rules: what it consists of, as JSON.
        is_static: whether activations get steps of data.
    """

    name: str
    rules: str
    is_static: bool


def recipe_of(given: RecipeSource) -> Recipe:
    """Return a recipe.

    Args:
        given: its name, a JSON file, or the rules as the quantiser's ``get_quantization_recipe`` returns them.

    Raises:
        OptionError: the quantiser is not installed, knows no recipe of that name, or does not take the rules.
        FileError: the file cannot be read, or holds no rules.
    """
    _package()
    if not isinstance(given, (str, os.PathLike)):
        return _resolved(RECIPE, _rules(given, f"{option('recipe')} is"))
    path = Path(given)
    if path.suffix != ".json" and not path.is_file():
        return _resolved(str(given), json.dumps(str(given)))
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"the recipe {path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise FileError(f"the recipe {path} is no JSON: {error}") from error
    return _resolved(path.stem, _rules(found, f"the recipe {path} is"))


def quantized_by_recipe(
    content: bytes,
    recipe: Recipe,
    samples: Iterable[Mapping[str, np.ndarray]],
    progress: Callable[[str], None] = lambda _: None,
) -> bytes:
    """Return a file of floats with the integers that a recipe makes of it.

    Args:
        content: the file, with one signature.
        recipe: the recipe.
        samples: arrays by the names of the signature's inputs; read where the recipe is static.
        progress: called as it goes on.

    Raises:
        ConversionError: the quantiser fails, or ends its process.
    """
    with tempfile.TemporaryDirectory() as name:
        folder, names, count = Path(name), list[str](), 0
        for count, sample in enumerate(samples if recipe.is_static else (), 1):
            names = list(sample)
            np.savez(folder / f"sample_{count - 1}.npz", *sample.values())
        (folder / "float.tflite").write_bytes(content)
        task = {"package": _package(), "rules": json.loads(recipe.rules), "names": names, "count": count}
        try:
            error = _run(folder, task, progress)["error"]
        except ProcessDiedError as died:
            raise ConversionError(f"{died} (recipe {recipe.name})", step="litert") from died
        if error:
            raise ConversionError(f"{_package()} fails by the recipe {recipe.name}: {error[:500]}", step="litert")
        return (folder / "quantized.tflite").read_bytes()


def _package() -> str:
    """Return the name by which the quantiser is imported."""
    for name in PACKAGES:
        if importlib.util.find_spec(name) is not None:
            return name
    raise OptionError(f"{option('recipe')} needs ai-edge-quantizer: pip install 'onnx-tf[quantizer]'")


def _rules(given: Any, what: str) -> str:
    is_list = isinstance(given, Sequence) and not isinstance(given, str)
    if not is_list or not given or not all(isinstance(rule, Mapping) for rule in given):
        raise OptionError(
            f"{what} no list of rules, each with regex, operation, algorithm_key and op_config: {given!r}"
        )
    try:
        return json.dumps(list(given), sort_keys=True)
    except TypeError as error:
        raise OptionError(f"{what} a list of rules that JSON cannot hold: {error}") from error


@functools.cache
def _resolved(name: str, rules: str) -> Recipe:
    """Return a recipe of rules, or of the name that stands for them, as JSON, once the quantiser knows them."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = _run(Path(folder), {"package": _package(), "rules": json.loads(rules)})
        except ProcessDiedError as died:
            raise OptionError(f"the recipe {name} cannot be tried: {died}") from died
    if found["known"]:
        near = did_you_mean(name, found["known"])
        raise OptionError(
            f"{option('recipe')} {name!r} is no file, and {_package()} has no such recipe{near}: it has "
            f"{listed(found['known'], name)}"
        )
    if found["error"]:
        raise OptionError(f"{_package()} refuses the recipe {name}: {found['error'][:500]}")
    return Recipe(name, json.dumps(found["rules"], sort_keys=True), found["is_static"])


def _run(folder: Path, task: Mapping[str, Any], progress: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    (folder / "task.json").write_text(json.dumps(task))
    call_telling(task["package"], _RUN, str(folder), told=progress)
    done: dict[str, Any] = json.loads((folder / "done.json").read_text())
    return done
