"""Which ONNX nodes an operator of a file is made of."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import Any

from tensorflow.lite.python import schema_py_generated as schema

from onnx_tf.errors import OptionError
from onnx_tf.export.file_graph import FileGraph
from onnx_tf.export.post_training.kept import label
from onnx_tf.runtime.graph import BoundGraph, BoundNode
from onnx_tf.telling import listed

__all__ = ["Nodes"]


class Nodes:
    """The bound nodes of each operator of a file of floats, by the operator's label.

    Args:
        content: the file, as TensorFlow's converter wrote it.
        graph: the bound graph that it comes from.
    """

    def __init__(self, content: bytes, graph: BoundGraph) -> None:
        self.graph = graph
        order = {node: place for place, node in enumerate(graph.all_nodes())}
        self._of: dict[str, list[BoundNode]] = {}
        model = schema.ModelT.InitFromPackedBuf(content, 0)
        files = [FileGraph(model, part) for part in model.subgraphs]
        for file in files:
            for operator in file.graph.operators:
                name = label(file, operator)
                found = (graph.node_of(part) for part in name.split(";"))
                self._of[name] = list(dict.fromkeys(node for node in found if node is not None))
        self._add_last(files[0], model.signatureDefs[0])
        for nodes in self._of.values():
            nodes.sort(key=order.__getitem__)

    def _add_last(self, file: FileGraph, signature: Any) -> None:
        """Enter what computes outputs: the converter calls that as the outputs, and not as the nodes."""
        makers = {slot: node for node in self.graph.nodes for slot in node.outputs}
        slots = {str(v.name): slot for v, slot in zip(self.graph.outputs, self.graph.output_slots, strict=True)}
        known = {node for nodes in self._of.values() for node in nodes}
        for entry in signature.outputs:
            operator = file.producers.get(entry.tensorIndex)
            slot = slots.get(entry.name.decode())
            if operator is None or slot is None or self._of.get(label(file, operator)):
                continue
            pending, found = [slot], dict[BoundNode, None]()
            while pending:
                node = makers.get(pending.pop())
                if node is not None and node not in known and node not in found:
                    found[node] = None
                    pending += node.reads
            last = makers.get(slot)
            self._of[label(file, operator)] = list(found) or ([] if last is None else [last])

    def __getitem__(self, name: str) -> list[BoundNode]:
        """Return the nodes of an operator by its label, which the quantiser may have changed."""
        for suffix in ("", "_int8", "_uint8", "_int16", "_requantized", "1"):
            found = self._of.get(name.removesuffix(suffix))
            if found:
                return found
        parts = (self.graph.node_of(part) for part in name.split(";"))
        return [node for node in parts if node is not None]

    def told(self, name: str) -> str:
        """Return the name of the ONNX node that an operator is, of several the first, which others are merged into."""
        found = self[name]
        return found[0].onnx_node if found else ""

    def labels(self, patterns: Sequence[str]) -> list[str]:
        """Return the labels of the operators that are made of nodes with these names, or names like these.

        Raises:
            OptionError: no node is called so, or those that are became part of no operator.
        """
        names = [node.onnx_node for node in self.graph.all_nodes()]
        wanted: set[str] = set()
        for pattern in patterns:
            found = {name for name in names if name == pattern or fnmatch.fnmatchcase(name, pattern)}
            if not found:
                raise OptionError(f"keep_float: no node is called {pattern!r}; there are {listed(names, pattern)}")
            wanted |= found
        kept = [name for name, nodes in self._of.items() if any(node.onnx_node in wanted for node in nodes)]
        if not kept:
            raise OptionError(f"keep_float: {listed(sorted(wanted))} became part of no operator of their own")
        return kept
