"""What a builder works with: the node's name, and ways to add layers, operations and weights under it."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

import keras
import numpy as np
import onnx_ir as ir
from keras import layers, ops

from onnx_tf.export.keras.steps import Trace
from onnx_tf.registry import CHANNELS_LAST_DOMAIN, PACKED_DOMAIN, Registry

__all__ = [
    "BUILDERS",
    "DTYPES",
    "Drawn",
    "Names",
    "Place",
    "RefusedError",
    "TiedTable",
    "constant",
    "floats",
    "has_layers",
    "is_constant",
    "keras_op",
    "keras_table",
    "size_of",
    "static",
    "transposed",
]

MAX_INLINE = 16
"""Constants of up to this many elements lie in the configuration of an operation, as text; larger ones are weights."""

DTYPES = frozenset(
    (
        ir.DataType.BOOL,
        ir.DataType.DOUBLE,
        ir.DataType.FLOAT,
        ir.DataType.FLOAT16,
        ir.DataType.BFLOAT16,
        *(ir.DataType[f"{sign}INT{bits}"] for sign in ("", "U") for bits in (8, 16, 32, 64)),
    )
)
"""The dtypes of Keras's tensors."""

EXACT = 1 << 24
"""Float32 holds integers up to here."""

BUILDERS = Registry(advice="Keras has no form of it here; write a SavedModel or a .tflite file instead")
"""The builders: functions of Keras tensors and constants (numpy arrays) that take a :class:`Place` first."""

Builder = TypeVar("Builder", bound=Callable[..., Any])


class RefusedError(Exception):
    """A node that Keras has no form for as it stands; the text says what of it."""


class Names:
    """Names that Keras takes on every backend, each given once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, name: str) -> str:
        """Return the name with letters, digits, ``_`` and ``-`` alone, and a number at its end where it is taken.

        Keras forbids ``/``, PyTorch ``.`` in the names of what holds weights.
        """
        wanted = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in name).strip("_") or "value"
        found, count = wanted, 1
        while found.lower() in self._taken:
            count += 1
            found = f"{wanted}_{count}"
        self._taken.add(found.lower())
        return found


@dataclass
class TiedTable:
    """A table, the matrix that is the same transposed, and the layer that holds both."""

    table: np.ndarray
    matrix: np.ndarray
    layer: Any = None


@dataclass
class Drawn:
    """What the nodes of a model share.

    Attributes:
        names: those that are given already.
        inputs: the model's inputs.
        weights: weights that belong to no layer, by the identity of the array that each holds, which is kept.
        named: the operations that have a name of a node already.
        lengths: a tensor and its axis for each open dimension, by the name that the model has for it.
        trace: the calls of layers and operations so far.
        known: the operations that are there already.
        training: whether the model is for training.
        unrolled: whether recurrent layers are laid out step by step.
        layers: the layers that hold weights, by what they are made of and the constants that they hold.
        tied: embedding tables that are, transposed, the matrix of a product too, and the layer of each.
    """

    names: Names
    inputs: Sequence[Any] = ()
    weights: dict[int, tuple[np.ndarray, Any]] = field(default_factory=dict)
    named: set[Any] = field(default_factory=set)
    lengths: dict[str, tuple[Any, int]] = field(default_factory=dict)
    trace: Trace = field(default_factory=Trace)
    known: set[Any] = field(default_factory=set)
    training: bool = False
    unrolled: bool = False
    layers: dict[Any, list[tuple[Any, Sequence[np.ndarray]]]] = field(default_factory=dict)
    tied: list[TiedTable] = field(default_factory=list)

    def record(self, tensor: Any, dims: Sequence[int | str] | None) -> None:
        """Keep a tensor as one that has the open dimensions of these names."""
        for axis, dim in enumerate(dims or ()):
            known = self.lengths.get(dim) if isinstance(dim, str) else None
            if isinstance(dim, str) and (known is None or len(tensor.shape) < len(known[0].shape)):
                self.lengths[dim] = (tensor, axis)

    def added(self, tensors: Iterable[Any]) -> list[Any]:
        """Return the operations behind tensors that were not there before, and take note of them."""
        found, waiting = [], list(tensors)
        while waiting:
            operation = waiting.pop()._keras_history.operation
            if operation in self.known:
                continue
            self.known.add(operation)
            found.append(operation)
            waiting.extend(t for node in operation._inbound_nodes for t in node.input_tensors)
        return found

    @functools.cached_property
    def zero(self) -> Any:
        """An index that is 0: layers are of the model only where they read one of its tensors."""
        if not self.inputs:
            raise RefusedError("the model has no inputs, and what no input reaches is in no Keras model")
        first = self.inputs[0]
        if first.shape:
            first = first[(slice(0, 1),) * len(first.shape)]
        return ops.sum(ops.zeros_like(first, dtype="int32"))


@dataclass(frozen=True)
class Place:
    """Where a builder adds layers and operations.

    Attributes:
        name: the node's name.
        drawn: what it shares with other nodes.
        outputs: for each output of the node, whether something uses it.
        given: the dimensions of each input, numbers and names; ``None`` where its rank is not known.
        result: those of the first output.
        sizes: for each input that is integers, the elements that are known: numbers, and names of open dimensions.
        constants: what identifies the constants of the node: nodes that have the same ones share their layers.
    """

    name: str
    drawn: Drawn
    outputs: Sequence[bool] = (True,)
    given: Sequence[Sequence[int | str] | None] = ()
    result: Sequence[int | str] | None = None
    sizes: Sequence[Sequence[int | str] | None] = ()
    constants: tuple[int, ...] = ()

    def refuse(self, why: str) -> NoReturn:
        """Refuse the node."""
        raise RefusedError(why)

    def layer(
        self,
        cls: Callable[..., Any],
        *inputs: Any,
        weights: Sequence[np.ndarray] = (),
        suffix: str = "",
        given: Mapping[str, Any] | None = None,
        **config: Any,
    ) -> Any:
        """Return what a layer gives for inputs, one tensor or several as a list.

        Args:
            cls: the layer's class.
            inputs: its inputs.
            weights: their values, in the order of the layer's ``get_weights``.
            suffix: what follows the node's name in the layer's.
            given: further arguments of the call, of which several inputs are the first ones then, and no list.
            config: the layer's arguments; those that are ``None`` are left out.
        """
        tensors = [self.tensor(value) for value in inputs]
        # Layers would cast other floats to the default one.
        dtype = config.pop("dtype", None) or tensors[0].dtype
        known = {key: value for key, value in config.items() if value is not None}
        arrays = [np.asarray(value) for value in weights]
        alike = self.drawn.layers.setdefault((cls, repr(sorted(known.items())), str(dtype), self.constants), [])
        for layer, held in alike if arrays else ():
            if all(map(np.array_equal, held, arrays)):
                return layer(*tensors, **given or {})
        layer = cls(name=self.drawn.names.take(self.name + suffix), dtype=dtype, **known)
        is_listed = len(tensors) > 1 and given is None
        result = layer(tensors) if is_listed else layer(*tensors, **given or {})
        if arrays:
            layer.set_weights(arrays)
            alike.append((layer, arrays))
        return result

    def tensor(self, value: Any) -> Any:
        """Return a Keras tensor for a value: a constant becomes a weight."""
        return self._weight(value) if is_constant(value) else value

    def tied(self, array: np.ndarray) -> TiedTable | None:
        """Return what is known of a table, or of its transpose, that is embedding and matrix in one."""
        if not hasattr(layers, "ReversibleEmbedding"):  # since Keras 3.13
            return None
        found = (t for t in self.drawn.tied if array.shape in (t.table.shape, t.matrix.shape))
        return next((t for t in found if any(np.array_equal(array, own) for own in (t.table, t.matrix))), None)

    def operand(self, value: Any) -> Any:
        """Return what an operation takes for a value: a constant of few elements as it is, a larger one as a weight."""
        if not is_constant(value):
            return value
        is_parameter = self.drawn.training and value.dtype.kind == "f" and value.size > 1
        if value.size > MAX_INLINE or is_parameter:
            return self._weight(value)
        is_number = value.ndim == 0 and value.dtype.name in ("float32", "int32", "int64")
        return value.item() if is_number and np.isfinite(value) else value

    def _weight(self, array: np.ndarray) -> Any:
        if not array.size:
            self.refuse("it takes a constant without elements, which is no weight")
        if array.dtype.kind in "iu" and np.abs(array.astype(np.float64)).max() > EXACT:
            return array
        found = self.drawn.weights.get(id(array))
        if found is None:
            found = self.drawn.weights[id(array)] = (array, self._as_weight(array))
            self.drawn.added([found[1]])
        return found[1]

    def _as_weight(self, array: np.ndarray) -> Any:
        """Return the table of one row, reshaped: the weight of a layer that every backend trains, saves and loads."""
        is_float = floats(array)
        # PyTorch has no parameters that are integers; those that float32 does not hold stay in the configuration.
        stored = array if is_float else array.astype(np.float32)
        row = stored.reshape(1, -1)
        table = layers.Embedding(
            1,
            row.shape[1],
            embeddings_initializer="zeros",
            trainable=is_float,
            name=self.drawn.names.take(f"{self.name}_weight"),
            dtype=row.dtype.name,
        )
        result = ops.reshape(table(self.drawn.zero), array.shape)
        table.set_weights([row])
        return result if stored.dtype == array.dtype else ops.cast(result, array.dtype.name)


def is_constant(value: Any) -> bool:
    """Tell whether a value is known: an array, no tensor of the model."""
    return isinstance(value, np.ndarray)


def constant(place: Place, value: Any, what: str) -> np.ndarray:
    """Return a value that a form in Keras needs as numbers.

    Raises:
        RefusedError: it is computed.
    """
    if not is_constant(value):
        place.refuse(f"its {what} is computed, and Keras's form needs it as numbers")
    return np.asarray(value)


def static(place: Place, x: Any, axes: Sequence[int] | None = None) -> list[int]:
    """Return dimensions that are to be known.

    Raises:
        RefusedError: one of them is open.
    """
    dims = [x.shape[axis] for axis in (range(len(x.shape)) if axes is None else axes)]
    if None in dims:
        place.refuse(f"a dimension of {tuple(x.shape)} is open that Keras's form of it needs")
    return dims


def keras_op(
    op_type: str, *, since: int = 1, domain: str = "", channels_last: bool = False, filters: int = 1
) -> Callable[[Builder], Builder]:
    """Register a builder.

    Args:
        op_type: the operator's name in ONNX.
        since: the opset version from which it holds.
        domain: the operator's domain.
        channels_last: the builder takes its first input and gives its result as N, spatial..., C, and filters as
            spatial..., C/group, M; it serves the operator in ONNX order and packed ones as well.
        filters: which input those are.
    """

    def decorate(builder: Builder) -> Builder:
        if not channels_last:
            BUILDERS.register(op_type, builder, since=since, domain=domain)
            return builder
        BUILDERS.register(op_type, builder, since=since, domain=PACKED_DOMAIN)
        unpacked = _wrapped(builder, functools.partial(_packed, filters), lambda _, y: y)
        BUILDERS.register(op_type, unpacked, since=since, domain=CHANNELS_LAST_DOMAIN)
        BUILDERS.register(op_type, _wrapped(unpacked, to_last, to_first), since=since, domain=domain)
        return builder

    return decorate


def keras_table(table: Mapping[str, Callable[..., Any]], *, since: int = 1, domain: str = "", **keywords: Any) -> None:
    """Register operators that each are one operation of their inputs."""
    for op_type, function in table.items():
        BUILDERS.register(op_type, _one(function, keywords), since=since, domain=domain)


def _one(function: Callable[..., Any], keywords: Mapping[str, Any]) -> Callable[..., Any]:
    def build(place: Place, *inputs: Any) -> Any:
        return function(*map(place.operand, inputs), **keywords)

    return build


def _wrapped(
    builder: Callable[..., Any], before: Callable[[Place, int, Any], Any], after: Callable[[Place, Any], Any]
) -> Callable[..., Any]:
    @functools.wraps(builder)
    def build(place: Place, *inputs: Any, **attributes: Any) -> Any:
        return after(place, builder(place, *(before(place, i, x) for i, x in enumerate(inputs)), **attributes))

    return build


def _packed(filters: int, place: Place, index: int, value: Any) -> Any:
    if index != filters or value is None or len(value.shape) < 3:
        return value
    return transposed(place, value, [*range(2, len(value.shape)), 1, 0])


def to_last(place: Place, index: int, value: Any) -> Any:
    """Return the first input, N, C, spatial..., as N, spatial..., C; others as they are."""
    rank = len(value.shape) if index == 0 else 0
    return transposed(place, value, [0, *range(2, rank), 1]) if rank > 2 else value


def to_first(place: Place, value: Any) -> Any:
    """Return a result N, spatial..., C as N, C, spatial..."""
    rank = len(value.shape)
    return transposed(place, value, [0, rank - 1, *range(1, rank - 1)]) if rank > 2 else value


def transposed(place: Place, x: Any, perm: Sequence[int]) -> Any:
    """Return a tensor with permuted axes: by a layer where the first stays."""
    if is_constant(x):
        return np.ascontiguousarray(x.transpose(perm))
    if perm[0] == 0 and len(perm) > 2 and has_layers(x):
        return place.layer(layers.Permute, x, suffix="_permute", dims=tuple(perm[1:]))
    return ops.transpose(x, tuple(perm))


def size_of(shape: Sequence[int | None]) -> int | None:
    """Return how many elements a shape has, if that is known."""
    return None if None in shape else math.prod(n for n in shape if n is not None)


def has_layers(x: Any) -> bool:
    """Tell whether layers take a tensor: they know floats and wide integers alone."""
    return floats(x) or x.dtype in ("int32", "int64")


def floats(x: Any) -> bool:
    """Tell whether a tensor or array holds floats."""
    return bool(keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype)))
