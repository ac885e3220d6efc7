"""Clean-up: Transposes that follow each other, Reshapes between them, become one that moves the data once.

The axes of the first operand are cut into atoms, the pieces that the Reshapes between tell apart.
Whatever the chain does, it puts these in another order; atoms that stay together stay one axis.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir
from onnx_ir.convenience import replace_all_uses_with

from onnx_tf.layout.editing import Editor
from onnx_tf.layout.facts import permutation
from onnx_tf.layout.report_builder import ReportBuilder
from onnx_tf.layout.shapes import Dim, Shapes, UnknownDim, reshape_groups
from onnx_tf.origins import hand_on

__all__ = ["compose_transposes"]

_REGROUPING = frozenset({"Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"})

MAX_RANK = 6
"""What LiteRT transposes."""


@dataclass(eq=False)
class _Atom:
    """A piece of an axis; two are the same only if they are the same piece."""

    size: Dim


Axes = list[list[_Atom]]
"""For each axis of a value the atoms that it merges, none for an axis of size 1."""


def compose_transposes(graph: ir.Graph, editor: Editor, builder: ReportBuilder) -> None:
    """Compose what can be composed in a rewritten graph, and keep the report true."""
    shapes = Shapes(graph)
    for node in list(graph):
        if node.op_type == "Transpose" and node.domain == "":
            chain = _chain_to(node)
            moved = None if chain is None else _trace(chain, shapes)
            if chain is not None and moved is not None:
                _replace(chain, *moved, editor=editor, builder=builder)


def _chain_to(last: ir.Node) -> list[ir.Node] | None:
    """Return a Transpose, what regroups its result, and the Transpose that it ends in; each has one reader."""
    chain = [last]
    while True:
        value = chain[0].inputs[0]
        node = value.producer() if value is not None else None
        if value is None or node is None or node.domain != "" or node.graph is not last.graph:
            return None
        if len(value.uses()) != 1 or value.is_graph_output():
            return None
        chain.insert(0, node)
        if node.op_type == "Transpose":
            return chain
        if node.op_type not in _REGROUPING:
            return None


def _trace(chain: Sequence[ir.Node], shapes: Shapes) -> tuple[Axes, Axes] | None:
    """Return the axes of the operand of a chain and of its result, in the same atoms."""
    dims = shapes.dims(chain[0].inputs[0])
    if dims is None or any(d is None or d == 0 for d in dims):
        return None
    given: Axes = [[] if d == 1 else [_Atom(d)] for d in dims]
    axes = list(given)
    for node in chain:
        if node.op_type == "Transpose":
            axes = [axes[a] for a in permutation(node, len(axes))]
            continue
        after = shapes.dims(node.outputs[0])
        regrouped = None if after is None or 0 in after else _regroup(axes, given, after)
        if regrouped is None:
            return None
        axes = regrouped
    return given, axes


def _regroup(axes: Axes, given: Axes, after: Sequence[Dim]) -> Axes | None:
    """Return the axes of a Reshape's result; atoms that it splits are split in the operand too."""
    sequence = [atom for axis in axes for atom in axis]
    result: Axes = [[] for _ in after]
    for group in reshape_groups([atom.size for atom in sequence], after):
        atoms = [sequence[i] for i in group.before]
        places = [i for i in group.after if after[i] != 1]
        if not atoms and not places:
            continue
        if len(places) == 1 and atoms:
            result[places[0]] = atoms
        elif len(atoms) == 1 and places:
            pieces = [_Atom(after[i]) for i in places]
            _substitute(given, atoms[0], pieces)
            for place, piece in zip(places, pieces, strict=True):
                result[place] = [piece]
        elif not _match(atoms, places, given, result, after):
            return None
    return result


def _match(atoms: list[_Atom], places: Sequence[int], given: Axes, result: Axes, after: Sequence[Dim]) -> bool:
    """Give atoms to several axes of known sizes, split where an axis ends within one; return whether that works."""
    waiting = list(atoms)
    for place in places:
        missing = after[place]
        while missing != 1:
            atom = waiting.pop(0) if waiting else None
            if atom is None or not isinstance(missing, int) or not isinstance(atom.size, int):
                return False
            if missing % atom.size == 0:
                missing //= atom.size
            elif atom.size % missing == 0:
                pieces = [_Atom(missing), _Atom(atom.size // missing)]
                _substitute(given, atom, pieces)
                atom, missing = pieces[0], 1
                waiting.insert(0, pieces[1])
            else:
                return False
            result[place].append(atom)
    return not waiting


def _substitute(axes: Axes, atom: _Atom, pieces: list[_Atom]) -> None:
    for axis in axes:
        if atom in axis:
            index = axis.index(atom)
            axis[index : index + 1] = pieces


def _replace(chain: Sequence[ir.Node], given: Axes, wanted: Axes, *, editor: Editor, builder: ReportBuilder) -> None:
    first, last = chain[0], chain[-1]
    source, result = first.inputs[0], last.outputs[0]
    assert source is not None
    movement = _movement(given, wanted)
    if movement is None:
        return
    runs, perm = movement
    moved = [runs[i] for i in perm]
    before, why = builder.movements.get(first.outputs[0]), builder.movements.get(result)
    name = str(result.name)
    found = _reshaped(source, given, runs, f"{name}_atoms", editor, last)
    if perm != sorted(perm):
        attributes: dict[str, object] = {"perm": perm}
        dims = [_size(run) for run in moved]
        found = editor.emit("Transpose", [found], before=last, attributes=attributes, dims=dims, name=f"{name}_moved")
        if before is not None and why is not None:
            builder.movements[found] = dataclasses.replace(why, value=before.value, nbytes=before.nbytes)
    found = _reshaped(found, moved, wanted, f"{name}_composed", editor, last)
    if found is source:
        found = editor.emit("Identity", [source], before=last, name=f"{name}_composed")
    found.shape = result.shape
    hand_on(result, found)
    if result in builder.channels_last:
        builder.channels_last.add(found)
    replace_all_uses_with(result, found, replace_graph_outputs=True)
    editor.graph.remove(list(chain), safe=True)
    found.name = name


def _movement(given: Axes, wanted: Axes) -> tuple[Axes, list[int]] | None:
    """Return the axes among which data moves, and how; as few as can be stated with what is known of sizes."""
    for runs in (_runs(given, wanted), [[atom] for axis in given for atom in axis]):
        place = {run[0]: i for i, run in enumerate(runs)}
        perm = [place[atom] for axis in wanted for atom in axis if atom in place]
        if len(runs) <= MAX_RANK and _can_reshape(given, runs) and _can_reshape([runs[i] for i in perm], wanted):
            return runs, perm
    return None


def _runs(given: Axes, wanted: Axes) -> Axes:
    """Return the atoms in their present order, those together that stay together."""
    target = [atom for axis in wanted for atom in axis]
    follows = dict(itertools.pairwise(target))
    runs: Axes = []
    for atom in (atom for axis in given for atom in axis):
        if runs and follows.get(runs[-1][-1]) is atom:
            runs[-1].append(atom)
        else:
            runs.append([atom])
    return runs


def _can_reshape(before: Axes, after: Axes) -> bool:
    return before == after or _target(before, after).count(-1) <= 1


def _target(before: Axes, after: Axes) -> list[int]:
    """Return the shape input of a Reshape: 0 keeps the dimension at that place, -1 is not known."""
    target = []
    for index, axis in enumerate(after):
        size = _size(axis)
        kept = index < len(before) and before[index] == axis
        target.append(size if isinstance(size, int) else 0 if kept else -1)
    return target


def _size(axis: Sequence[_Atom]) -> Dim:
    """Return the size of merged atoms."""
    if len(axis) == 1:
        return axis[0].size
    product = 1
    for atom in axis:
        if not isinstance(atom.size, int):
            return UnknownDim("")
        product *= atom.size
    return product


def _reshaped(value: ir.Value, before: Axes, after: Axes, name: str, editor: Editor, node: ir.Node) -> ir.Value:
    if before == after:
        return value
    return editor.reshape(value, _target(before, after), [_size(axis) for axis in after], name, before=node)
