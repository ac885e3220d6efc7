"""The entries of overrides, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["NodeOverride", "Overrides", "Replacement", "Target"]

Target = Literal["attributes", "inputs", "outputs", "op"]


@dataclass(frozen=True)
class NodeOverride:
    """What is changed of one node.

    Attributes:
        node: its name, or that of a value that it computes.
        attributes: values by attribute; ``None`` takes an attribute away, so that its default holds.
        inputs: constants by input, which is called as the value is or as the operator's schema calls it; ``None``
            leaves an optional input out.
        transpose_before: by input, the permutation of a Transpose that goes before the node.
        transpose_after: by output, that of one that goes behind it.
        replace_by: an operator that is computed instead, as in ``my.domain.Swish``, with the node's inputs and outputs
            and with ``attributes`` alone; a registered handler computes it.
        place: what errors call the entry.
    """

    node: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    transpose_before: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    transpose_after: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    replace_by: str | None = None
    place: str = ""


@dataclass(frozen=True)
class Replacement:
    """An entry of onnx2tf's parameter replacement, in the terms of its channels-last graph.

    Attributes:
        node: ``op_name``: the name of the ONNX node.
        target: ``param_target``: what is replaced.
        parameter: ``param_name``: the attribute, or the ONNX name of the input or output; empty for ``op``.
        has_values: whether ``values`` are given.
        values: the value of the attribute or of the constant.
        pre_process_transpose_perm: the permutation of a Transpose before the node.
        post_process_transpose_perm: that of one behind it.
        settings: for the target ``op``, all that is stated of the operation.
        place: what errors call the entry.
    """

    node: str
    target: Target
    parameter: str = ""
    has_values: bool = False
    values: Any = None
    pre_process_transpose_perm: tuple[int, ...] | None = None
    post_process_transpose_perm: tuple[int, ...] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    place: str = ""


@dataclass(frozen=True)
class Overrides:
    """What is changed of a model before anything else is done with it; empty ones are false.

    Attributes:
        nodes: entries in order; a node may have several.
        replacements: those in onnx2tf's terms.
        rename_inputs: new names by those of graph inputs.
        rename_outputs: new names by those of graph outputs.
    """

    nodes: tuple[NodeOverride, ...] = ()
    replacements: tuple[Replacement, ...] = ()
    rename_inputs: Mapping[str, str] = field(default_factory=dict)
    rename_outputs: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.nodes or self.replacements or self.rename_inputs or self.rename_outputs)
