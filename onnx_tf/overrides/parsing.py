"""Make entries of what a file of overrides holds; keys that are not known are refused, all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from onnx_tf.errors import EditError
from onnx_tf.overrides.entries import NodeOverride, Overrides, Replacement, Target
from onnx_tf.telling import did_you_mean

__all__ = ["parse"]

_KEYS = ("nodes", "rename_inputs", "rename_outputs")
_NODE_KEYS = ("node", "attributes", "inputs", "transpose_before", "transpose_after", "replace_by")
_CHANGES = _NODE_KEYS[1:]
_ONNX2TF_KEYS = ("format_version", "operations", "model", "issue", "command", "comment", "description", "_comment")
"""Of these only two say something: people note where a file is from."""
_TARGETS: Mapping[str, Target] = {"attributes": "attributes", "inputs": "inputs", "outputs": "outputs", "op": "op"}
_PERMS = ("pre_process_transpose_perm", "post_process_transpose_perm")
_OPERATION_KEYS = ("op_name", "param_target", "param_name", "values", *_PERMS)


def parse(content: Mapping[str, Any]) -> Overrides:
    """Return the overrides that a mapping states, of this package's form or of onnx2tf's.

    Raises:
        EditError: some entries are not of the form; the error lists all of them.
    """
    problems: list[str] = []
    is_onnx2tf = "format_version" in content or "operations" in content
    found = _onnx2tf(content, problems) if is_onnx2tf else _own(content, problems)
    if problems:
        raise EditError("\n  ".join(["overrides that are not of the form:", *problems]))
    return found


def _own(content: Mapping[str, Any], problems: list[str]) -> Overrides:
    _refuse_unknown(content, _KEYS, "", problems)
    nodes = [
        _node(entry, f"nodes[{index}]", problems)
        for index, entry in enumerate(_list(content.get("nodes"), "nodes", problems))
    ]
    inputs, outputs = (_names(content.get(key), key, problems) for key in _KEYS[1:])
    return Overrides(tuple(nodes), rename_inputs=inputs, rename_outputs=outputs)


def _node(entry: Any, place: str, problems: list[str]) -> NodeOverride:
    if not isinstance(entry, Mapping):
        problems.append(f"{place}: a mapping with the key 'node' is expected, not {entry!r}")
        return NodeOverride("")
    name = _name(entry, "node", place, problems)
    place = f"{place} ({name})"
    _refuse_unknown(entry, _NODE_KEYS, f"{place}: ", problems)
    if not any(key in entry for key in _CHANGES):
        problems.append(f"{place}: it changes nothing: state one of {', '.join(_CHANGES)}")
    mappings = {key: _mapping(entry.get(key), f"{place}: {key}", problems) for key in _CHANGES[:4]}
    for key in _CHANGES[2:4]:
        perms = {name: _perm(perm, f"{place}: {key}: {name}", problems) for name, perm in mappings[key].items()}
        mappings[key] = perms
    replace_by = entry.get("replace_by")
    if replace_by is not None and not (isinstance(replace_by, str) and replace_by.rpartition(".")[2]):
        problems.append(f"{place}: replace_by: the name of an operator is expected, not {replace_by!r}")
    return NodeOverride(name, **mappings, replace_by=replace_by, place=place)


def _onnx2tf(content: Mapping[str, Any], problems: list[str]) -> Overrides:
    _refuse_unknown(content, _ONNX2TF_KEYS, "", problems)
    if content.get("format_version") != 1:
        problems.append(f"format_version: 1 is what is known, not {content.get('format_version')!r}")
    entries = _list(content.get("operations"), "operations", problems)
    # Files of this kind say some things twice.
    distinct = {index: entry for index, entry in enumerate(entries) if entry not in entries[:index]}
    made = [_replacement(entry, f"operations[{index}]", problems) for index, entry in distinct.items()]
    return Overrides(replacements=tuple(entry for entry in made if entry is not None))


def _replacement(entry: Any, place: str, problems: list[str]) -> Replacement | None:
    if not isinstance(entry, Mapping):
        problems.append(f"{place}: a mapping with the key 'op_name' is expected, not {entry!r}")
        return None
    name = _name(entry, "op_name", place, problems)
    place = f"{place} ({name})"
    target = _TARGETS.get(str(entry.get("param_target")))
    if target is None:
        given = entry.get("param_target")
        problems.append(f"{place}: param_target: {', '.join(_TARGETS)} are known, not {given!r}")
        return None
    if target == "op":
        settings = {key: value for key, value in entry.items() if key not in _OPERATION_KEYS[:3]}
        if not settings:
            problems.append(f"{place}: it states nothing of the operation")
        return Replacement(name, target, settings=settings, place=place)
    _refuse_unknown(entry, _OPERATION_KEYS, f"{place}: ", problems)
    parameter = _name(entry, "param_name", place, problems)
    before, after = (_perm(entry[key], f"{place}: {key}", problems) if key in entry else None for key in _PERMS)
    wanted = {"attributes": ("values",), "inputs": ("values", _PERMS[0]), "outputs": (_PERMS[1],)}[target]
    if set(entry).isdisjoint(wanted):
        problems.append(f"{place}: it changes nothing: for {target}, state {' or '.join(wanted)}")
    others = {"values", *_PERMS}.difference(wanted).intersection(entry)
    if others:
        problems.append(f"{place}: {', '.join(sorted(others))} is not for param_target {target!r}")
    return Replacement(name, target, parameter, "values" in entry, entry.get("values"), before, after, place=place)


def _refuse_unknown(entry: Mapping[str, Any], known: Sequence[str], place: str, problems: list[str]) -> None:
    for key in entry:
        if key not in known:
            near = did_you_mean(str(key), known)
            problems.append(f"{place}the key {key!r} is not known{near}; known are {', '.join(known)}")


def _name(entry: Mapping[str, Any], key: str, place: str, problems: list[str]) -> str:
    name = entry.get(key)
    if not isinstance(name, str) or not name:
        problems.append(f"{place}: {key}: a name is expected, not {name!r}")
    return str(name)


def _list(value: Any, place: str, problems: list[str]) -> Sequence[Any]:
    return _checked(value, [], lambda v: isinstance(v, (list, tuple)), f"{place}: a list is expected", problems)


def _mapping(value: Any, place: str, problems: list[str]) -> dict[str, Any]:
    is_fine = lambda v: isinstance(v, Mapping) and all(isinstance(k, str) for k in v)  # noqa: E731
    return dict(_checked(value, {}, is_fine, f"{place}: a mapping by names is expected", problems))


def _names(value: Any, place: str, problems: list[str]) -> dict[str, str]:
    found = _mapping(value, place, problems)
    for old, new in found.items():
        if not isinstance(new, str) or not new:
            problems.append(f"{place}: {old}: a name is expected, not {new!r}")
    return found


def _checked(value: Any, default: Any, is_fine: Callable[[Any], bool], text: str, problems: list[str]) -> Any:
    if value is None or is_fine(value):
        return default if value is None else value
    problems.append(f"{text}, not {value!r}")
    return default


def _perm(value: Any, place: str, problems: list[str]) -> tuple[int, ...]:
    numbers = value.tolist() if isinstance(value, np.ndarray) else value
    is_list = isinstance(numbers, (list, tuple)) and all(type(n) is int for n in numbers)
    if not is_list or sorted(numbers) != list(range(len(numbers))):
        problems.append(f"{place}: a permutation is expected, as in [0, 2, 3, 1], not {value!r}")
        return ()
    return tuple(numbers)
