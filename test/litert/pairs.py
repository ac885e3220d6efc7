"""Models with QuantizeLinear and DequantizeLinear around their operators, with scales that fit their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from test.reference import ort_outputs


@dataclass
class Pairs:
    """A graph on its way: nodes, constants, and inputs with the data that scales are chosen by.

    Attributes:
        dtype: of quantised activations.
        per_channel: whether weights have a scale for each channel.
        seed: of the random weights.
        opset: the version of ai.onnx.
    """

    dtype: type[np.integer] = np.uint8
    per_channel: bool = True
    seed: int = 0
    opset: int = 17
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    data: dict[str, np.ndarray] = field(default_factory=dict)
    domains: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self.steps: dict[str, tuple[np.float32, np.integer]] = {}

    def name(self, stem: str) -> str:
        """Return a name that nothing has."""
        return f"{stem}_{len(self.nodes)}_{len(self.constants)}"

    def constant(self, array: Any, stem: str = "c") -> str:
        """Add an initializer."""
        name = self.name(stem)
        self.constants[name] = np.asarray(array)
        return name

    def input(self, *dims: int, low: float = -3.0, high: float = 3.0) -> str:
        """Add an input and quantise it."""
        name = f"x{len(self.data)}"
        self.data[name] = self.random.uniform(low, high, dims).astype(np.float32)
        return self.pair(name)

    def node(self, op_type: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        """Add a node and return the names of its outputs, of one alone the name."""
        names = [self.name(op_type) + f"_{i}" for i in range(outputs)]
        node = helper.make_node(op_type, list(inputs), names, name=names[0], domain=domain, **attributes)
        self.nodes.append(node)
        if domain:
            self.domains[domain] = 1
        return names[0] if outputs == 1 else names

    def quantized(self, value: str, scale: float | None = None, zero_point: int | None = None) -> str:
        """Quantise a value, in steps that span its numbers unless others are given, and return the integers."""
        if scale is None:
            numbers = ort_outputs(*self._part(value), optimized=False)[value]
            low, high = min(float(numbers.min()), 0.0), max(float(numbers.max()), 1e-3)
            scale = (high - low) / 255
            zero_point = round(-low / scale) + int(np.iinfo(self.dtype).min)
        steps = np.float32(scale), self.dtype(zero_point)
        result = self.node("QuantizeLinear", value, self.constant(steps[0], "s"), self.constant(steps[1], "z"))
        self.steps[result] = steps
        return result

    def dequantized(self, integers: str) -> str:
        """Dequantise what was quantised."""
        return self.node("DequantizeLinear", integers, *self.steps_of(integers))

    def steps_of(self, integers: str) -> list[str]:
        """Return the names of new constants that hold the steps of integers."""
        return [self.constant(number, "p") for number in self.steps[integers]]

    def pair(self, value: str, scale: float | None = None, zero_point: int | None = None) -> str:
        """Quantise a value and dequantise it."""
        return self.dequantized(self.quantized(value, scale, zero_point))

    def scales(self, channels: int) -> np.ndarray:
        """Return scales of weights: one, or one for each channel."""
        return np.linspace(0.002, 0.01, channels, dtype=np.float32) if self.per_channel else np.array(0.005, np.float32)

    def integers(self, *dims: int) -> np.ndarray:
        """Return weights."""
        return self.random.integers(-127, 128, dims).astype(np.int8)

    def weights(self, *dims: int, axis: int = 0) -> str:
        """Add dequantised weights."""
        scale = self.scales(dims[axis])
        inputs = [self.constant(self.integers(*dims), "w"), self.constant(scale, "s")]
        return self.node("DequantizeLinear", *inputs, self.constant(np.zeros(scale.shape, np.int8)), axis=axis)

    def uneven_weights(self, *dims: int) -> str:
        """Add dequantised weights of uint8 whose zero point is not in the middle, as one scale for all goes with."""
        inputs = [
            self.constant(self.random.integers(0, 256, dims).astype(np.uint8), "w"),
            np.float32(0.005),
            np.uint8(99),
        ]
        return self.node("DequantizeLinear", inputs[0], *[self.constant(number) for number in inputs[1:]])

    def bias(self, channels: int, source: str, weights: str) -> str:
        """Add a dequantised bias in steps of the products of a dequantised value and weights."""
        steps = [self.constants[self._producer(value).input[1]] for value in (source, weights)]
        integers = self.random.integers(-3000, 3000, channels).astype(np.int32)
        return self.node("DequantizeLinear", self.constant(integers, "b"), self.constant(steps[0] * steps[1]), axis=0)

    def _producer(self, value: str) -> onnx.NodeProto:
        return next(node for node in self.nodes if value in node.output)

    def model(self, outputs: Sequence[str], *, checked: bool = True) -> onnx.ModelProto:
        """Return the model with these outputs."""
        inputs = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in self.data.items()
        ]
        values = [helper.make_empty_tensor_value_info(name) for name in outputs]
        initializers = [numpy_helper.from_array(array, name) for name, array in self.constants.items()]
        graph = helper.make_graph(self.nodes, "pairs", inputs, values, initializers)
        opsets = [helper.make_opsetid(domain, v) for domain, v in {"": self.opset, **self.domains}.items()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
        if checked:
            model = onnx.shape_inference.infer_shapes(model)
        return model

    def _part(self, value: str) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
        """Return the model of what a value comes from, and its data."""
        part = Pairs(opset=self.opset, domains=self.domains)
        needed = {value}
        for node in reversed(self.nodes):
            if needed.intersection(node.output):
                needed.update(node.input)
                part.nodes.insert(0, node)
        part.constants = {name: array for name, array in self.constants.items() if name in needed}
        part.data = {name: array for name, array in self.data.items() if name in needed}
        return part.model([value], checked=False), part.data

    @property
    def feed(self) -> Mapping[str, np.ndarray]:
        """The data that the scales were chosen by."""
        return self.data
