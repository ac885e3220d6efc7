"""Convert a model to LiteRT without its large weights, and put them into the file that comes out.

TensorFlow's converter holds a weight about five times while it works, and takes most of its time to move weights
about. Where all that a file does with a weight is to have it in another order, the converter is given an input in its
place: it writes operators that bring this into that order, which are computed here instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

from onnx_tf.backend_tf_module import BackendTFModule
from onnx_tf.export.file_graph import FileGraph

__all__ = ["enough", "put_back", "weights_aside"]

MIN_BYTES = 1 << 20
"""Smaller weights are the converter's."""

MIN_TOTAL_BYTES = 32 << 20
"""With less than this it takes longer to trace the model once more than to convert it with its weights."""

_OPERATIONS = {"Conv2D": 1, "DepthwiseConv2dNative": 1, "MatMul": 1, "GatherV2": 0, "ResourceGather": 0}
"""Operations that become kernels which take weights that a run computes as well, and which input is the weight."""

_MOVING = ("Identity", "ReadVariableOp", "Reshape", "Transpose")

_KERNELS = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "GATHER": 0}
_ARITHMETIC = ("ADD", "SUB", "MUL", "DIV")
"""What the converter merges into the weights beside it where its other operand is a constant."""

Weights = Mapping[str, str]
"""The names of weights, by those of the inputs that stand in their places."""


def weights_aside(model: BackendTFModule) -> dict[str, str]:
    """Return the weights that the converter need not have; none where that gains nothing."""
    places = {id(handle): place for handle, place in model.concrete().graph.captures}
    large = [
        name
        for name, variable in model.weights.items()
        if _is_large(variable) and id(variable.handle) in places and _is_weight(places[id(variable.handle)])
    ]
    prefix = "weight"
    while any(name.startswith(prefix) for name in model.input_names):
        prefix += "_"
    return enough({f"{prefix}{index}": name for index, name in enumerate(large)}, model)


def enough(aside: Weights, model: BackendTFModule) -> dict[str, str]:
    """Return weights by their inputs if they are so many that it pays, else none."""
    return dict(aside) if sum(_bytes(model.weights[name]) for name in aside.values()) >= MIN_TOTAL_BYTES else {}


def _is_weight(tensor: Any) -> bool:
    """Tell whether kernels take a tensor for their weights, as it is or in another order, and nothing else reads it."""
    readers = tensor.consumers()
    return bool(readers) and all(
        _is_weight(reader.outputs[0])
        if reader.type in _MOVING and reader.inputs[0] is tensor
        else [place for place, read in enumerate(reader.inputs) if read is tensor] == [_OPERATIONS.get(reader.type)]
        and (reader.type != "MatMul" or _has_bias(reader))
        for reader in readers
    )


def _has_bias(product: tf.Operation) -> bool:
    # Without one it becomes a dense layer only where the matrix is a constant.
    readers = product.outputs[0].consumers()
    return len(readers) == 1 and readers[0].type in ("Add", "AddV2", "BiasAdd")


def _is_large(variable: tf.Variable) -> bool:
    return variable.dtype == tf.float32 and _bytes(variable) >= MIN_BYTES


def _bytes(variable: tf.Variable) -> int:
    return int(variable.shape.num_elements() * variable.dtype.size)


def put_back(file: Any, weights: Mapping[str, tf.Variable]) -> tuple[set[str], dict[int, np.ndarray]]:
    """Make constants of the inputs of a file that stand for weights.

    Args:
        file: the file, in the object form of LiteRT's schema, with one signature. Its buffers for weights get arrays
            of zeros that take no memory.
        weights: the weights by the names of the signature's inputs.

    Returns:
        The inputs whose weights have to be the converter's, as it would do more with them; if there are none, what the
        buffers are to hold by the ``id`` of those arrays.
    """
    graph = FileGraph(file, file.subgraphs[0])
    entries = {entry.name.decode(): entry.tensorIndex for entry in file.signatureDefs[0].inputs}
    refused, later = set[str](), dict[int, np.ndarray]()
    for name, variable in weights.items():
        if not _settle(graph, entries[name], _elements(variable), later):
            refused.add(name)
    if not refused:
        signature, own = file.signatureDefs[0], {entries[name] for name in weights}
        signature.inputs = [entry for entry in signature.inputs if entry.tensorIndex not in own]
        graph.graph.inputs = np.array([index for index in graph.graph.inputs if index not in own], np.int32)
        graph.compact()
    return refused, later


def _elements(variable: tf.Variable) -> np.ndarray:
    """Return what a variable holds, in its own memory."""
    return np.asarray(memoryview(variable.value()))


def _settle(file: FileGraph, index: int, array: np.ndarray, later: dict[int, np.ndarray]) -> bool:
    """Make a tensor a constant and compute what orders it anew; return whether that is all that happens to it."""
    constant = False
    for operator in list(file.readers.get(index, [])):
        moved = _moved(file, operator, array)
        if moved is not None:
            if not _settle(file, int(operator.outputs[0]), moved, later):
                return False
            file.remove(operator)
        elif _is_plain(file, operator, index):
            constant = True
        else:
            return False
    if constant:
        buffer = schema.BufferT()
        buffer.data = np.broadcast_to(np.uint8(0), array.nbytes)
        later[id(buffer.data)] = array
        file.model.buffers.append(buffer)
        tensor = file.tensor(index)
        tensor.buffer, tensor.shapeSignature = len(file.model.buffers) - 1, None
    return not file.is_result(index) and file.shape(index) == list(array.shape)


def _moved(file: FileGraph, operator: Any, array: np.ndarray) -> np.ndarray | None:
    """Return what an operator makes of an array if it moves its elements, or states other axes for them."""
    kind = file.kind(operator)
    if kind == "TRANSPOSE":
        axes = file.constant(int(operator.inputs[1]))
        return None if axes is None else array.transpose(axes)
    if kind == "RESHAPE":
        shape = file.shape(int(operator.outputs[0]))
        # Only axes of one element come and go: of others numpy would make a copy.
        same = [dim for dim in shape if dim != 1] == [dim for dim in array.shape if dim != 1]
        return array.reshape(shape) if same else None
    return None


def _is_plain(file: FileGraph, operator: Any, index: int) -> bool:
    """Tell whether an operator takes a tensor for its weights, and the converter would merge nothing into these."""
    kind = file.kind(operator)
    if [place for place, read in enumerate(operator.inputs) if read == index] != [_KERNELS.get(kind)]:
        return False
    if kind == "GATHER":
        return file.constant(int(operator.inputs[1])) is None
    data = int(operator.inputs[0])
    before = file.producers.get(data)
    if before is None and not file.is_given(data):
        return False  # of two constants the converter computes the result
    if kind == "FULLY_CONNECTED" and before is not None and _leaves_bias(file, before):
        return False
    beside = [*file.readers.get(int(operator.outputs[0]), []), *([] if before is None else [before])]
    return not any(_has_constant(file, other) for other in beside)


def _leaves_bias(file: FileGraph, operator: Any) -> bool:
    """Tell whether an operator is a dense layer whose bias the converter would move into the next one."""
    has_bias = file.kind(operator) == "FULLY_CONNECTED" and len(operator.inputs) > 2 and operator.inputs[2] >= 0
    return has_bias and not file.activation(operator)


def _has_constant(file: FileGraph, operator: Any) -> bool:
    if file.kind(operator) not in _ARITHMETIC:
        return False
    return any(file.constant(int(index)) is not None for index in operator.inputs)
