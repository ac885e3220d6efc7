"""Follow open dimensions through shape arithmetic, and write down what comes out of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from onnx_tf.origins import hand_on
from onnx_tf.passes._constants import add_initializer
from onnx_tf.passes._implied_ranks import inferred_outputs
from onnx_tf.passes._sizes import Size, product, quotient, size
from onnx_tf.schema import optional_int_attribute

__all__ = ["SIZES", "settle_shapes", "settle_shapes_of_parts"]

SIZES = "onnx_tf.sizes"
"""Key of ``meta`` of integer scalars and vectors whose elements are known: numbers, or names of open dimensions."""

MAX_ELEMENTS = 64
"""Longer integer vectors are no shapes."""

Sizes = tuple[Size, ...]


def settle_shapes(model: ir.Model) -> bool:
    """Make constants of computed shapes; return whether there were any.

    Exporters compute ``[batch, 197, 768]`` out of the shapes of other values. LiteRT plans no memory
    for what has a computed shape, and delegates none of it. Here a Reshape with one open dimension
    gets a constant with -1, and integers that do not depend on an open dimension become constants.
    """
    return _settle(model, parts_fit=False)


def settle_shapes_of_parts(model: ir.Model) -> bool:
    """Do as :func:`settle_shapes`, where parts that end at open dimensions are never longer than what they are of.

    ONNX cuts off what is too long; a target that refuses such inputs instead knows more dimensions.
    """
    return _settle(model, parts_fit=True)


def _settle(model: ir.Model, *, parts_fit: bool) -> bool:
    settled = [_Settling(graph, parts_fit).run() for graph in model.graphs()]
    if any(settled):
        RemoveUnusedNodesPass()(model)
    return any(settled)


class _Settling:
    """One walk over a graph in topological order."""

    def __init__(self, graph: ir.Graph, parts_fit: bool) -> None:
        self.graph, self.parts_fit = graph, parts_fit
        self.sizes: dict[ir.Value, Sizes] = {}  # of the elements of integer scalars and vectors
        self.named: dict[str, Size] = {}  # dimensions that are products, by the text that stands for them
        self.settled = False

    def run(self) -> bool:
        for node in list(self.graph):
            if not _is_plain(node):
                continue
            self._improve_shapes(node)
            self._find_sizes(node)
            if node.op_type == "Reshape":
                self._settle_reshape(node)
        return self.settled

    def _dims(self, value: ir.Value | None) -> Sizes | None:
        """Return the dimensions of a value; those without a name get one."""
        if value is None or value.shape is None:
            return None
        dims = []
        for axis, dim in enumerate(value.shape):
            text = dim if isinstance(dim, int) else str(dim.value or f"{value.name}.{axis}")
            dims.append(self.named.get(text) or size(text) if isinstance(text, str) else Size(text))
        return tuple(dims)

    def _state(self, value: ir.Value, dims: Sizes) -> None:
        for dim in dims:
            self.named[str(dim)] = dim
        value.shape = ir.Shape([str(dim) if dim.number is None else dim.number for dim in dims])

    def _improve_shapes(self, node: ir.Node) -> None:
        """State shapes that follow from those of the inputs as they are known by now."""
        open_outputs = [o for o in node.outputs if o.shape is None or not o.shape.is_static()]
        if not open_outputs or any(value is not None and value.shape is None for value in node.inputs):
            return
        found = self._result_of(node)
        if found is not None:
            self._state(node.outputs[0], found)
            return
        for value in node.inputs:
            if value is not None and value.const_value is None:
                self._state(value, self._dims(value) or ())
        for output, dims in inferred_outputs(node):
            if output.shape is not None and len(output.shape) == len(dims):
                texts = [d if d is not None else f"{output.name}.{axis}" for axis, d in enumerate(dims)]
                self._state(output, tuple(self.named.get(str(t)) or size(t) for t in texts))

    def _result_of(self, node: ir.Node) -> Sizes | None:
        """Return the shape that an operator makes of one that it is given."""
        target = self._elements(node.inputs[1]) if len(node.inputs) > 1 else None
        dims = self._dims(node.inputs[0])
        if node.op_type == "Reshape" and target is not None and dims is not None:
            return _reshaped(dims, target, bool(optional_int_attribute(node, "allowzero")))
        if node.op_type == "Expand" and target is not None and dims is not None:
            return _broadcast(dims, target)
        if node.op_type == "Slice":
            return self._sliced(node, dims)
        if node.op_type == "Resize":
            return self._resized(node, dims)
        if node.op_type == "ConstantOfShape":
            return self._elements(node.inputs[0])
        if node.op_type == "Range":
            start, limit, delta = (self._number(value) for value in node.inputs)
            counts = (start, delta) == ((Size(0),), (Size(1),)) and limit is not None and limit[0].factor >= 0
            return limit if counts else None
        return None

    def _resized(self, node: ir.Node, dims: Sizes | None) -> Sizes | None:
        """Return the shape that whole factors give: inference tells nothing of open dimensions, those by 1 included."""
        scales = node.inputs[2] if len(node.inputs) == 3 else None
        own = self._dims(node.outputs[0])
        if scales is None or scales.const_value is None or dims is None or own is None or "axes" in node.attributes:
            return None
        factors = scales.const_value.numpy().reshape(-1)
        if not len(factors) == len(dims) == len(own):
            return None
        rows = zip(dims, own, factors.tolist(), strict=True)
        return tuple(product([dim, Size(int(f))]) if f == int(f) > 0 else result for dim, result, f in rows)

    def _sliced(self, node: ir.Node, dims: Sizes | None) -> Sizes | None:
        """Return the shape of a part: axes that are not cut keep their dimensions."""
        own = self._dims(node.outputs[0])
        if dims is None or own is None or len(own) != len(dims) or len(node.inputs) < 4:
            return None
        axes = self._elements(node.inputs[3])
        numbers = None if axes is None else [axis.number for axis in axes]
        if numbers is None or None in numbers:
            return None
        cut = [number % len(dims) for number in numbers if number is not None]
        found = [o if axis in cut else dim for axis, (o, dim) in enumerate(zip(own, dims, strict=True))]
        starts, ends = self._elements(node.inputs[1]), self._elements(node.inputs[2])
        steps = self._elements(node.inputs[4]) if len(node.inputs) > 4 else None
        if self.parts_fit and starts and ends and set(steps or [Size(1)]) == {Size(1)}:
            for axis, start, end in zip(cut, starts, ends, strict=True):
                if start == Size(0) and end.names and end.factor > 0:
                    found[axis] = end
        return tuple(found)

    def _elements(self, value: ir.Value | None) -> Sizes | None:
        """Return the elements of an integer scalar or vector, as far as they are known."""
        if value is None:
            return None
        tensor = value.const_value
        if tensor is None:
            return self.sizes.get(value)
        if (
            not (tensor.dtype.is_integer() or tensor.dtype is ir.DataType.BOOL)
            or tensor.size > MAX_ELEMENTS
            or len(tensor.shape) > 1
        ):
            return None
        return tuple(Size(int(element)) for element in tensor.numpy().reshape(-1))

    def _number(self, value: ir.Value | None) -> Sizes | None:
        """Return the elements of a scalar, also where it is a whole number as a float."""
        found = self._elements(value)
        if found is not None or value is None:
            return found
        tensor, node = value.const_value, value.producer()
        if tensor is not None and tensor.size == 1 and tensor.dtype.is_floating_point():
            number = float(tensor.numpy().reshape(()))
            return (Size(int(number)),) if number == int(number) else None
        is_cast = node is not None and (node.domain, node.op_type) == ("", "Cast")
        return self._elements(node.inputs[0]) if node is not None and is_cast else None

    def _find_sizes(self, node: ir.Node) -> None:
        output = node.outputs[0]
        if node.op_type == "Shape":
            dims = self._dims(node.inputs[0])
            start, end = (optional_int_attribute(node, name) for name in ("start", "end"))
            found = None if dims is None else dims[start:end]
        else:
            rule = _RULES.get(node.op_type)
            inputs = [self._elements(value) for value in node.inputs] if rule is not None else []
            found = rule(node, inputs) if rule is not None and inputs and inputs[0] is not None else None
        if found is None or output.shape is None or output.shape.rank() > 1:
            return
        self.sizes[output] = found
        output.meta[SIZES] = tuple(str(each) if each.number is None else each.number for each in found)
        numbers = [each.number for each in found]
        if None not in numbers and not output.is_graph_output():
            self._make_constant(output, numbers)

    def _make_constant(self, output: ir.Value, numbers: Sequence[int | None]) -> None:
        assert output.shape is not None
        if output.dtype is None:
            return
        array = np.array(numbers, output.dtype.numpy())
        array = array.reshape(()) if output.shape.rank() == 0 else array
        value = add_initializer(self.graph, f"{output.name}_settled", ir.tensor(array))
        hand_on(output, value)
        output.replace_all_uses_with(value)
        self.settled = True

    def _settle_reshape(self, node: ir.Node) -> None:
        target, output = node.inputs[1], node.outputs[0]
        dims = self._elements(target) and self._dims(output)
        if target is None or target.const_value is not None or dims is None:
            return
        numbers = [-1 if dim.number is None else dim.number for dim in dims]
        if numbers.count(-1) > 1 or 0 in numbers:
            return
        tensor = ir.tensor(np.array(numbers, np.int64))
        node.replace_input_with(1, add_initializer(self.graph, f"{node.name}_shape", tensor))
        self.settled = True


def _is_plain(node: ir.Node) -> bool:
    """Return whether a node is a standard operator of tensors alone."""
    values = [value for value in (*node.inputs, *node.outputs) if value is not None]
    has_body = any(attribute.type is ir.AttributeType.GRAPH for attribute in node.attributes.values())
    are_tensors = all(isinstance(value.type, ir.TensorType) for value in values)
    return node.domain == "" and bool(node.inputs) and not has_body and are_tensors


def _reshaped(dims: Sizes, target: Sizes, allows_zero: bool) -> Sizes | None:
    """Return the shape that a Reshape gives; ``None`` where it cannot be told."""
    if not allows_zero:
        copied = [dims[axis] if each == Size(0) and axis < len(dims) else each for axis, each in enumerate(target)]
        target = tuple(copied)
    rest = [each for each in target if each != Size(-1)]
    if len(rest) == len(target):
        return target
    missing = quotient(product(dims), product(rest))
    return None if missing is None else tuple(missing if each == Size(-1) else each for each in target)


def _broadcast(a: Sizes, b: Sizes) -> Sizes | None:
    length = max(len(a), len(b))
    ones = (Size(1),) * length
    pairs = list(zip((ones + a)[-length:], (ones + b)[-length:], strict=True))
    if any(x != y and Size(1) not in (x, y) for x, y in pairs):
        return None
    return tuple(y if x == Size(1) else x for x, y in pairs)


Rule = Callable[[ir.Node, Sequence["Sizes | None"]], "Sizes | None"]


def _same(node: ir.Node, inputs: Sequence[Sizes | None]) -> Sizes | None:
    kind = node.outputs[0].dtype
    return inputs[0] if kind is not None and kind.is_integer() else None


def _concat(_node: ir.Node, inputs: Sequence[Sizes | None]) -> Sizes | None:
    if any(each is None for each in inputs):
        return None
    return tuple(element for each in inputs for element in each or ())


def _gather(_node: ir.Node, inputs: Sequence[Sizes | None]) -> Sizes | None:
    source, indices = inputs
    numbers = [None] if indices is None else [index.number for index in indices]
    if source is None or any(n is None or not -len(source) <= n < len(source) for n in numbers):
        return None
    return tuple(source[n] for n in numbers if n is not None)


def _slice(_node: ir.Node, inputs: Sequence[Sizes | None]) -> Sizes | None:
    source, *bounds = inputs
    known = [bound[0].number for bound in bounds if bound is not None and len(bound) == 1]
    numbers = [number for number in known if number is not None]
    if source is None or len(bounds) < 2 or len(numbers) < len(bounds):
        return None
    return source[numbers[0] : numbers[1] : numbers[3] if len(numbers) > 3 else 1]


def _elementwise(combine: Callable[[Size, Size], Size | None]) -> Rule:
    def rule(_node: ir.Node, inputs: Sequence[Sizes | None]) -> Sizes | None:
        a, b = inputs
        if a is None or b is None or (len(a) != len(b) and 1 not in (len(a), len(b))):
            return None
        length = max(len(a), len(b))
        found = [combine(x, y) for x, y in zip(a * (length // len(a)), b * (length // len(b)), strict=True)]
        return None if None in found else tuple(each for each in found if each is not None)

    return rule


def _sum(sign: int) -> Callable[[Size, Size], Size | None]:
    return lambda a, b: Size(a.factor + sign * b.factor, a.names) if a.names == b.names else None


def _equal(a: Size, b: Size) -> Size | None:
    if a == b or (a.number is not None and b.number is not None):
        return Size(int(a == b))
    # No dimension is negative.
    apart = any(x.factor < 0 and not x.names and y.factor >= 0 for x, y in ((a, b), (b, a)))
    return Size(0) if apart else None


def _where(_node: ir.Node, inputs: Sequence[Sizes | None]) -> Sizes | None:
    known = [each for each in inputs if each]
    length = max(map(len, known), default=0)
    if len(known) < 3 or any(len(each) not in (1, length) for each in known):
        return None
    condition, a, b = (each * (length // len(each)) for each in known)
    numbers = [each.number for each in condition]
    return None if None in numbers else tuple(x if n else y for n, x, y in zip(numbers, a, b, strict=True))


_RULES: Mapping[str, Rule] = {
    "Add": _elementwise(_sum(1)),
    "Cast": _same,
    "Concat": _concat,
    "Div": _elementwise(quotient),
    "Equal": _elementwise(_equal),
    "Gather": _gather,
    "Identity": _same,
    "Mul": _elementwise(lambda a, b: product([a, b])),
    "Reshape": _same,
    "Slice": _slice,
    "Squeeze": _same,
    "Sub": _elementwise(_sum(-1)),
    "Unsqueeze": _same,
    "Where": _where,
}
"""What integer scalars and vectors become: of the elements of a node's inputs those of its output."""
