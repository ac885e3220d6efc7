"""Random small graphs of all that the layout pass knows, with equal dimensions wherever possible."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MAX_ELEMENTS = 1 << 15


class RandomGraph:
    """Grows a model by a given number of random nodes; everything depends on the seed alone."""

    def __init__(self, seed: int, size: int) -> None:
        self.rng = random.Random(seed)
        self.arrays = np.random.default_rng(seed)
        self.opset = self.rng.choice([11, 13, 17, 18, 20])
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.integers: set[str] = set()
        self.feed: dict[str, np.ndarray] = {}
        self.inputs: list[onnx.ValueInfoProto] = []
        for index in range(self.rng.choice([1, 1, 2])):
            self._add_input(f"x{index}")
        self.given = list(self.shapes)
        while len(self.nodes) < size:
            self._grow()

    def model(self) -> onnx.ModelProto:
        """Return the model: what no node reads is a graph output, and some of the rest too."""
        read = {name for node in self.nodes for name in node.input}
        made = [name for node in self.nodes for name in node.output]
        outputs = [n for n in made if n not in read or self.rng.random() < 0.05]
        infos = [
            helper.make_tensor_value_info(n, TensorProto.INT64 if n in self.integers else TensorProto.FLOAT, None)
            for n in outputs
        ]
        graph = helper.make_graph(self.nodes, "random", self.inputs, infos, self.initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)

    def _add_input(self, name: str) -> None:
        rank = self.rng.choice([3, 4, 4, 4, 5])
        side = 8 if rank < 5 else 4
        shape = tuple(1 if self.rng.random() < 0.1 else side for _ in range(rank))
        dynamic = self.rng.random() < 0.3
        dims = [f"{name}_d{i}" if dynamic and self.rng.random() < 0.5 else d for i, d in enumerate(shape)]
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, dims))
        self.shapes[name] = shape
        self.feed[name] = self.arrays.uniform(-1, 1, shape).astype(np.float32)

    def _grow(self) -> None:
        name = self._pick()
        makers: list[tuple[int, Callable[[str, tuple[int, ...]], Any]]] = [
            (6, self._conv),
            (3, self._pool),
            (2, self._normalization),
            (4, self._unary),
            (6, self._binary),
            (4, self._binary_constant),
            (3, self._concat),
            (2, self._split),
            (2, self._slice),
            (2, self._pad),
            (3, self._reduce),
            (2, self._softmax),
            (6, self._transpose),
            (5, self._reshape),
            (2, self._squeeze),
            (2, self._unsqueeze),
            (2, self._gather),
            (1, self._tile),
            (1, self._expand),
            (1, self._cumsum),
            (1, self._topk),
            (1, self._matmul),
            (1, self._where),
            (1, self._layer_normalization),
            (1, self._depth_to_space),
            (1, self._resize),
            (1, self._arg_max),
            (1, self._shape_of),
            (1, self._prelu),
        ]
        weights = [weight for weight, _ in makers]
        self.rng.choices([make for _, make in makers], weights)[0](name, self.shapes[name])

    def _pick(self) -> str:
        names = list(self.shapes)
        recent = names[-4:]
        return self.rng.choice(recent if self.rng.random() < 0.7 else names)

    def _emit(
        self, op_type: str, inputs: Sequence[str], shapes: Sequence[Sequence[int]] | Sequence[int], **attributes: Any
    ) -> str | None:
        several = bool(shapes) and not isinstance(shapes[0], int)
        listed = [tuple(s) for s in shapes] if several else [tuple(shapes)]  # type: ignore[arg-type]
        if any(np.prod(s) > MAX_ELEMENTS or len(s) > 6 for s in listed):
            return None
        outputs = [f"v{len(self.nodes)}_{i}" for i in range(len(listed))]
        self.nodes.append(helper.make_node(op_type, inputs, outputs, name=f"n{len(self.nodes)}", **attributes))
        self.shapes.update(zip(outputs, listed, strict=True))
        return outputs[0]

    def _constant(self, array: np.ndarray) -> str:
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def _random_constant(self, *shape: int) -> str:
        return self._constant(self.arrays.uniform(-1, 1, shape).astype(np.float32))

    def _axis(self, rank: int) -> int:
        return self.rng.randrange(-rank, rank)

    def _conv(self, x: str, shape: tuple[int, ...]) -> None:
        if len(shape) not in (3, 4, 5):
            return
        spatial = len(shape) - 2
        kernel = self.rng.choice([1, 3])
        channels = self.rng.choice([shape[1], 8, 4])
        group = self.rng.choice([1, 1, shape[1]]) if channels % shape[1] == 0 else 1
        weight = self._random_constant(channels, shape[1] // group, *[kernel] * spatial)
        pads = [kernel // 2] * spatial * 2
        inputs = [x, weight] + ([self._random_constant(channels)] if self.rng.random() < 0.5 else [])
        self._emit("Conv", inputs, (shape[0], channels, *shape[2:]), pads=pads, group=group)

    def _pool(self, x: str, shape: tuple[int, ...]) -> None:
        if len(shape) not in (3, 4, 5):
            return
        spatial = len(shape) - 2
        kind = self.rng.choice(["MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"])
        if kind.startswith("Global"):
            self._emit(kind, [x], (*shape[:2], *[1] * spatial))
        else:
            self._emit(kind, [x], shape, kernel_shape=[3] * spatial, pads=[1] * spatial * 2)

    def _normalization(self, x: str, shape: tuple[int, ...]) -> None:
        if len(shape) not in (3, 4, 5):
            return
        vectors = [self._random_constant(shape[1]) for _ in range(2)]
        if self.rng.random() < 0.4 and np.prod(shape[2:]) > 1:
            self._emit("InstanceNormalization", [x, *vectors], shape)
        else:
            mean, variance = self._random_constant(shape[1]), self._constant(np.full(shape[1], 0.5, np.float32))
            self._emit("BatchNormalization", [x, *vectors, mean, variance], shape)

    def _unary(self, x: str, shape: tuple[int, ...]) -> None:
        self._emit(self.rng.choice(["Relu", "Sigmoid", "Tanh", "Neg", "Abs"]), [x], shape)

    def _binary(self, x: str, shape: tuple[int, ...]) -> None:
        others = [n for n, s in self.shapes.items() if broadcasts(s, shape)]
        other = self.rng.choice(others)
        inputs = [x, other] if self.rng.random() < 0.5 else [other, x]
        self._emit(
            self.rng.choice(["Add", "Mul", "Sub", "Max"]), inputs, np.broadcast_shapes(shape, self.shapes[other])
        )

    def _binary_constant(self, x: str, shape: tuple[int, ...]) -> None:
        rank = self.rng.randrange(0, len(shape) + 1)
        dims = [d if self.rng.random() < 0.6 else 1 for d in shape[len(shape) - rank :]]
        if self.rng.random() < 0.1:
            dims = [1] * (len(shape) - rank + 1) + dims if len(shape) < 5 else dims
        inputs = [x, self._random_constant(*dims)]
        self._emit(
            self.rng.choice(["Add", "Mul"]),
            inputs if self.rng.random() < 0.5 else inputs[::-1],
            np.broadcast_shapes(shape, tuple(dims)),
        )

    def _prelu(self, x: str, shape: tuple[int, ...]) -> None:
        if len(shape) >= 2:
            slope = self._random_constant(shape[1], *[1] * (len(shape) - 2))
            self._emit("PRelu", [x, slope], shape)

    def _concat(self, x: str, shape: tuple[int, ...]) -> None:
        axis = self._axis(len(shape))
        at = axis % len(shape)
        fitting = [
            n
            for n, s in self.shapes.items()
            if len(s) == len(shape) and all(a == b for i, (a, b) in enumerate(zip(s, shape, strict=True)) if i != at)
        ]
        parts = [x, *self.rng.choices(fitting, k=self.rng.choice([1, 2]))]
        sizes = [self.shapes[n][at] for n in parts]
        if self.rng.random() < 0.2:
            parts.append(self._random_constant(*shape))
            sizes.append(shape[at])
        self._emit("Concat", parts, replaced(shape, at, sum(sizes)), axis=axis)

    def _split(self, x: str, shape: tuple[int, ...]) -> None:
        axis = self._axis(len(shape))
        size = shape[axis]
        if size % 2:
            return
        halves = [replaced(shape, axis % len(shape), size // 2)] * 2
        extra = {"num_outputs": 2} if self.opset >= 18 else {}
        self._emit("Split", [x], halves, axis=axis, **extra)

    def _slice(self, x: str, shape: tuple[int, ...]) -> None:
        axis = self._axis(len(shape))
        size = shape[axis]
        start = self.rng.randrange(0, size)
        vectors = [np.array([v], np.int64) for v in (start, size, axis)]
        if self.rng.random() < 0.2:
            vectors = [np.array([0] * len(shape), np.int64), np.array(shape, np.int64)]
            self._emit("Slice", [x, *map(self._constant, vectors)], shape)
            return
        self._emit("Slice", [x, *map(self._constant, vectors)], replaced(shape, axis % len(shape), size - start))

    def _pad(self, x: str, shape: tuple[int, ...]) -> None:
        pads = [self.rng.choice([0, 0, 1]) for _ in range(2 * len(shape))]
        result = [d + pads[i] + pads[i + len(shape)] for i, d in enumerate(shape)]
        mode = self.rng.choice(["constant", "edge"])
        self._emit("Pad", [x, self._constant(np.array(pads, np.int64))], result, mode=mode)

    def _reduce(self, x: str, shape: tuple[int, ...]) -> None:
        rank = len(shape)
        axes = sorted(self.rng.sample(range(rank), self.rng.randrange(1, rank + 1)))
        keep = self.rng.random() < 0.6
        if not keep and len(axes) == rank:
            return
        result = [1 if i in axes else d for i, d in enumerate(shape) if keep or i not in axes]
        signed = [a - rank if self.rng.random() < 0.5 else a for a in axes]
        kind = self.rng.choice(["ReduceMean", "ReduceMax", "ReduceSum"])
        if self.opset >= 18 or (kind == "ReduceSum" and self.opset >= 13):
            self._emit(kind, [x, self._constant(np.array(signed, np.int64))], result, keepdims=int(keep))
        else:
            self._emit(kind, [x], result, keepdims=int(keep), axes=signed)

    def _arg_max(self, x: str, shape: tuple[int, ...]) -> None:
        axis, keep = self._axis(len(shape)), self.rng.random() < 0.5
        if len(shape) == 1:
            return
        at = axis % len(shape)
        result = replaced(shape, at, 1) if keep else shape[:at] + shape[at + 1 :]
        found = self._emit("ArgMax", [x], result, axis=axis, keepdims=int(keep))
        if found is not None:
            self.integers.add(found)
            del self.shapes[found]

    def _softmax(self, x: str, shape: tuple[int, ...]) -> None:
        if shape:
            self._emit("Softmax", [x], shape, axis=self._axis(len(shape)))

    def _layer_normalization(self, x: str, shape: tuple[int, ...]) -> None:
        if self.opset >= 17 and shape:
            axis = self._axis(len(shape))
            scale = self._random_constant(*shape[axis % len(shape) :])
            self._emit("LayerNormalization", [x, scale], shape, axis=axis)

    def _transpose(self, x: str, shape: tuple[int, ...]) -> None:
        rank = len(shape)
        perm = list(range(rank))
        kind = self.rng.random()
        if kind < 0.35 and rank >= 3:
            perm = [0, *range(2, rank), 1]
        elif kind < 0.7 and rank >= 3:
            perm = [0, rank - 1, *range(1, rank - 1)]
        else:
            self.rng.shuffle(perm)
        self._emit("Transpose", [x], [shape[p] for p in perm], perm=perm)

    def _reshape(self, x: str, shape: tuple[int, ...]) -> None:
        dims = list(shape)
        for _ in range(self.rng.choice([1, 1, 2])):
            place = self.rng.randrange(len(dims))
            if self.rng.random() < 0.5 and place + 1 < len(dims):
                dims[place : place + 2] = [dims[place] * dims[place + 1]]
            elif dims[place] % 2 == 0 and len(dims) < 6:
                half = dims[place] // 2
                dims[place : place + 1] = self.rng.choice([[2, half], [half, 2]])
        target = list(dims)
        for i in range(min(len(shape), len(dims))):
            if shape[i] == dims[i] and self.rng.random() < 0.3:
                target[i] = 0
        if self.rng.random() < 0.4:
            target[self.rng.randrange(len(target))] = -1
        self._emit("Reshape", [x, self._constant(np.array(target, np.int64))], dims)

    def _with_axes(self, op_type: str, x: str, axes: list[int], shape: Sequence[int]) -> None:
        if self.opset >= 13:
            self._emit(op_type, [x, self._constant(np.array(axes, np.int64))], shape)
        else:
            self._emit(op_type, [x], shape, axes=axes)

    def _squeeze(self, x: str, shape: tuple[int, ...]) -> None:
        units = [i for i, d in enumerate(shape) if d == 1]
        if units and len(units) < len(shape):
            axes = self.rng.sample(units, self.rng.randrange(1, len(units) + 1))
            self._with_axes("Squeeze", x, axes, [d for i, d in enumerate(shape) if i not in axes])

    def _unsqueeze(self, x: str, shape: tuple[int, ...]) -> None:
        if len(shape) < 5:
            at = self.rng.randrange(len(shape) + 1)
            self._with_axes("Unsqueeze", x, [at], [*shape[:at], 1, *shape[at:]])

    def _gather(self, x: str, shape: tuple[int, ...]) -> None:
        axis = self._axis(len(shape))
        at = axis % len(shape)
        if self.rng.random() < 0.5 and len(shape) > 1:
            index = self._constant(np.array(self.rng.randrange(shape[at]), np.int64))
            self._emit("Gather", [x, index], shape[:at] + shape[at + 1 :], axis=axis)
        else:
            picked = [self.rng.randrange(shape[at]) for _ in range(self.rng.choice([2, shape[at]]))]
            index = self._constant(np.array(picked, np.int64))
            self._emit("Gather", [x, index], replaced(shape, at, len(picked)), axis=axis)

    def _tile(self, x: str, shape: tuple[int, ...]) -> None:
        repeats = [self.rng.choice([1, 1, 2]) for _ in shape]
        result = [d * r for d, r in zip(shape, repeats, strict=True)]
        self._emit("Tile", [x, self._constant(np.array(repeats, np.int64))], result)

    def _expand(self, x: str, shape: tuple[int, ...]) -> None:
        target = [self.rng.choice([2, 4]) if d == 1 else self.rng.choice([1, d]) for d in shape]
        if self.rng.random() < 0.3 and len(shape) < 5:
            target = [2, *target]
        result = np.broadcast_shapes(shape, tuple(target))
        self._emit("Expand", [x, self._constant(np.array(target, np.int64))], result)

    def _cumsum(self, x: str, shape: tuple[int, ...]) -> None:
        self._emit("CumSum", [x, self._constant(np.array(self._axis(len(shape)), np.int64))], shape)

    def _topk(self, x: str, shape: tuple[int, ...]) -> None:
        axis = self._axis(len(shape))
        count = self.rng.randrange(1, shape[axis] + 1)
        result = replaced(shape, axis % len(shape), count)
        found = self._emit("TopK", [x, self._constant(np.array([count], np.int64))], [result, result], axis=axis)
        if found is not None:
            indices = found[:-1] + "1"
            self.integers.add(indices)
            del self.shapes[indices]

    def _matmul(self, x: str, shape: tuple[int, ...]) -> None:
        if len(shape) < 2:
            return
        partners = [n for n, s in self.shapes.items() if s[:-2] == shape[:-2] and len(s) > 1 and s[-2] == shape[-1]]
        if partners and self.rng.random() < 0.6:
            other = self.rng.choice(partners)
            columns = self.shapes[other][-1]
        else:
            columns = self.rng.choice([4, 8])
            other = self._random_constant(shape[-1], columns)
        self._emit("MatMul", [x, other], (*shape[:-1], columns))

    def _where(self, x: str, shape: tuple[int, ...]) -> None:
        condition = self.arrays.uniform(-1, 1, shape[self.rng.randrange(len(shape)) :]) > 0
        other = self.rng.choice([n for n, s in self.shapes.items() if broadcasts(s, shape)])
        result = np.broadcast_shapes(shape, self.shapes[other])
        self._emit("Where", [self._constant(condition), x, other], result)

    def _depth_to_space(self, x: str, shape: tuple[int, ...]) -> None:
        if len(shape) != 4:
            return
        n, c, h, w = shape
        if c % 4 == 0:
            mode = self.rng.choice(["DCR", "CRD"])
            self._emit("DepthToSpace", [x], (n, c // 4, h * 2, w * 2), blocksize=2, mode=mode)
        elif h % 2 == 0 and w % 2 == 0:
            self._emit("SpaceToDepth", [x], (n, c * 4, h // 2, w // 2), blocksize=2)

    def _resize(self, x: str, shape: tuple[int, ...]) -> None:
        if len(shape) in (3, 4) and self.opset >= 13:
            scales = np.array([1, 1, *[2] * (len(shape) - 2)], np.float32)
            result = [int(d * s) for d, s in zip(shape, scales, strict=True)]
            attributes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
            self._emit("Resize", [x, "", self._constant(scales)], result, **attributes)

    def _shape_of(self, x: str, shape: tuple[int, ...]) -> None:
        found = self._emit("Shape", [x], (len(shape),))
        if found is not None:
            self.integers.add(found)
            del self.shapes[found]
            others = [n for n, s in self.shapes.items() if np.prod(s) == np.prod(shape) and n != x]
            if others and self.rng.random() < 0.7:
                self._emit("Reshape", [self.rng.choice(others), found], shape)


def broadcasts(one: Sequence[int], other: Sequence[int]) -> bool:
    """Tell whether two shapes broadcast."""
    return all(1 in (a, b) or a == b for a, b in zip(reversed(one), reversed(other), strict=False))


def replaced(shape: Sequence[int], axis: int, size: int) -> tuple[int, ...]:
    """Return a shape with one dimension changed."""
    return (*shape[:axis], size, *shape[axis + 1 :])
