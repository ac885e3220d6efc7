"""The layout pass: choose the memory order of every operation so that the fewest bytes are transposed.

The central notion is the frame of an operator: the axes of its computation, and which of them each
input and result holds. Who permutes the computation knows from it how every port is permuted. Nothing
here knows TensorFlow, and nothing is guessed from equal dimensions.

The modules, in reading order:

=================  ===========================================================================
layout_pass        ``optimize_layout``: the pass from end to end
-- reading --
shapes             ranks, dimensions and bytes of values, as far as the model states them
frames             frames: which axes of a node's inputs and results are the same axis
rules              for each operator its frame, and in which orders it can compute
remaps             how a node changes when the axes of its computation are permuted
facts              the role of every axis (batch, channel, spatial), found through the frames
equal_dims         which sizes a node leaves equal, where shape inference does not tell
-- choosing --
constraints        what each node asks of the memory orders around it, as one problem
absorb             orders that constant weights can take up, at no cost
network            the problem and its solution: one minimum cut
max_flow           the cut
-- rewriting --
channels_last_io   graph inputs and outputs that are channels-last because the user wants them so
rewrite            the choice, carried out
reshapes           Reshape, Flatten, Squeeze and Unsqueeze in any memory order
editing            new nodes and constants
compose            Transposes that follow each other become one
-- reporting --
report             what lies where, what is still moved, and why
report_builder     what the passes leave behind for the report
explain            for each movement, the node that cannot do without it
drawing            the report as a page
arrangement        where the nodes of the drawing are
=================  ===========================================================================
"""

from __future__ import annotations

from onnx_tf.layout.layout_pass import Choice, optimize_layout
from onnx_tf.layout.report import LayoutReport, NodeLayout, RemainingTranspose, ValueLayout

__all__ = ["Choice", "LayoutReport", "NodeLayout", "RemainingTranspose", "ValueLayout", "optimize_layout"]
