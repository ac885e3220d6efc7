"""Shapes that a file declares, held against those that its nodes compute."""

from __future__ import annotations

import warnings

import onnx_ir as ir

__all__ = ["DeclaredShapes"]


class DeclaredShapes:
    """What a model states of computed values before :func:`onnx_tf.passes.infer_shapes` corrects it."""

    def __init__(self, model: ir.Model) -> None:
        computed = [output for node in model.graph.all_nodes() for output in node.outputs]
        carried = [value for graph in model.graphs() if graph is not model.graph for value in graph.inputs]
        self._declared = {v: (str(v.name), v.shape) for v in (*computed, *carried) if v.shape is not None}

    def warn(self) -> None:
        """Say, once for the model, which values are not of the shape that is declared for them."""
        wrong = [
            (name, declared, value.shape)
            for value, (name, declared) in self._declared.items()
            if value.shape is not None and _contradict(declared, value.shape)
        ]
        if not wrong:
            return
        name, declared, computed = wrong[0]
        others = "".join(f", {other!r}" for other, *_ in wrong[1:_NAMED])
        rest = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        warnings.warn(
            f"the model declares the shape {_text(declared)} for {name!r}, its nodes compute {_text(computed)}: "
            f"what is computed counts{f' (likewise for{others[1:]}{rest})' if others else ''}",
            stacklevel=2,
        )


_NAMED = 6


def _contradict(one: ir.Shape, other: ir.Shape) -> bool:
    """Tell whether no tensor can have both shapes."""
    if len(one) != len(other):
        return True
    return any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in zip(one, other, strict=True))


def _text(shape: ir.Shape) -> str:
    return f"[{', '.join('?' if isinstance(d, ir.SymbolicDim) and d.value is None else str(d) for d in shape)}]"
