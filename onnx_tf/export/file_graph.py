"""A graph of a .tflite file as something to edit: who computes and who reads each tensor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

__all__ = ["BUILTINS", "FileGraph", "Steps"]

BUILTINS = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
"""The names of LiteRT's operators by their numbers."""

_Type = schema.TensorType
_NUMPY = {
    _Type.FLOAT32: np.float32,
    _Type.INT8: np.int8,
    _Type.UINT8: np.uint8,
    _Type.INT16: np.int16,
    _Type.INT32: np.int32,
    _Type.INT64: np.int64,
    _Type.BOOL: np.bool_,
}
_TYPES: dict[np.dtype[Any], int] = {np.dtype(dtype): code for code, dtype in _NUMPY.items()}
_SIDES = ("inputs", "outputs", "intermediates")


@dataclass(frozen=True, eq=False)
class Steps:
    """The steps of a quantised tensor: scale and zero point, each one or one per element of an axis."""

    scale: np.ndarray
    zero_point: np.ndarray
    axis: int = 0

    def __eq__(self, other: object) -> bool:
        """Return whether both quantise alike, to the last bit."""
        return isinstance(other, Steps) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[bytes, bytes, int]:
        axis = self.axis if self.scale.size > 1 else 0
        return self.scale.astype(np.float32).tobytes(), self.zero_point.astype(np.int64).tobytes(), axis

    @property
    def is_one(self) -> bool:
        """Whether the whole tensor has one scale."""
        return self.scale.size == 1

    def spread(self, rank: int) -> tuple[np.ndarray, np.ndarray]:
        """Return scale and zero point so that they broadcast to a tensor of a rank."""
        dims = [-1 if axis == self.axis else 1 for axis in range(rank)] if not self.is_one else [1] * rank
        return self.scale.reshape(dims), self.zero_point.reshape(dims)

    def quantized(self, x: np.ndarray, low: int = -128, high: int = 127) -> np.ndarray:
        """Return numbers in these steps, ties to even and saturated, as int64."""
        scale, zero_point = self.spread(np.ndim(x))
        with np.errstate(over="ignore"):
            steps = np.rint((x / scale).astype(np.float32)).astype(np.float64) + zero_point
        return np.clip(steps, low, high).astype(np.int64)


class FileGraph:
    """One graph of a file; operators may come in any order until :meth:`sorted`.

    Attributes:
        model: the file, in the object form of LiteRT's schema.
        graph: the graph.
        producers: what computes a tensor, by its number.
        readers: what reads a tensor, by its number, once for each time.
    """

    def __init__(self, model: Any, graph: Any) -> None:
        self.model, self.graph = model, graph
        self.producers: dict[int, Any] = {}
        self.readers: dict[int, list[Any]] = {}
        for operator in graph.operators:  # what was read from a file cannot be written to
            operator.inputs, operator.outputs = (
                np.array([] if side is None else side, np.int32) for side in (operator.inputs, operator.outputs)
            )
            self._enter(operator)

    def _enter(self, operator: Any) -> None:
        for index in operator.inputs:
            self.readers.setdefault(int(index), []).append(operator)
        for index in operator.outputs:
            self.producers[int(index)] = operator

    def kind(self, operator: Any) -> str:
        """Return an operator's name; of a custom one, the name that it has in the file."""
        code = self.model.operatorCodes[operator.opcodeIndex]
        if code.customCode:
            return str(code.customCode.decode())
        return BUILTINS[max(code.builtinCode, code.deprecatedBuiltinCode)]

    def activation(self, operator: Any) -> int:
        """Return the activation that an operator applies to its result, 0 for none."""
        return int(getattr(operator.builtinOptions, "fusedActivationFunction", 0))

    def of_kind(self, *kinds: str) -> Iterator[Any]:
        """Yield the operators of some kinds, each as long as it is still there."""
        for operator in [o for o in self.graph.operators if self.kind(o) in kinds]:
            if operator.outputs is not None and self.producers.get(int(operator.outputs[0])) is operator:
                yield operator

    def tensor(self, index: int) -> Any:
        """Return a tensor by its number."""
        return self.graph.tensors[index]

    def shape(self, index: int) -> list[int]:
        """Return a tensor's dimensions, an open one as the 1 that it is in the file."""
        shape = self.graph.tensors[index].shape
        return [] if shape is None else [int(dim) for dim in shape]

    def dtype(self, index: int) -> np.dtype | None:
        """Return a tensor's dtype, ``None`` for one that is not edited here."""
        found = _NUMPY.get(self.graph.tensors[index].type)
        return None if found is None else np.dtype(found)

    def is_float(self, index: int) -> bool:
        """Return whether a tensor holds floats."""
        return index >= 0 and self.graph.tensors[index].type == _Type.FLOAT32

    def steps(self, index: int) -> Steps | None:
        """Return the steps of a quantised tensor."""
        told = self.graph.tensors[index].quantization
        if told is None or told.scale is None or not len(told.scale):
            return None
        return Steps(
            np.asarray(told.scale, np.float32), np.asarray(told.zeroPoint, np.int64), int(told.quantizedDimension)
        )

    def constant(self, index: int) -> np.ndarray | None:
        """Return what a constant tensor holds."""
        if index < 0 or index in self.producers:
            return None
        data, dtype = self.model.buffers[self.graph.tensors[index].buffer].data, self.dtype(index)
        if data is None or dtype is None:
            return None
        array: np.ndarray = np.frombuffer(np.asarray(data, np.uint8).tobytes(), dtype).reshape(self.shape(index))
        return array

    def is_given(self, index: int) -> bool:
        """Return whether a tensor is an input of the graph."""
        return index in self.graph.inputs

    def is_result(self, index: int) -> bool:
        """Return whether a tensor is an output of the graph."""
        return index in self.graph.outputs

    def only_reader(self, index: int) -> Any | None:
        """Return the one operator that reads a tensor, if nothing else does."""
        readers = self.readers.get(index, [])
        return readers[0] if len(readers) == 1 and not self.is_result(index) else None

    def add_constant(self, array: np.ndarray, name: bytes, steps: Steps | None = None) -> int:
        """Add a constant and return its number."""
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        tensor = schema.TensorT()
        tensor.name, tensor.type, tensor.hasRank = name, _TYPES[array.dtype], True
        tensor.shape, tensor.buffer = np.array(array.shape, np.int32), len(self.model.buffers) - 1
        self.graph.tensors.append(tensor)
        if steps is not None:
            self.set_steps(len(self.graph.tensors) - 1, steps)
        return len(self.graph.tensors) - 1

    def add_tensor(
        self,
        like: int,
        dtype: type[np.generic] | None = None,
        steps: Steps | None = None,
        leading: tuple[int, ...] = (),
    ) -> int:
        """Add a tensor that an operator is to compute, and return its number.

        Args:
            like: the tensor whose shape it has, and without ``dtype`` its dtype and steps.
            dtype: its dtype.
            steps: its steps.
            leading: dimensions before those of the other tensor.
        """
        old, tensor = self.graph.tensors[like], schema.TensorT()
        tensor.name, tensor.hasRank, tensor.buffer = old.name, old.hasRank, 0
        for field in ("shape", "shapeSignature"):
            dims = getattr(old, field)
            setattr(tensor, field, None if dims is None else np.array([*leading, *dims], np.int32))
        tensor.type = old.type if dtype is None else _TYPES[np.dtype(dtype)]
        tensor.quantization = old.quantization if dtype is None else None
        self.graph.tensors.append(tensor)
        if steps is not None:
            self.set_steps(len(self.graph.tensors) - 1, steps)
        return len(self.graph.tensors) - 1

    def set_steps(self, index: int, steps: Steps, dtype: type[np.generic] | None = None) -> None:
        """Say that a tensor is quantised, and change its dtype."""
        told = schema.QuantizationParametersT()
        told.scale, told.zeroPoint = steps.scale.astype(np.float32), steps.zero_point.astype(np.int64)
        told.quantizedDimension = steps.axis if not steps.is_one else 0
        self.graph.tensors[index].quantization = told
        if dtype is not None:
            self.graph.tensors[index].type = _TYPES[np.dtype(dtype)]

    def add(
        self,
        kind: str,
        inputs: Iterable[int],
        outputs: Iterable[int],
        version: int = 1,
        options: tuple[str, Mapping[str, Any]] | None = None,
    ) -> Any:
        """Add an operator; its options are their schema name and fields."""
        operator = schema.OperatorT()
        self.set_kind(operator, kind, version, options)
        operator.inputs, operator.outputs = np.array([*inputs], np.int32), np.array([*outputs], np.int32)
        self.graph.operators.append(operator)
        self._enter(operator)
        return operator

    def set_kind(
        self, operator: Any, kind: str, version: int, options: tuple[str, Mapping[str, Any]] | None = None
    ) -> None:
        """Make an operator one of another kind; its options are their schema name and fields."""
        operator.opcodeIndex = self._opcode(getattr(schema.BuiltinOperator, kind), version)
        if options is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, options[0])
            operator.builtinOptions = getattr(schema, f"{options[0]}T")()
            for field, value in options[1].items():
                setattr(operator.builtinOptions, field, value)

    def _opcode(self, builtin: int, version: int) -> int:
        """Return the number of an operator's code in the file, which gets one where it has none."""
        for index, code in enumerate(self.model.operatorCodes):
            if (code.builtinCode, code.version) == (builtin, version):
                return index
        code = schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, 127), version
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1

    def set_version(self, operator: Any, version: int) -> None:
        """Say which version of an operator a file needs, at least."""
        code = self.model.operatorCodes[operator.opcodeIndex]
        if code.version < version:
            builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
            operator.opcodeIndex = self._opcode(builtin, version)

    def set_input(self, operator: Any, place: int, index: int) -> None:
        """Let an operator read another tensor."""
        self._unread(int(operator.inputs[place]), operator)
        operator.inputs[place] = index
        self.readers.setdefault(index, []).append(operator)

    def set_output(self, operator: Any, place: int, index: int) -> None:
        """Let an operator compute another tensor, which nothing else computes."""
        old = int(operator.outputs[place])
        if self.producers.get(old) is operator:
            del self.producers[old]
        operator.outputs[place] = index
        self.producers[index] = operator

    def set_inputs(self, operator: Any, inputs: Iterable[int]) -> None:
        """Let an operator read other tensors, more or fewer."""
        for index in operator.inputs:
            self._unread(int(index), operator)
        operator.inputs = np.array([*inputs], np.int32)
        for index in operator.inputs:
            self.readers.setdefault(int(index), []).append(operator)

    def _unread(self, index: int, operator: Any) -> None:
        readers = self.readers[index]
        del readers[next(place for place, reader in enumerate(readers) if reader is operator)]

    def remove(self, operator: Any) -> None:
        """Take an operator away; what reads its results must have been given others."""
        for index in operator.inputs:
            self._unread(int(index), operator)
        for index in operator.outputs:
            if self.producers.get(int(index)) is operator:
                del self.producers[int(index)]
        self.graph.operators = [other for other in self.graph.operators if other is not operator]

    def replace(self, old: int, new: int) -> None:
        """Let everything that reads a tensor read another one, the graph's outputs too."""
        for operator in list(self.readers.get(old, [])):
            for place, index in enumerate(operator.inputs):
                if index == old:
                    self.set_input(operator, place, new)
        if self.is_result(old):
            self.graph.outputs = np.array([new if i == old else int(i) for i in self.graph.outputs], np.int32)
            for signature in self.model.signatureDefs or []:
                for entry in signature.outputs if self.model.subgraphs[signature.subgraphIndex] is self.graph else []:
                    entry.tensorIndex = new if entry.tensorIndex == old else entry.tensorIndex

    def prune(self) -> None:
        """Take away operators whose results nothing reads, as long as there are any."""
        while True:
            unread = [o for o in self.graph.operators if len(o.outputs) and not self._is_read(o)]
            if not unread:
                return
            for operator in unread:
                self.remove(operator)

    def _is_read(self, operator: Any) -> bool:
        return any(self.readers.get(int(index)) or self.is_result(int(index)) for index in operator.outputs)

    def compact(self) -> None:
        """Take away tensors that no operator and no side of the graph has; the others are in the order of use."""
        used = [index for o in self.graph.operators for index in (*o.inputs, *o.outputs)]
        found = dict.fromkeys(map(int, (*self.graph.inputs, *used, *self.graph.outputs)))
        kept = [index for index in found if index >= 0]
        place = {-1: -1, **{old: new for new, old in enumerate(kept)}}
        self.graph.tensors = [self.graph.tensors[index] for index in kept]
        for holder, sides in ((self.graph, ("inputs", "outputs")), *((o, _SIDES) for o in self.graph.operators)):
            for side in sides:
                indices = getattr(holder, side)
                if indices is not None:
                    setattr(holder, side, np.array([place[int(index)] for index in indices], np.int32))
        for signature in self.model.signatureDefs or []:
            if self.model.subgraphs[signature.subgraphIndex] is self.graph:
                for entry in (*signature.inputs, *signature.outputs):
                    entry.tensorIndex = place[entry.tensorIndex]
        self.producers, self.readers = {}, {}
        for operator in self.graph.operators:
            self._enter(operator)

    def sort(self) -> None:
        """Bring the operators into an order in which each comes after what it reads."""
        ordered: dict[int, Any] = {}
        for root in self.graph.operators:
            pending = [root]
            while pending:
                operator = pending[-1]
                needed = (self.producers.get(int(index)) for index in operator.inputs)
                missing = [p for p in needed if p is not None and id(p) not in ordered]
                if missing:
                    pending += missing
                else:
                    ordered[id(operator)] = operator
                    pending.pop()
        self.graph.operators = list(ordered.values())
