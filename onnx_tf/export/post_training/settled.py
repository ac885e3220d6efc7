"""What TensorFlow's quantiser of 8 bits leaves to chance.

It goes through a graph in the order of addresses. So which of two tensors of the same numbers an operator takes differs
from run to run, and with it whether what only moves numbers is left in floats between integers of the same steps, in
which order tensors lie in the file, and how operators are numbered.
"""

from __future__ import annotations

from tensorflow.lite.python import schema_py_generated as schema

from onnx_tf.export.file_graph import FileGraph
from onnx_tf.export.integers.file import drop_codes
from onnx_tf.export.integers.moves import move_quantizations
from onnx_tf.export.packing import fewest_buffers, packed

__all__ = ["settled"]


def settled(content: bytes) -> bytes:
    """Return a quantised file in which integers are moved as integers, and whose parts are in the order of use."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for part in model.subgraphs:
        file = FileGraph(model, part)
        move_quantizations(file)
        file.sort()
        file.compact()
    drop_codes(model)
    fewest_buffers(model)
    return bytes(packed(model, len(content)))
