"""One checked combination of an operator of com.microsoft, and what tables of them are made of."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
import onnx

from test.handlers.check import check_op, make_op_model
from test.reference import ort_outputs

MICROSOFT = "com.microsoft"


@dataclass(frozen=True)
class Case:
    """A node of one operator with its inputs.

    Attributes:
        op_type: the operator.
        inputs: one array per input, ``None`` for an absent one.
        attributes: the node's attributes.
        settings: see :func:`test.handlers.check.check_op`; a function as ``reference`` returns the expected
            arrays, by ONNX Runtime from this node.
    """

    op_type: str
    inputs: Sequence[Any]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Check that the numbers are the reference's.

        Raises:
            AssertionError: an output differs.
        """
        settings = {"domain": MICROSOFT} | dict(self.settings)
        if callable(settings.get("reference")):
            settings["reference"] = settings["reference"]()
        check_op(self.op_type, self.inputs, self.attributes, **settings)

    @property
    def asks_onnx_runtime(self) -> bool:
        """Whether ONNX Runtime computes the reference from this very node."""
        return callable(self.settings.get("reference", len))

    @property
    def combination(self) -> tuple[Any, ...]:
        """What tells combinations apart: shapes and dtypes of the inputs, and attributes."""
        inputs = tuple(None if x is None else (np.shape(x), np.asarray(x).dtype.name) for x in self.inputs)
        while inputs and inputs[-1] is None:
            inputs = inputs[:-1]
        return inputs, str(sorted(self.attributes.items()))

    @property
    def domain(self) -> str:
        """The domain of the operator."""
        return self.settings.get("domain", MICROSOFT)


def case(op_type: str, inputs: Sequence[Any], attributes: Mapping[str, Any] | None = None, **settings: Any) -> Case:
    """Return a case; the keywords are those of :func:`test.handlers.check.check_op`."""
    return Case(op_type, list(inputs), attributes or {}, settings)


Generator = Callable[..., Iterator[Case]]


def each(names: str, values: Iterable[Any]) -> Callable[[Generator], Generator]:
    """Repeat a generator function with every value of a parameter, or of several parameters together."""

    def decorate(function: Generator) -> Generator:
        @functools.wraps(function)
        def repeated(**others: Any) -> Iterator[Case]:
            for value in values:
                given = value if " " in names else (value,)
                yield from function(**others, **dict(zip(names.split(), given, strict=True)))

        return repeated

    return decorate


def of_kernel(op_type: str, inputs: Sequence[Any], attributes: Mapping[str, Any], outputs: int = 1) -> list[np.ndarray]:
    """Return what ONNX Runtime computes by an operator of com.microsoft."""
    model = make_op_model(op_type, inputs, attributes, domain=MICROSOFT, outputs=outputs)
    return list(ort_outputs(model, {f"x{i}": x for i, x in enumerate(inputs) if x is not None}).values())


def by_onnx_runtime(nodes: str, *inputs: np.ndarray, opset: int = 21) -> list[np.ndarray]:
    """Return what ONNX Runtime computes by operators of ai.onnx: y from float inputs x0, x1 and so on.

    This is the reference for operators that it fuses from these, but implements on GPUs alone.
    """
    given = ", ".join(f"{_TYPES[x.dtype.name]}[{','.join(map(str, x.shape))}] x{i}" for i, x in enumerate(inputs))
    types = _TYPES[inputs[0].dtype.name]
    text = f'<ir_version: 10, opset_import: ["": {opset}]> unfused ({given}) => ({types} y) {{{nodes}}}'
    model = onnx.parser.parse_model(text)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    return [ort_outputs(model, {f"x{i}": x for i, x in enumerate(inputs)})["y"]]


_TYPES = {"float32": "float", "float16": "float16", "uint8": "uint8", "int64": "int64"}


def cases_of(module: ModuleType) -> Iterator[Case]:
    """Yield what the generator functions of a module yield, in the order of their definition."""
    for function in vars(module).values():
        if inspect.isgeneratorfunction(function) and function.__module__ == module.__name__:
            yield from function()
