"""The functions of a source: a signature for each family, and the lines of its first block."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Sequence

from onnx_tf.export.keras_source.body import Body, Shared
from onnx_tf.export.keras_source.expressions import called, laid_out
from onnx_tf.export.keras_source.families import Family
from onnx_tf.export.keras_source.leaves import Leaf, text_of
from onnx_tf.export.keras_source.names import hint_of, identifier

__all__ = ["function_lines"]

OPERANDS = {"x1": "first", "x2": "other", "": "value"}
"""What to call parameters for the operands of operations."""


def function_lines(shared: Shared, family: Family) -> list[str]:
    """Return the lines of a family's function, and note its parameters."""
    block = family.blocks[0]
    results = [shared.families.outputs_of(block.items[i])[j] for i, j in family.results]
    body = Body(shared, family.blocks, results, family)
    names = _tensor_names(shared, family)
    taken = {*names, *shared.functions.of.values()}
    parameters, texts = [], {}
    for leaves in family.leaves:
        own = _free(identifier(OPERANDS.get(leaves[0].name, leaves[0].name), "value"), taken)
        taken.add(own)
        parameters.append((own, _default(leaves)))
        texts[tuple(text_of(leaf.value) for leaf in leaves)] = own
    shared.parameters[family] = parameters
    body.bind([values[0] for values in family.tensors], names, texts)
    body.write()
    required = [own for own, default in parameters if not default]
    required += ["name"] if shared.layers.after[family] else []
    optional = [f"{own}={default}" for own, default in parameters if default]
    signature = called(shared.functions.of[family], *names, *required, *optional)
    given = [] if body.has_returned else [f"    return {', '.join(map(body.name_of, results))}"]
    return [*laid_out("def ", signature, ":"), *body.lines, *given]


def _tensor_names(shared: Shared, family: Family) -> list[str]:
    """Return the names of a function's tensors: x, and what the others are called after."""
    makers = {value: call for call in shared.families.root_calls for value in call.outputs}
    names = ["x"]
    for values in family.tensors[1:]:
        maker = makers.get(values[0])
        wanted = identifier(hint_of([maker], family.blocks[0].scope[:-1]), "y") if maker else "y"
        names.append(_free(wanted, {*names, *shared.functions.of.values()}))
    return names


def _free(wanted: str, taken: Collection[str]) -> str:
    name, count = wanted, 1
    while name in taken:
        count += 1
        name = f"{wanted}_{count}"
    return name


def _default(leaves: Sequence[Leaf]) -> str:
    """Return the default of a parameter: that of what it is for where half of the calls have it, or nothing."""
    texts = [text_of(leaf.value) for leaf in leaves]
    usual = "" if leaves[0].default is inspect.Parameter.empty else text_of(leaves[0].default)
    return usual if usual and 2 * texts.count(usual) >= len(texts) else ""
