"""Give each output of a .tflite file an operator of its own, by operators that copy a tensor of any dtype."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from onnx_tf.export.file_graph import FileGraph

__all__ = ["give_outputs_operators", "require_runtime"]

MIN_RUNTIME = "min_runtime_version"
_RUNTIME_BYTES = 16
_Type = schema.TensorType

# What copies a dtype: the operator, its version for that dtype, and the first runtime that has it.
_MAXIMUM = ("MAXIMUM", 1, "1.14.0")
_OF_TWO = {
    _Type.BOOL: ("LOGICAL_OR", 1, "1.11.0"),
    _Type.INT8: ("MAXIMUM", 2, "1.14.0"),
    _Type.INT16: ("MAXIMUM", 4, "2.3.0"),
    **dict.fromkeys((_Type.FLOAT32, _Type.UINT8, _Type.INT32, _Type.INT64), _MAXIMUM),
}
_OPTIONS = {
    "MAXIMUM": "MaximumMinimumOptions",
    "LOGICAL_OR": "LogicalOrOptions",
    "EXPAND_DIMS": "ExpandDimsOptions",
    "SQUEEZE": "SqueezeOptions",
}


def give_outputs_operators(model: Any, graph: Any, signature: Any) -> None:
    """Give each output that is an input, a constant or another output as well an operator of its own.

    Args:
        model: the file, in the object form of LiteRT's schema.
        graph: its main graph.
        signature: the graph's signature, whose outputs are in the order of the graph's.
    """
    file, taken = FileGraph(model, graph), set[int]()
    for place, entry in enumerate(signature.outputs):
        index = entry.tensorIndex
        if index not in file.producers or index in taken or file.is_given(index):
            index = _copied(file, index)
        entry.tensorIndex = graph.outputs[place] = index
        taken.add(index)


def _copied(file: FileGraph, index: int) -> int:
    """Add operators that give the same tensor, and return where their result is."""
    kind = file.tensor(index).type
    if kind in _OF_TWO:
        return _add(file, _OF_TWO[kind], [index, index], file.add_tensor(index))
    # These two move the bytes of any dtype, and need no shape.
    axis = file.add_constant(np.zeros((), np.int32), b"axis")
    wider = _add(file, ("EXPAND_DIMS", 1, "1.10.0"), [index, axis], file.add_tensor(index, leading=(1,)))
    narrow = ("SQUEEZE", 2, "2.5.0") if kind == _Type.STRING else ("SQUEEZE", 1, "1.6.0")
    return _add(file, narrow, [wider], file.add_tensor(index), squeezeDims=np.zeros(1, np.int32))


def _add(file: FileGraph, kind: tuple[str, int, str], inputs: Sequence[int], result: int, **fields: Any) -> int:
    name, version, runtime = kind
    file.add(name, inputs, [result], version, (_OPTIONS[name], fields))
    require_runtime(file.model, runtime)
    return result


def require_runtime(model: Any, runtime: str) -> None:
    """Raise the runtime version that the file says it needs, where it says one and that is older."""
    for entry in model.metadata or []:
        if entry.name == MIN_RUNTIME.encode():
            buffer = model.buffers[entry.buffer]
            stated = bytes(np.asarray(buffer.data, np.uint8)).rstrip(b"\0").decode()
            if _number(stated) < _number(runtime):
                buffer.data = np.frombuffer(runtime.encode().ljust(_RUNTIME_BYTES, b"\0"), np.uint8)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))
