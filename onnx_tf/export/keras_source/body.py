"""The lines of one function: its items in order, with a variable for what each gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from onnx_tf.export.keras_source.blocks import Block, Item
from onnx_tf.export.keras_source.calls import Call, Value
from onnx_tf.export.keras_source.expressions import (
    WIDTH,
    Expression,
    Group,
    called,
    flat,
    laid_out,
    literal,
    subscript,
)
from onnx_tf.export.keras_source.families import Families, Family
from onnx_tf.export.keras_source.loops import carried, chained, numbered
from onnx_tf.export.keras_source.names import FunctionNames, LayerNames, hint_of, identifier
from onnx_tf.export.keras_source.scope import Scope

__all__ = ["Body", "Shared"]

MAX_INLINE = 40
"""Operations of up to this many characters stand in other expressions."""

MAX_INLINE_WEIGHT = 54
"""Weights of up to this many do."""

MIN_LOOP = 3
"""Fewer calls than this are no loop."""


@dataclass(frozen=True)
class Shared:
    """What the functions of a source have in common.

    Attributes:
        families: the families.
        functions: the names of their functions.
        layers: the names of layers.
        parameters: of each family that is written, the parameters that are no tensors, with the text of their
            defaults; it is empty for those without one.
    """

    families: Families
    functions: FunctionNames
    layers: LayerNames
    parameters: dict[Family, list[tuple[str, str]]] = field(default_factory=dict)


class Body:
    """Writes items that correspond to one another in blocks: those of a function, or of the model alone.

    Attributes:
        lines: the lines so far.
        has_returned: whether the last of them returns the results.
    """

    def __init__(
        self, shared: Shared, blocks: Sequence[Block], results: Sequence[Value], family: Family | None = None
    ) -> None:
        self.lines: list[str] = []
        self.has_returned = False
        self._shared, self._blocks, self._family = shared, blocks, family
        self._families, self._items, self._results = shared.families, blocks[0].items, list(results)
        self._is_called_once = family is None or family.is_nested
        self._users: dict[Value, list[int]] = {}
        for index, item in enumerate(self._items):
            for value in self._families.inputs_of(item):
                self._users.setdefault(value, []).append(index)
        for value in results:
            self._users.setdefault(value, []).append(len(self._items))
        self._ended: dict[Value, list[Value]] = {}
        self.bind([], [], {})

    def bind(self, values: Sequence[Value], names: Sequence[str], leaves: Mapping[tuple[str, ...], str]) -> None:
        """Say what the parameters are called: the tensors, and the others by their texts in each block."""
        self._scope = Scope(self._family, leaves, names[0] if names else "")
        self._scope.names.update(zip(values, names, strict=True))
        # The model is made of its inputs; of parameters, functions go on with x alone.
        self._kept = {v for v, own in zip(values, names, strict=True) if not self._family or own != "x"}
        self._reserved = {*leaves.values(), *self._shared.functions.of.values()}

    def name_of(self, value: Value) -> str:
        """Return the variable that holds a value."""
        return self._scope.names[value]

    def write(self) -> None:
        """Write all items."""
        index = 0
        while index < len(self._items):
            count = self._loop(index)
            if not count:
                self._item(index)
            index += count or 1

    def _item(self, index: int) -> None:
        rows = [block.items[index] for block in self._blocks]
        calls = [row for row in rows if isinstance(row, Call)]
        if not calls:
            self._assign(index, self._call_of_function(index, self._name_of_item(index)))
            return
        expression, infix = self._expression(calls, index), self._scope.infix(calls)
        if self._can_stand(index, infix or expression):
            self._scope.inlined[calls[0].outputs[0]] = (infix or expression, infix is not None)
            self._ended[calls[0].outputs[0]] = self._ending(index)
        else:
            self._assign(index, expression, infix)

    def _can_stand(self, index: int, expression: Expression) -> bool:
        """Tell whether what a call gives is written where it is used: where the next item alone takes it."""
        item = self._items[index]
        is_weight = isinstance(item, Call) and item.function == "Weight"
        limit = MAX_INLINE_WEIGHT if is_weight else MAX_INLINE
        if not isinstance(item, Call) or (item.config is not None and not is_weight) or len(flat(expression)) > limit:
            return False
        is_alone = len(item.outputs) == 1 and self._users.get(item.outputs[0]) == [index + 1]
        return is_alone and index + 1 < len(self._items) and isinstance(self._items[index + 1], Call)

    def _ending(self, index: int) -> list[Value]:
        """Return the values in variables that nothing takes behind an item, so that it can have their names."""
        inputs = self._families.inputs_of(self._items[index])
        inner = [value for own in inputs for value in self._ended.get(own, ())]
        last = [value for value in inputs if self._users[value][-1] == index]
        return [v for v in (*last, *inner) if v in self._scope.names and v not in self._kept]

    def _assign(self, index: int, expression: Expression, infix: str | None = None) -> None:
        """Write the line that gives the results of an item their names, with an operator where that fits."""
        item, names = self._items[index], self._scope.names
        outputs = self._families.outputs_of(item)
        if self._family and index + 1 == len(self._items) and self._results == outputs:
            self.lines += _line("return ", expression, infix)
            self.has_returned = True
            return
        ending = self._ending(index)
        # What several items take has a name of its own, unless it is the one that all lines go on with.
        free = [names[v] for v in ending if names[v] == "x" or len(self._users[v]) == 1]
        found: list[str] = []
        for value in outputs:
            if value not in self._users:
                found.append("_")
            elif len(outputs) == 1 and free:
                found.append("x" if "x" in free else free[0])
            else:
                found.append(self._new(index, found))
        for value in ending:
            if names.get(value) in found:
                del names[value]
        names.update((v, name) for v, name in zip(outputs, found, strict=True) if name != "_")
        self.lines += _line(f"{', '.join(found)} = ", expression, infix)

    def _new(self, index: int, others: Sequence[str]) -> str:
        names = self._scope.names
        live = {name for v, name in names.items() if v in self._kept or self._users.get(v, [-1])[-1] >= index}
        inputs = self._families.inputs_of(self._items[index])
        goes_on = any(self._users[value][-1] == index for value in inputs)
        is_main = self._family is None and "x" not in live and goes_on
        wanted = "x" if is_main else identifier(hint_of(self._chain(index), self._blocks[0].scope), "y")
        name, count = wanted, 1
        while name in live or name in others or name in self._reserved:
            count += 1
            name = f"{wanted}_{count}"
        return name

    def _chain(self, index: int) -> list[Item]:
        """Return the item at an index and those behind it that each take the result of the one before and no other."""
        found = [self._items[index]]
        while True:
            outputs = self._families.outputs_of(found[-1])
            users = self._users.get(outputs[0], []) if len(outputs) == 1 else []
            if len(users) != 1 or users[0] == len(self._items):
                return found
            if len(self._families.inputs_of(self._items[users[0]])) != 1:
                return found
            found.append(self._items[users[0]])

    def _expression(self, calls: Sequence[Call], index: int) -> Expression:
        call, scope = calls[0], self._scope
        if call.function == "[]":
            return f"{flat(scope.tensor(call.operands[0].value))}[{subscript(call.operands[1].value)}]"
        operands = tuple(scope.arguments([c.operands for c in calls]))
        if call.config is None:
            head = call.function if isinstance(call.function, str) else scope.names[call.function]
            return Group(head, operands)
        config = scope.arguments([c.config or () for c in calls])
        made = Group(str(call.function), (*config, ("name", self._name_of_item(index))))
        return Group(made, operands) if operands else made

    def _name_of_item(self, index: int) -> str:
        """Return the expression of the name of a layer, or of what a function is called with."""
        text = self._text_of_name(index) or ""
        if self._is_called_once:
            return flat(literal(text))
        return f'f"{{name}}{text}"' if text else "name"

    def _text_of_name(self, index: int) -> str | None:
        """Return the name of an item, or what in a function follows ``name``; ``None`` for those without layers."""
        layers = self._shared.layers
        if self._family is None or self._is_called_once:
            return layers.of.get(self._items[index])
        return layers.after[self._family].get(index)

    def _call_of_function(self, index: int, name: str | None) -> Group:
        item = self._items[index]
        assert isinstance(item, Block)
        family = self._families.of[item]
        tensors = [self._scope.tensor(value) for value in self._families.inputs_of(item)]
        if family.is_nested:
            function = self._shared.functions.of[family]
            return called("nested", function, *tensors, name=literal(function))
        leaves = zip(*(self._families.leaves(block.items[index]) for block in self._blocks), strict=True)
        keywords: dict[str, Expression] = {}
        rows = zip(self._shared.parameters[family], leaves, strict=True)
        for (own, default), row in sorted(rows, key=lambda pair: bool(pair[0][1])):
            expression = self._scope.leaf([leaf.value for leaf in row])
            if flat(expression) != default:
                keywords[own] = expression
        if self._shared.layers.after[family] and name is not None:
            keywords["name"] = name
        return called(self._shared.functions.of[family], *tensors, **keywords)

    def _loop(self, index: int) -> int:
        """Write calls of one function that follow one another as a loop, and return how many these are."""
        count = chained(self._families, self._blocks, index)
        if count < MIN_LOOP:
            return 0
        given = [self._families.outputs_of(self._items[index + i])[0] for i in range(count)]
        first = self._families.inputs_of(self._items[index])[carried(self._families, self._blocks[0], index)]
        is_alone = all(self._users[value] == [index + i + 1] for i, value in enumerate(given[:-1]))
        if not is_alone or first in self._kept or self._users[first][-1] != index:
            return 0
        names = [self._text_of_name(index + i) for i in range(count)]
        counted = numbered(names, "" if self._is_called_once else "{name}")
        if counted is None:
            return 0
        numbers, text = counted
        target = self._scope.names[first]
        self.lines.append(f"    for i in {numbers}:")
        self.lines += laid_out(f"{target} = ", self._call_of_function(index, text), indent=8)
        del self._scope.names[first]
        self._scope.names[given[-1]] = target
        return count


def _line(before: str, expression: Expression, infix: str | None) -> list[str]:
    fits = infix is not None and len(f"    {before}{infix}") <= WIDTH
    return laid_out(before, infix if infix is not None and fits else expression, indent=4)
