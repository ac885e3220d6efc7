"""Where the artefacts of a conversion go."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from onnx_tf.errors import OptionError, either, option
from onnx_tf.export.post_training.kinds import RECIPE
from onnx_tf.export.precisions import FLOATS, PRECISIONS, FileKind, Precision
from onnx_tf.model.loading import ModelSource
from onnx_tf.telling import did_you_mean

__all__ = ["FILES", "FORMATS", "KERAS", "Format", "artifact_paths", "with_companions"]

Format = Literal["saved_model", "tflite", "keras", "keras_source", "weights", "frozen_graph"]
FORMATS: tuple[Format, ...] = ("saved_model", "tflite", "keras", "keras_source", "weights", "frozen_graph")
KERAS: dict[Format, str] = {"keras": ".keras", "keras_source": ".py", "weights": ".weights.h5"}
"""The formats that are made of a model in Keras, and how their files end."""

FILES: dict[Format, str] = {**KERAS, "frozen_graph": ".pb"}
"""The formats that are files, but for .tflite files, and how these end."""

_Name = TypeVar("_Name", bound=str)


def artifact_paths(
    path: Path,
    formats: Sequence[Format] | None,
    tflite: Sequence[Precision] | None,
    model: ModelSource,
    precisions: Sequence[Precision] = FLOATS,
    recipe: str | None = None,
) -> dict[str, Path]:
    """Return where each artefact goes: by its format, of .tflite files by the precision, or ``"recipe"``.

    Args:
        path: a SavedModel's folder, a file, or a folder for several artefacts.
        formats: what is asked for; by default what the path's name tells.
        tflite: the precisions that are asked for.
        model: what is converted, whose name the files in a folder get.
        precisions: those that are written where none is asked for, all into a folder, the first into a file.
        recipe: the name of the recipe that one more .tflite file is made by, or the only one where no precision is
            asked for.

    Raises:
        OptionError: the options do not fit each other or the path.
    """
    formats, tflite = _chosen("formats", formats, FORMATS), _chosen("tflite", tflite, PRECISIONS)
    suffix = path.suffix.lower()
    of_file = next((kind for kind, end in FILES.items() if path.name.lower().endswith(end)), None)
    if suffix in (".h5", ".hdf5") and of_file is None:
        raise OptionError(
            f"{path} is a whole model in Keras's legacy format, which does not load models of operations again: "
            "write a .keras file, or a .weights.h5 file of the weights alone"
        )
    is_file = suffix == ".tflite" or of_file is not None
    if not (suffix == ".tflite" if formats is None else "tflite" in formats):
        asked = "" if tflite is None else either(f"tflite={tflite}", f"--tflite {','.join(tflite)}")
        asked = asked or ("" if recipe is None else option("recipe"))
        if asked:
            raise OptionError(f"{asked} is for .tflite files, and none is asked for: {path} is {_whose(suffix)}")
    kinds: list[FileKind] = [*(tflite or (() if recipe else precisions)), *([RECIPE] if recipe else [])]
    if formats is None:
        if not is_file:
            _refuse_file_names(path, suffix)
            return {"saved_model": path}
        if of_file is not None:
            return {of_file: path}
        if (tflite or recipe) and len(kinds) > 1:
            step = either("formats=['tflite']", "--formats tflite")
            raise OptionError(f"{path} is one file: choose one precision or recipe, or {step} and a folder")
        return {kinds[0]: path}
    if is_file:
        asked = either(f"formats={formats}", f"--formats {','.join(formats)}")
        raise OptionError(f"{path} is a file: {asked} are written into a folder; name one")
    name = Path(model).stem if isinstance(model, (str, os.PathLike)) else path.absolute().name
    paths = {"saved_model": path / "saved_model"} if "saved_model" in formats else {}
    if "tflite" in formats:
        ends = {kind: recipe if kind == RECIPE else kind for kind in kinds}
        paths |= {kind: path / f"{name}_{end}.tflite" for kind, end in ends.items()}
    for kind, end in FILES.items():
        if kind in formats:
            stem = re.sub(r"\W", "_", name) if kind == "keras_source" else name  # modules have names of Python's
            paths[kind] = path / f"{stem}{end}"
    return paths


def with_companions(kind: str, path: Path) -> list[Path]:
    """Return the files of an artefact: itself, and an .npz file beside a source and a .weights.h5 file."""
    return [path, path.with_suffix(".npz")] if kind in ("keras_source", "weights") else [path]


def _refuse_file_names(path: Path, suffix: str) -> None:
    """Refuse names that people give to files, for the folder that a SavedModel is."""
    if os.path.isdir(path):  # which takes any name
        return
    near = did_you_mean(suffix, [".tflite", ".keras"]) if len(suffix) > 3 else ""
    if near or suffix == ".onnx":
        raise OptionError(
            f"{path} would be the folder of a SavedModel{near}: choose a name without {suffix}, or one that ends in "
            ".tflite, .keras or .pb"
        )


def _whose(suffix: str) -> str:
    if suffix == ".pb":
        return "a frozen graph's"
    return "a Keras model's" if suffix in (".keras", ".py", ".h5") else "a SavedModel's"


def _chosen(argument: str, given: Iterable[_Name] | None, known: Sequence[_Name]) -> list[_Name] | None:
    if given is None:
        return None
    names = list(dict.fromkeys(given)) if isinstance(given, Iterable) and not isinstance(given, str) else []
    if not names or set(names) - set(known):
        wrong = next((name for name in names if name not in known), "")
        near, choice = did_you_mean(str(wrong), known), ", ".join(map(repr, known))
        said = either(f"{argument}={given!r}", f"--{argument} {','.join(map(str, names))}")
        raise OptionError(f"{said}: choose some of {choice}{either(', as a list', ', with commas')}{near}")
    return names
