"""Give each output of a .tflite file an operator of its own, by operators that copy a tensor of any dtype."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

__all__ = ["give_outputs_operators", "opcode", "require_runtime"]

MIN_RUNTIME = "min_runtime_version"
_RUNTIME_BYTES = 16
_Type, _Operator = schema.TensorType, schema.BuiltinOperator

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
    computed = {index for operator in graph.operators for index in operator.outputs}
    taken: set[int] = set()
    for place, entry in enumerate(signature.outputs):
        index = entry.tensorIndex
        if index not in computed or index in taken or index in graph.inputs:
            index = _copied(model, graph, index)
        entry.tensorIndex = graph.outputs[place] = index
        taken.add(index)


def _copied(model: Any, graph: Any, index: int) -> int:
    """Add operators that give the same tensor, and return where their result is."""
    like = graph.tensors[index]
    if like.type in _OF_TWO:
        return _add(model, graph, _OF_TWO[like.type], [index, index], _tensor(like))
    # These two move the bytes of any dtype, and need no shape.
    axis = _add_zero(model, graph)
    wider = _add(model, graph, ("EXPAND_DIMS", 1, "1.10.0"), [index, axis], _tensor(like, (1,)))
    narrow = ("SQUEEZE", 2, "2.5.0") if like.type == _Type.STRING else ("SQUEEZE", 1, "1.6.0")
    result = _add(model, graph, narrow, [wider], _tensor(like))
    graph.operators[-1].builtinOptions.squeezeDims = np.zeros(1, np.int32)
    return result


def _add(model: Any, graph: Any, kind: tuple[str, int, str], inputs: Sequence[int], result: Any) -> int:
    name, version, runtime = kind
    graph.tensors.append(result)
    operator = schema.OperatorT()
    operator.opcodeIndex = opcode(model, getattr(_Operator, name), version)
    operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array([len(graph.tensors) - 1], np.int32)
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, _OPTIONS[name])
    operator.builtinOptions = getattr(schema, f"{_OPTIONS[name]}T")()
    graph.operators.append(operator)
    require_runtime(model, runtime)
    return len(graph.tensors) - 1


def _tensor(like: Any, leading: tuple[int, ...] = ()) -> Any:
    tensor = schema.TensorT()
    tensor.type, tensor.hasRank, tensor.quantization = like.type, like.hasRank, like.quantization
    for field in ("shape", "shapeSignature"):
        dims = getattr(like, field)
        setattr(tensor, field, None if dims is None else np.array([*leading, *dims], np.int32))
    return tensor


def _add_zero(model: Any, graph: Any) -> int:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(np.int32(0).tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensor = schema.TensorT()
    tensor.name, tensor.type, tensor.hasRank = "axis", _Type.INT32, True
    tensor.shape, tensor.buffer = np.zeros(0, np.int32), len(model.buffers) - 1
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def opcode(model: Any, builtin: int, version: int) -> int:
    """Return the number of an operator's code in a file, which gets one where it has none."""
    for index, code in enumerate(model.operatorCodes):
        if (code.builtinCode, code.version) == (builtin, version):
            return index
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, 127), version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


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
