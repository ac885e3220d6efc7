"""The lines of one function: its items in order, with a variable for what each gives."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from onnx_tf.export.keras_source.blocks import Block, Item
from onnx_tf.export.keras_source.calls import INFIX, Argument, Call, Value
from onnx_tf.export.keras_source.expressions import (
    WIDTH,
    Expression,
    Group,
    called,
    flat,
    laid_out,
    listed,
    literal,
    subscript,
)
from onnx_tf.export.keras_source.families import Families, Family, Leaf, text_of
from onnx_tf.export.keras_source.graph import ANCHOR
from onnx_tf.export.keras_source.names import FunctionNames, LayerNames, hint_of, identifier

__all__ = ["Body", "Shared", "function_lines"]

MAX_INLINE = 40
"""Operations of up to this many characters stand in other expressions."""

MAX_INLINE_WEIGHT = 54
"""Weights of up to this many do."""


@dataclass(frozen=True)
class Shared:
    """What the functions of a source have in common.

    Attributes:
        families: the families.
        functions: the names of their functions.
        layers: the names of layers.
        parameters: the names of the parameters of each family that are no tensors.
        defaults: for each of them the text of its default, or an empty one.
    """

    families: Families
    functions: FunctionNames
    layers: LayerNames
    parameters: dict[Family, list[str]] = field(default_factory=dict)
    defaults: dict[Family, list[str]] = field(default_factory=dict)


class Body:
    """Writes items that correspond to one another in blocks: those of a function, or of the model alone.

    Attributes:
        lines: the lines so far.
    """

    def __init__(
        self, shared: Shared, blocks: Sequence[Block], results: Sequence[Value], family: Family | None
    ) -> None:
        self.shared, self.blocks, self.family = shared, blocks, family
        self.lines: list[str] = []
        self.results = list(results)
        self._items = blocks[0].items
        self._last = {value: i for i, item in enumerate(self._items) for value in shared.families.inputs_of(item)}
        self._count: dict[Value, int] = {}
        self._users: dict[Value, list[Item]] = {}
        for item in self._items:
            for value in shared.families.inputs_of(item):
                self._users.setdefault(value, []).append(item)
                self._count[value] = self._count.get(value, 0) + 1
        for value in results:
            self._last[value] = len(self._items)
            self._count[value] = self._count.get(value, 0) + 2
        self._names: dict[Value, str] = {}
        self._inlined: dict[Value, tuple[Expression, bool]] = {}
        self._kept: set[Value] = set()
        self._anchor = ""
        self.has_returned = False
        self._leaves: dict[tuple[str, ...], str] = {}
        self._reserved: set[str] = set()

    def bind(self, values: Sequence[Value], names: Sequence[str], leaves: dict[tuple[str, ...], str]) -> None:
        """Say what the parameters are called: the tensors, and the others by their texts in each block."""
        self._names.update(zip(values, names, strict=True))
        # The model is made of its inputs; of parameters, functions go on with x alone.
        self._kept = {v for v, own in zip(values, names, strict=True) if not self.family or own != "x"}
        self._leaves = leaves
        self._reserved = set(leaves.values())
        self._anchor = names[0] if names else ""

    def name_of(self, value: Value) -> str:
        """Return the variable that holds a value."""
        return self._names[value]

    def write(self) -> None:
        """Write all items."""
        index = 0
        while index < len(self._items):
            count = self._loop(index)
            if not count:
                self._item(index)
            index += count or 1

    def _item(self, index: int) -> None:
        item = self._items[index]
        rows = [block.items[index] for block in self.blocks]
        if isinstance(item, Block):
            self._assign(index, self._call_of_function(index, self._name_of_item(index)))
            return
        calls = [row for row in rows if isinstance(row, Call)]
        expression, infix = self._expression(calls, index), self._infix(calls)
        if self._can_stand(index, infix or expression):
            self._inlined[item.outputs[0]] = (infix or expression, infix is not None)
            return
        self._assign(index, expression, infix)

    def _can_stand(self, index: int, expression: Expression) -> bool:
        """Tell whether what a call gives is written where it is used: where the next item alone takes it."""
        item = self._items[index]
        is_weight = isinstance(item, Call) and item.function == "Weight"
        limit = MAX_INLINE_WEIGHT if is_weight else MAX_INLINE
        if not isinstance(item, Call) or (item.config is not None and not is_weight) or len(flat(expression)) > limit:
            return False
        is_last = index + 1 == len(self._items)
        if is_last or len(item.outputs) > 1 or self._count.get(item.outputs[0]) != 1:
            return False
        following = self._items[index + 1]
        return isinstance(following, Call) and item.outputs[0] in following.inputs

    def _assign(self, index: int, expression: Expression, infix: str | None = None) -> None:
        """Write the line that gives the results of an item their names, with an operator where that fits."""
        item = self._items[index]
        outputs = self.shared.families.outputs_of(item)
        if self.family and index + 1 == len(self._items) and self.results == outputs:
            self.lines += _line("return ", expression, infix)
            self.has_returned = True
            return
        inputs = self.shared.families.inputs_of(item)
        over = [v for v in inputs if self._last[v] == index and v in self._names and v not in self._kept]
        names = []
        for value in outputs:
            if value not in self._last:
                names.append("_")
                continue
            # What several items take has a name of its own, unless it is the one that all lines go on with.
            free = [self._names[v] for v in over if self._names[v] not in names]
            shared = {self._names[v] for v in over if self._count[v] > 1}
            free = [own for own in free if own == "x" or own not in shared]
            is_one = len(outputs) == 1 and free
            name = (("x" if "x" in free else free[0]) if is_one else None) or self._new(item, index, names)
            names.append(name)
        for value, name in zip(outputs, names, strict=True):
            if name != "_":
                self._names[value] = name
        for value in over:
            if value not in outputs and self._names.get(value) in names:
                self._names.pop(value, None)
        self.lines += _line(f"{', '.join(names)} = ", expression, infix)

    def _new(self, item: Item, index: int, others: Sequence[str]) -> str:
        live = {name for v, name in self._names.items() if v in self._kept or self._last.get(v, -1) >= index}
        scope = self.blocks[0].scope
        inputs = self.shared.families.inputs_of(item)
        if self.family is None and "x" not in live and any(self._last.get(value) == index for value in inputs):
            wanted = "x"
        else:
            wanted = identifier(hint_of(self._chain(index), scope), "y")
        name, count = wanted, 1
        while name in live or name in others or name in self._reserved or name in self.shared.functions.of.values():
            count += 1
            name = f"{wanted}_{count}"
        return name

    def _chain(self, index: int) -> list[Item]:
        """Return the item at an index and those behind it that each take the result of the one before and no other."""
        families, found = self.shared.families, [self._items[index]]
        while True:
            outputs = families.outputs_of(found[-1])
            users = self._users.get(outputs[0], []) if len(outputs) == 1 else []
            if len(users) != 1 or len(families.inputs_of(users[0])) != 1:
                return found
            found.append(users[0])

    def _expression(self, calls: Sequence[Call], index: int) -> Expression:
        call = calls[0]
        if call.function == "[]":
            return f"{self._operand(call.operands[0].value)}[{subscript(call.operands[1].value)}]"
        operands = self._written([c.operands for c in calls])
        if call.config is None:
            head = call.function if isinstance(call.function, str) else self._names[call.function]
            return Group(head, tuple(operands))
        config = self._written([c.config or () for c in calls])
        config.append(("name", self._name_of_item(index)))
        made = Group(str(call.function), tuple(config))
        return Group(made, tuple(operands)) if operands else made

    def _infix(self, calls: Sequence[Call]) -> str | None:
        """Return a sum, difference, product or quotient as Python writes it."""
        function = calls[0].function
        operator = INFIX.get(function) if isinstance(function, str) else None
        if operator is None:
            return None
        rows = list(zip(*(call.operands for call in calls), strict=True))
        parts = []
        for position, row in enumerate(rows):
            argument = row[0]
            if isinstance(argument.value, Value):
                inlined = self._inlined.get(argument.value)
                text = self._operand(argument.value)
                is_tight = operator in "*/" or (position == 1 and operator == "-")
                if inlined and inlined[1] and (is_tight or position == 1):
                    text = f"({text})"
                parts.append(text)
            elif isinstance(argument.value, (int, float)) and not isinstance(argument.value, bool):
                parts.append(flat(self._leaf([a.value for a in row])))
            else:
                return None
        return f" {operator} ".join(parts)

    def _operand(self, value: Value) -> str:
        return flat(self._tensor(value))

    def _tensor(self, value: Value) -> Expression:
        if value in self._inlined:
            return self._inlined[value][0]
        return self._names[value]

    def _written(self, rows: Sequence[Sequence[Argument]]) -> list[tuple[str, Expression]]:
        """Return the arguments to write: not those that are what they are without being given."""
        found: list[tuple[str, Expression]] = []
        must_name = False
        for arguments in zip(*rows, strict=True):
            first = arguments[0]
            values = [argument.value for argument in arguments]
            if all(_is_default(argument) for argument in arguments):
                must_name = True
                continue
            if first.spreads:
                found += [("", self._value([value[i] for value in values])) for i in range(len(first.value))]
                continue
            key = first.name if (must_name or not first.positional) else ""
            found.append((key, self._value(values)))
        return found

    def _value(self, values: Sequence[Any]) -> Expression:
        first = values[0]
        if isinstance(first, Value):
            return self._tensor(first)
        if isinstance(first, str) and first == ANCHOR:
            return self._anchor
        if isinstance(first, (tuple, list)) and any(_has_value(item) for item in first):
            return listed([self._value([value[i] for value in values]) for i in range(len(first))])
        return self._leaf(values)

    def _leaf(self, values: Sequence[Any]) -> Expression:
        texts = tuple(map(text_of, values))
        if len(set(texts)) == 1:
            return literal(values[0])
        if texts in self._leaves:
            return self._leaves[texts]
        assert self.family is not None
        factor, base = self.family.multiples[texts]
        return f"{factor} * {self._leaves[base]}"

    def _name_of_item(self, index: int) -> str:
        """Return the expression of the name of a layer, or of what a function is called with."""
        if self.family is None:
            return flat(literal(self.shared.layers.of[self._items[index]]))
        return _after_name(self.shared.layers.after[self.family][index])

    def _call_of_function(self, index: int, name: str | None) -> Group:
        item = self._items[index]
        assert isinstance(item, Block)
        family = self.shared.families.of[item]
        tensors = [self._tensor(value) for value in self.shared.families.inputs_of(item)]
        leaves = zip(*(self.shared.families.leaves(block.items[index]) for block in self.blocks), strict=True)
        keywords: dict[str, Expression] = {}
        names, defaults = self.shared.parameters[family], self.shared.defaults[family]
        rows = sorted(zip(names, defaults, leaves, strict=True), key=lambda row: bool(row[1]))
        for own, default, row in rows:
            expression = self._leaf([leaf.value for leaf in row])
            if flat(expression) != default:
                keywords[own] = expression
        if family in self.shared.layers.after and name is not None:
            keywords["name"] = name
        return called(self.shared.functions.of[family], *tensors, **keywords)

    def _loop(self, index: int) -> int:
        """Write calls of one function that follow one another as a loop, and return how many these are."""
        count = self._chained(index)
        if count < 3:
            return 0
        item = self._items[index]
        names = self._numbered([self._text_of_name(index + i) for i in range(count)])
        if names is None:
            return 0
        inputs, outputs = self.shared.families.inputs_of(item), self.shared.families.outputs_of(item)
        carried = inputs[self._carried(index)]
        if carried in self._kept or self._last[carried] != index:
            return 0
        numbers, text = names
        self.lines.append(f"    for i in {numbers}:")
        target = self._names[carried]
        self.lines += laid_out(f"{target} = ", self._call_of_function(index, text), indent=8)
        last = self.shared.families.outputs_of(self._items[index + count - 1])
        for i in range(count):
            for value in self.shared.families.outputs_of(self._items[index + i]):
                self._names.pop(value, None)
        self._names.pop(carried, None)
        self._names[last[0]] = target
        assert len(outputs) == 1
        return count

    def _carried(self, index: int) -> int:
        """Return which of an item's inputs the next item gets from it."""
        given = self.shared.families.outputs_of(self._items[index])[0]
        return self.shared.families.inputs_of(self._items[index + 1]).index(given)

    def _chained(self, index: int) -> int:
        """Return how many items from one on do the same with the result of the one before, and with nothing else."""
        families, first = self.shared.families, self._items[index]
        if not isinstance(first, Block):
            return 1
        count = 1
        while index + count < len(self._items):
            before, item = self._items[index + count - 1], self._items[index + count]
            if not isinstance(item, Block) or families.of[item] is not families.of[first]:
                break
            given = families.outputs_of(before)
            old, new = families.inputs_of(before), families.inputs_of(item)
            changed = [(a, b) for a, b in zip(old, new, strict=True) if a != b]
            is_chain = len(given) == 1 and len(changed) == 1 and changed[0][1] == given[0]
            if not is_chain or self._last.get(given[0]) != index + count or not self._same_leaves(index, index + count):
                break
            slot = [a != b for a, b in zip(old, new, strict=True)].index(True)
            if count > 1 and slot != self._carried(index):
                break
            count += 1
        return count

    def _same_leaves(self, one: int, other: int) -> bool:
        families = self.shared.families

        def texts(index: int) -> list[str]:
            return [text_of(leaf.value) for block in self.blocks for leaf in families.leaves(block.items[index])]

        return texts(one) == texts(other)

    def _text_of_name(self, index: int) -> str | None:
        if self.family is None:
            return self.shared.layers.of.get(self._items[index])
        return self.shared.layers.after.get(self.family, {}).get(index)

    def _numbered(self, names: Sequence[str | None]) -> tuple[str, str | None] | None:
        """Return the numbers in names and the expression of a name with ``i`` for them, if they count up."""
        known = [name for name in names if name is not None]
        if len(known) < len(names):
            return f"range({len(names)})", None
        parts = [re.split(r"(\d+)", name) for name in known]
        if len({len(part) for part in parts}) > 1:
            return None
        differing = [i for i, column in enumerate(zip(*parts, strict=True)) if len(set(column)) > 1]
        if len(differing) != 1 or differing[0] % 2 == 0:
            return None
        numbers = [int(part[differing[0]]) for part in parts]
        step = numbers[1] - numbers[0]
        if step < 1 or numbers != list(range(numbers[0], numbers[0] + step * len(numbers), step)):
            return None
        before, after = "".join(parts[0][: differing[0]]), "".join(parts[0][differing[0] + 1 :])
        start, stop = numbers[0], numbers[-1] + 1
        arguments = [str(n) for n in ((stop,) if not start and step == 1 else (start, stop))]
        arguments += [str(step)] * (step > 1)
        own = "" if self.family is None else "{name}"
        return f"range({', '.join(arguments)})", f'f"{own}{before}{{i}}{after}"'


def _line(before: str, expression: Expression, infix: str | None) -> list[str]:
    fits = infix is not None and len(f"    {before}{infix}") <= WIDTH
    return laid_out(before, infix if infix is not None and fits else expression, indent=4)


def _after_name(after: str) -> str:
    return f'f"{{name}}{after}"' if after else "name"


def _has_value(value: Any) -> bool:
    return isinstance(value, Value) or (isinstance(value, (tuple, list)) and any(map(_has_value, value)))


def _is_default(argument: Argument) -> bool:
    if argument.default is inspect.Parameter.empty or isinstance(argument.value, Value) or _has_value(argument.value):
        return False
    return text_of(argument.value) == text_of(argument.default)


def function_lines(shared: Shared, family: Family) -> list[str]:
    """Return the lines of a family's function, and note its parameters' names and defaults."""
    block = family.blocks[0]
    results = [shared.families.outputs_of(block.items[i])[j] for i, j in family.results]
    body = Body(shared, family.blocks, results, family)
    makers = {value: call for call in shared.families.root_calls for value in call.outputs}
    names: list[str] = []
    for values in family.tensors:
        maker = makers.get(values[0])
        wanted = "x" if not names else identifier(hint_of([maker], block.scope[:-1]) if maker else "y", "y")
        names.append(_free(wanted, names))
    parameters: list[str] = []
    texts: dict[tuple[str, ...], str] = {}
    for leaves in family.leaves:
        own = _free(_parameter(leaves[0]), [*names, *parameters])
        parameters.append(own)
        texts[tuple(text_of(leaf.value) for leaf in leaves)] = own
    defaults = [_default(leaves) for leaves in family.leaves]
    shared.parameters[family], shared.defaults[family] = parameters, defaults
    body.bind([values[0] for values in family.tensors], names, texts)
    body.write()
    has_name = family in shared.layers.after
    required = [own for own, default in zip(parameters, defaults, strict=True) if not default]
    optional = [f"{own}={default}" for own, default in zip(parameters, defaults, strict=True) if default]
    signature = called(shared.functions.of[family], *names, *required, *(["name"] if has_name else []), *optional)
    given = [] if body.has_returned else [f"    return {', '.join(map(body.name_of, results))}"]
    return [*laid_out("def ", signature, ":"), *body.lines, *given]


def _free(wanted: str, taken: Sequence[str]) -> str:
    name, count = wanted, 1
    while name in taken:
        count += 1
        name = f"{wanted}_{count}"
    return name


OPERAND_NAMES = {"x2": "other", "x1": "first", "": "value"}


def _parameter(leaf: Leaf) -> str:
    return identifier(OPERAND_NAMES.get(leaf.name, leaf.name), "value")


def _default(leaves: Sequence[Leaf]) -> str:
    """Return the default of a parameter: the one of what it is for where half of the calls have it, or nothing."""
    texts = [text_of(leaf.value) for leaf in leaves]
    usual = "" if leaves[0].default is inspect.Parameter.empty else text_of(leaves[0].default)
    return usual if usual and 2 * texts.count(usual) >= len(texts) else ""
