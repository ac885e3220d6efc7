"""Take the checks of shapes out of a SavedModel: LiteRT has no operator for them."""

from __future__ import annotations

from pathlib import Path

from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

__all__ = ["drop_ensured_shapes"]


def drop_ensured_shapes(folder: Path) -> bool:
    """Make every EnsureShape of a SavedModel an Identity; return whether there were any.

    What is computed is the same: inputs of other shapes than the model says fail elsewhere, or not at all.
    """
    file = folder / "saved_model.pb"
    model = SavedModel.FromString(file.read_bytes())
    found = False
    for graph in (meta.graph_def for meta in model.meta_graphs):
        for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
            for node in nodes:
                if node.op == "EnsureShape":
                    node.op, found = "Identity", True
                    del node.attr["shape"]
    if found:
        file.write_bytes(model.SerializeToString(deterministic=True))
    return found
