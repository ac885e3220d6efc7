"""What ``--input`` stands for: arrays from files, numbers and lists from the command line, random numbers, zeros."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from onnx_tf import images
from onnx_tf.check.inputs import drawn_array, drawn_inputs, likely_sizes
from onnx_tf.cli import files
from onnx_tf.cli.usage import UsageError
from onnx_tf.errors import InputError
from onnx_tf.input_checks import in_own_dtype, numpy_dtype, symbol_sizes
from onnx_tf.telling import described, did_you_mean, listed

DRAWN = ("random", "zeros")


def given_inputs(
    values: Sequence[ir.Value], specs: Sequence[str], *, cast: bool = False, channels_last: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what ``--input`` options stand for, by the names of inputs.

    Args:
        values: the inputs of the model, those first that take a file without a name.
        specs: ``[NAME=]FILE``, ``[NAME=]NUMBER``, ``[NAME=][LIST]``, ``[NAME=]random`` or ``[NAME=]zeros``.
        cast: whether arrays are cast to the dtypes of the inputs.
        channels_last: the names of inputs that are N, spatial..., C here.

    Raises:
        UsageError: a name, a value or a file is none that fits.
        FileError: a file does not exist, or cannot be read.
        InputError: a number does not fit into the input's dtype.
    """
    by_name = {str(value.name): value for value in values}
    feed: dict[str, Any] = {}
    drawn: dict[str, str] = {}
    for spec in specs:
        name, text = _split(spec, list(by_name))
        if name in feed or name in drawn:
            raise UsageError(f"--input {spec}: input {name!r} is given twice")
        free = [n for n in by_name if n not in feed and n not in drawn]
        found = _many(text) if name is None else None
        if found is not None:
            feed |= _known(spec, found, by_name)
            continue
        if name is None and not free:
            raise UsageError(f"--input {spec}: the model has {_count(len(by_name))}, all are given already")
        value = by_name[name or free[0]]
        if text in DRAWN:
            drawn[str(value.name)] = text
        else:
            feed[str(value.name)] = _given(value, spec, text, is_last=value.name in channels_last)
    if cast:
        feed = {name: _cast(by_name[name], given) for name, given in feed.items()}
    return feed | _drawn(values, drawn, feed)


def _split(spec: str, names: Sequence[str]) -> tuple[str | None, str]:
    name = next((n for n in sorted(names, key=len, reverse=True) if spec.startswith(f"{n}=")), None)
    if name is not None:
        return name, spec[len(name) + 1 :]
    wanted, equals, _ = spec.partition("=")
    if equals and not Path(spec).exists():
        near = did_you_mean(wanted, names)
        raise UsageError(f"--input {spec}: the model has no input {wanted!r}{near}; its inputs are {listed(names)}")
    return None, spec


def _many(text: str) -> dict[str, Any] | None:
    """Return the arrays of a .npz file by their names in it; ``None`` for all else."""
    loaded = files.load_arrays(Path(text)) if text.lower().endswith(".npz") else None
    return loaded if isinstance(loaded, dict) else None


def _known(spec: str, found: Mapping[str, Any], by_name: Mapping[str, ir.Value]) -> dict[str, Any]:
    unknown = [name for name in found if name not in by_name]
    if not unknown:
        return dict(found)
    if len(found) == len(by_name) == 1:
        return {next(iter(by_name)): next(iter(found.values()))}
    near = did_you_mean(unknown[0], by_name)
    raise UsageError(
        f"--input {spec}: the file holds {listed(found)}, the model has no input {unknown[0]!r}{near}; its inputs are "
        f"{listed(by_name)}"
    )


def _given(value: ir.Value, spec: str, text: str, *, is_last: bool) -> Any:
    plain = _plain(text)
    if plain is not None:
        return _from_plain(value, plain)
    path = Path(text)
    if images.is_image(path):
        return images.load(path, value, is_last=is_last)
    if path.suffix.lower() == ".txt":
        return files.load_lines(path, value)
    arrays = files.load_arrays(path)
    if not isinstance(arrays, dict):
        return arrays
    if isinstance(value.type, ir.SequenceType):
        return list(arrays.values())
    if len(arrays) != 1:
        raise UsageError(f"--input {spec}: the file holds {listed(arrays)}, an input needs one array")
    return next(iter(arrays.values()))


def stated_values(specs: Sequence[str]) -> dict[str, Any]:
    """Return what ``--value NAME=VALUE`` states, by name: numbers and lists of numbers as they are, files as arrays.

    Raises:
        UsageError: one has no name or no such value, or an input is given two.
    """
    found: dict[str, Any] = {}
    for spec in specs:
        name, equals, text = spec.partition("=")
        if not name or not equals or name in found:
            raise UsageError(f"--value {spec}: state NAME=VALUE once for each input, as in sizes=[1,3,224,224]")
        plain = _plain(text)
        found[name] = files.load_arrays(Path(text)) if plain is None else plain
        if isinstance(found[name], dict):
            raise UsageError(
                f"--value {spec}: the file holds {listed(found[name])}, an input needs one array: a .npy file"
            )
    return found


def _plain(text: str) -> Any:
    """Return a number, bool or list that a text is, ``None`` for what is none."""
    if not re.match(r"\s*(\[|[-+]?\.?\d|(true|false|nan|[-+]?inf)\s*$)", text, re.IGNORECASE) or Path(text).exists():
        return None
    words = {"nan": "NaN", "inf": "Infinity", "+inf": "Infinity", "-inf": "-Infinity", "true": "true", "false": "false"}
    try:
        return json.loads(words.get(text.strip().lower(), text.lstrip("+")))
    except ValueError as error:
        if text.lstrip().startswith("["):
            raise UsageError(f"--input {text}: not a list of numbers, as in [[1, 2], [3, 4]] ({error})") from error
        return None


def _from_plain(value: ir.Value, plain: Any) -> np.ndarray:
    try:
        array = np.array(plain)
    except ValueError as error:
        raise InputError(f"--input: the lists for {described(value)} have different lengths") from error
    if value.dtype is None:
        return array
    if value.dtype is ir.DataType.STRING:
        return array.astype(str)
    array = in_own_dtype(value, array)
    shape = value.shape
    if array.ndim == 0 and shape is not None and len(shape) and all(d == 1 for d in shape if isinstance(d, int)):
        return array.reshape([1] * len(shape))
    return array


def _cast(value: ir.Value, given: Any) -> Any:
    if isinstance(given, list):
        return [_cast(value, item) for item in given]
    if value.dtype is None or value.dtype is ir.DataType.STRING:
        return given.astype(str) if value.dtype is not None else given
    try:
        return given.astype(numpy_dtype(value))
    except (TypeError, ValueError) as error:
        raise InputError(f"--cast: {given.dtype} cannot be cast for input {described(value)}: {error}") from error


def _drawn(values: Sequence[ir.Value], drawn: Mapping[str, str], feed: Mapping[str, Any]) -> dict[str, Any]:
    """Return random numbers or zeros, in shapes that agree with the inputs that are given."""
    wanted = drawn_inputs([value for value in values if value.name in drawn])
    shapes = {name: given.shape for name, given in feed.items() if isinstance(given, np.ndarray)}
    sizes = likely_sizes(wanted)
    sizes |= {symbol: next(iter(found.values())) for symbol, found in symbol_sizes(values, shapes).items()}
    found = {}
    rng = np.random.default_rng(0)
    for given in wanted:
        array = drawn_array(given, sizes, rng)
        found[given.name] = array if drawn[given.name] == "random" else _zeros(array)
    return found


def _zeros(drawn: Any) -> Any:
    return list(map(_zeros, drawn)) if isinstance(drawn, list) else np.zeros_like(drawn)


def _count(count: int) -> str:
    return "1 input" if count == 1 else f"{count} inputs"
