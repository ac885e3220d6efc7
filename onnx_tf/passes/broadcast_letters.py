"""Give axes of size 1 that an Einsum broadcasts letters of their own, which shape inference and layouts understand.

Both take a letter for one size in all operands. A letter of one operand alone is summed over, and the
sum of one element is the element: ``ij,jk->ijk`` of [2, 1] and [3, 4] is ``iz,jk->ijk``.
"""

from __future__ import annotations

import string

import onnx_ir as ir

from onnx_tf.schema import string_attribute

__all__ = ["rename_broadcast_letters"]


def rename_broadcast_letters(node: ir.Node) -> bool:
    """Rename the letters of an Einsum that have size 1 in one operand and another in others; return whether any was."""
    if node.domain != "" or node.op_type != "Einsum":
        return False
    given, arrow, result = string_attribute(node, "equation").replace(" ", "").partition("->")
    if not arrow:
        once = sorted(letter for letter in set(given) - set(",.") if given.count(letter) == 1)
        result = "".join(["..." if "..." in given else "", *once])
    terms = given.split(",")
    if len(terms) != len(node.inputs):
        return False
    sizes = [_sizes(term, value) for term, value in zip(terms, node.inputs, strict=True)]
    free = [letter for letter in string.ascii_letters if letter not in given + result]
    renamed = list(terms)
    for index, own in enumerate(sizes):
        for letter, size in own.items():
            others = [other.get(letter) for i, other in enumerate(sizes) if i != index and letter in terms[i]]
            if size == 1 and any(other != 1 for other in others) and terms[index].count(letter) == 1 and free:
                renamed[index] = renamed[index].replace(letter, free.pop())
    if renamed == terms:
        return False
    node.attributes["equation"] = ir.AttrString("equation", f"{','.join(renamed)}->{result}")
    return True


def _sizes(term: str, value: ir.Value | None) -> dict[str, int | ir.SymbolicDim]:
    """Return the dimension of each letter of an operand; none where they do not fit its shape."""
    if value is None or value.shape is None:
        return {}
    before, dots, after = term.partition("...")
    dims = value.shape.dims
    if len(before) + len(after) > len(dims) or (not dots and len(before) != len(dims)):
        return {}
    return dict(zip(before + after, [*dims[: len(before)], *dims[len(dims) - len(after) :]], strict=True))
