"""Names in a source: of functions, of layers, and what values are called."""

from __future__ import annotations

import builtins
import collections
import itertools
import keyword
import re
from collections.abc import Iterable, Sequence

from onnx_tf.export.keras._place import Names
from onnx_tf.export.keras.steps import scope_of
from onnx_tf.export.keras_source.blocks import Block, Item
from onnx_tf.export.keras_source.calls import Call
from onnx_tf.export.keras_source.families import Families, Family

__all__ = ["FunctionNames", "LayerNames", "hint_of", "identifier", "singular"]

TAKEN = {"keras", "layers", "np", "ops", "name", "i", "build_model", "load_weights", "nested", "Weight"}
"""What names in the source stand for already."""

GENERIC = {"conv", "activ", "act", "activation", "linear", "dense", "relu", "norm", "bn", "lin"}
"""Scopes that say no more than the layer in them."""

MAX_LENGTH = 24


def identifier(text: str, other: str = "x") -> str:
    """Return a name of Python's out of any text: lower-case words and ``_``; another where nothing is left."""
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower())
    while len(words) > 1 and len("_".join(words)) > MAX_LENGTH:
        words.pop(0)
    found = "_".join(words)[:MAX_LENGTH].strip("_") or other
    found = f"{other}_{found}" if found[0].isdigit() else found
    is_taken = keyword.iskeyword(found) or found in TAKEN or hasattr(builtins, found)
    return {"input": "inputs"}.get(found, f"{found}_") if is_taken else found


def singular(scope: Sequence[str]) -> str:
    """Return what one of the blocks of a scope is called: ``layer`` for ``a/layers.3`` and for ``a/layer/3``."""
    parts = list(scope)
    while parts and re.fullmatch(r"[\d._]+|self", parts[-1]):
        parts.pop()
    last = parts[-1] if parts else ""
    word = re.sub(r"[._]?\d+$", "", last.split(".")[-1] if not re.search(r"\.\d+$", last) else last)
    word = word.split(".")[-1]
    is_counted = word != last or len(parts) < len(scope)
    return word[:-1] if is_counted and len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def hint_of(items: Sequence[Item], scope: Sequence[str]) -> str:
    """Return what to call the result of items of which each takes that of the one before, in the function of a scope.

    It is the scope that they share; where but one scope within it is theirs, that one.
    """
    inner = [own for own in (_within(item, scope) for item in items) if own]
    common = inner[0] if inner else ()
    while common and any(own[: len(common)] != common for own in inner):
        common = common[:-1]
    further = {own[len(common)] for own in inner if len(own) > len(common)}
    parts = [*common, *further] if len(further) == 1 else list(common) or sorted(further)[:1]
    while len(parts) > 1 and parts[-1].lower() in GENERIC:
        parts.pop()
    word = singular(parts[-1:])
    return word if len(word) > 1 else _kind(items[0])


def _within(item: Item, scope: Sequence[str]) -> tuple[str, ...]:
    """Return the scopes of an item inside another scope."""
    own = item.scope if isinstance(item, Block) else scope_of(item.place)
    return own[len(scope) :] if own[: len(scope)] == tuple(scope) else own


def _kind(item: Item) -> str:
    """Return what an item is, for want of a name."""
    if isinstance(item, Block) or not isinstance(item.function, str):
        return "y"
    return {"Weight": "weight", "[]": "part"}.get(item.function, item.function.split(".")[-1])


class FunctionNames:
    """A name for the function of each family: what its scopes have in common."""

    def __init__(self, families: Sequence[Family]) -> None:
        self.of: dict[Family, str] = {}
        self._plain: dict[str, Family] = {}
        for family in sorted(families, key=lambda family: -len(family.blocks)):
            self.of[family] = self._take(family)

    def _take(self, family: Family) -> str:
        word = _common_word([singular(block.scope) for block in family.blocks])
        word = identifier(word or ("part" if family.is_nested else _layer_of(family)), "block")
        plain = self._plain.setdefault(word, family)
        if plain is not family and not family.is_nested:
            others = _scopes_in(plain)
            own = [scope for scope in _scopes_in(family) if scope not in others]
            word = f"{word}_with_{identifier(own[0])}" if own else word
        name, count = word, 1
        while name in self.of.values():
            count += 1
            name = f"{word.rstrip('_')}_{count}"
        return name


def _common_word(words: Sequence[str]) -> str:
    """Return what words have in common at their ends or beginnings, in whole parts between ``_``."""
    rows = [word.split("_") for word in words]
    end = _equal(zip(*(row[::-1] for row in rows), strict=False))
    return "_".join(end[::-1] or _equal(zip(*rows, strict=False)))


def _equal(columns: Iterable[tuple[str, ...]]) -> list[str]:
    return [parts[0] for parts in itertools.takewhile(lambda parts: len(set(parts)) == 1, columns)]


def _layer_of(family: Family) -> str:
    """Return the class of the first layer in a family's blocks, if they are short."""
    calls = list(family.blocks[0].calls())
    named = [call for call in calls if call.layer and call.function != "Weight"]
    return str((named or calls)[0].function).split(".")[-1] if len(calls) < 4 else "block"


def _scopes_in(family: Family) -> list[str]:
    """Return the scopes in a family's blocks, without those around them and without numbers."""
    block = family.blocks[0]
    parts = [scope_of(call.place)[len(block.scope) :] for call in block.calls()]
    return list(dict.fromkeys(singular([part]) for own in parts for part in own[:1] if singular([part])))


class LayerNames:
    """The names of layers: a function's ``name`` and what follows it.

    Attributes:
        after: for each item of a family's blocks that has a name, what follows the function's ``name`` in it.
        of: the name of each layer, and for each block that is a function what it is called with.
    """

    def __init__(self, root: Block, families: Families, functions: FunctionNames) -> None:
        self.after: dict[Family, dict[int, str]] = {}
        self.of: dict[Item, str] = {}
        self._numbered: set[Family] = set()
        calls = [call for call in root.calls() if call.layer]
        while True:
            self.of.clear()
            self.of.update((call, call.layer) for call in calls)
            self._prefixes = Names()
            for family in families.all:
                self._name(family, functions.of[family])
            self._settle(root, families)
            if not self._number(calls, families):
                break

    def _number(self, calls: Sequence[Call], families: Families) -> bool:
        """Give families names of their own in which two layers have got one name, and tell whether there are such."""
        count = collections.Counter(self.of[call] for call in calls)
        twice = {call for call in calls if count[self.of[call]] > 1}
        inside = [f for f in families.all if any(not twice.isdisjoint(block.calls()) for block in f.blocks)]
        found = [family for family in inside if family not in self._numbered][:1]
        self._numbered.update(found)
        return bool(found)

    def _name(self, family: Family, function: str) -> None:
        named = [i for i, item in enumerate(family.blocks[0].items) if item in self.of]
        rows = [[self.of[block.items[i]] for i in named] for block in family.blocks]
        self.after[family] = {}
        if not named or family.is_nested:
            return
        scopes = [_safe("/".join(block.scope)) for block in family.blocks]
        prefixes, ends = ([], []) if family in self._numbered else _split(rows, scopes)
        if not prefixes:
            prefixes, ends = self._made(rows, scopes, function, family in self._numbered)
        self.after[family] = dict(zip(named, ends, strict=True))
        self.of.update(zip(family.blocks, prefixes, strict=True))

    def _made(
        self, rows: Sequence[Sequence[str]], scopes: Sequence[str], function: str, is_numbered: bool
    ) -> tuple[list[str], list[str]]:
        """Return what the names of each block are to begin with, and what is to follow for all: as in the first."""
        pairs = list(zip(rows, scopes, strict=True))
        is_own = not is_numbered and len(set(scopes)) == len(rows)
        if is_own and all(name.startswith(f"{own}_") for row, own in pairs for name in row):
            ends = [[name[len(own) :] for name in row] for row, own in pairs]
            return list(scopes), _short(ends)
        first = [name.removeprefix(f"{scopes[0]}_") for name in rows[0]]
        prefixes = [self._prefixes.take(f"{function}_{i}") for i in range(1, len(rows) + 1)]
        return prefixes, _short([[f"_{name}" for name in first]])

    def _settle(self, block: Block, families: Families) -> None:
        """Give the items of a block's functions the names that these make, from the outermost on."""
        for item in block.items:
            if not isinstance(item, Block):
                continue
            family = families.of[item]
            for index, after in self.after[family].items():
                self.of[item.items[index]] = self.of[item] + after
            self._settle(item, families)


def _safe(text: str) -> str:
    return Names().take(text) if text else ""


def _split(rows: Sequence[Sequence[str]], scopes: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return what the names of each block begin with, and what follows, which is the same for all; else nothing."""
    first = [row[0] for row in rows]
    common = first[0]
    while common and not all(name.endswith(common) for name in first):
        common = common[1:]
    while common and not common.startswith("_"):
        common = common[1:]
    own = [name[: len(name) - len(common)] for name in first]
    for prefixes in (scopes, own):
        if len(set(prefixes)) < len(rows) or not all(prefixes):
            continue
        if all(name.startswith(prefix) for row, prefix in zip(rows, prefixes, strict=True) for name in row):
            ends = [[name[len(p) :] for name in row] for row, p in zip(rows, prefixes, strict=True)]
            if all(end == ends[0] for end in ends) and len(set(ends[0])) == len(ends[0]):
                return list(prefixes), ends[0]
    return [], []


def _short(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the names in the first row, without numbers at the ends of those that differ from row to row."""
    taken, found = set(), []
    for column in zip(*rows, strict=True):
        is_own = len(set(column)) == 1 and len(rows) > 1
        name = plain = column[0] if is_own else re.sub(r"(_\d+)+$", "", column[0])
        count = 1
        while name in taken:
            count += 1
            name = f"{plain}_{count}"
        taken.add(name)
        found.append(name)
    return found
