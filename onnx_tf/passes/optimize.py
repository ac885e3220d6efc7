"""The order of what follows :func:`onnx_tf.passes.simplify`: folding that only inference allows, then the layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import onnx_ir as ir

from onnx_tf.layout import Choice, LayoutReport, optimize_layout
from onnx_tf.layout.network import solve
from onnx_tf.passes.fold_batch_normalization import fold_batch_normalization
from onnx_tf.passes.fuse_group_normalization import fuse_group_normalization
from onnx_tf.passes.lower_batch_normalization import lower_batch_normalization

__all__ = ["optimize"]


def optimize(
    model: ir.Model,
    *,
    training: bool = False,
    channels_last_inputs: Sequence[str] | Literal["all"] = (),
    channels_last_outputs: Sequence[str] | Literal["all"] = (),
    exists_channels_last: Callable[[str, int], bool] | None = lambda *_: True,
    choose: Choice = solve,
) -> LayoutReport:
    """Bring a simplified model into the form that is bound to handlers, and say how it lies in memory.

    Args:
        model: a model from :func:`onnx_tf.passes.simplify`; it is changed in place.
        training: leave out what changes the weights that are trained.
        channels_last_inputs: see :func:`onnx_tf.layout.optimize_layout`.
        channels_last_outputs: see :func:`onnx_tf.layout.optimize_layout`.
        exists_channels_last: see :func:`onnx_tf.layout.optimize_layout`.
        choose: see :func:`onnx_tf.layout.optimize_layout`.

    Raises:
        EditError: some names are no inputs or outputs, or have no channel axis.
    """
    if not training:
        fuse_group_normalization(model)
        fold_batch_normalization(model)
        lower_batch_normalization(model)
    return optimize_layout(
        model,
        channels_last_inputs=channels_last_inputs,
        channels_last_outputs=channels_last_outputs,
        exists_channels_last=exists_channels_last,
        choose=choose,
    )
