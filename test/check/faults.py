"""Faults put into one node of ten networks: ``python -m test.check.faults [NAME...]`` says whether they are found.

Each fault stands for a mistake of the conversion: the model that is converted has it, ONNX Runtime's has not. ``check``
is to name its node, ``bisect`` to shrink the model to at most five nodes that still show it.
"""

from __future__ import annotations

import argparse
import collections
import functools
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import numpy as np
import onnx
from onnx import numpy_helper

import onnx_tf
from onnx_tf.check import bisect as bisecting
from onnx_tf.check.bisect import Smallest, bisect
from onnx_tf.check.values import CheckedValue, check_values
from test.zoo.compare import MODELS, manifest
from test.zoo.materialize import make_inputs, materialize

NAMES = (
    "vit_opset20_gelu",
    "silu_mlp_mixer",
    "resnet18",
    "bert_cls",
    "dinov2_swiglu_reg",
    "mobilevit_deeplab",
    "squeezebert",
    "mpnet",
    "llama",
    "mobilevitv2",
)
MAX_NODES = 5

Fault = Callable[[onnx.NodeProto, dict[str, onnx.TensorProto]], bool]
"""Changes a node, or a weight of its own among the given ones, if it can."""


def wrong_weight(node: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> bool:
    if node.op_type not in {"Conv", "MatMul", "Gemm"} or node.input[1] not in weights:
        return False
    tensor = weights[node.input[1]]
    _replace(tensor, np.flip(numpy_helper.to_array(tensor)) + np.float32(0.25))
    return True


def wrong_operator(node: onnx.NodeProto, _: dict[str, onnx.TensorProto]) -> bool:
    others = {"Add": "Mul", "Mul": "Add", "Sub": "Add"}
    if node.op_type not in others:
        return False
    node.op_type = others[node.op_type]
    return True


CHANGED = {
    "LeakyRelu": ("alpha", 5.0),
    "BatchNormalization": ("epsilon", 1e6),
    "LayerNormalization": ("epsilon", 1e6),
    "Gemm": ("alpha", 3.0),
    "Conv": ("dilations", [2, 2]),
    "Softmax": ("axis", -2),
}
"""Other values of attributes that leave the shape of the result as it is; of a Conv with padded windows of 3."""


def changed_attribute(node: onnx.NodeProto, _: dict[str, onnx.TensorProto]) -> bool:
    given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    is_padded = list(given.get("kernel_shape", ())) == [3, 3] and list(given.get("pads", ())) == [1, 1, 1, 1]
    if node.op_type not in CHANGED or (node.op_type == "Conv" and not is_padded):
        return False
    name, value = CHANGED[node.op_type]
    pads = [onnx.helper.make_attribute("pads", [2, 2, 2, 2])] if name == "dilations" else []
    replaced = {name, *(attribute.name for attribute in pads)}
    kept = [attribute for attribute in node.attribute if attribute.name not in replaced]
    del node.attribute[:]
    node.attribute.extend([*kept, *pads, onnx.helper.make_attribute(name, value)])
    return True


def swapped_axis(node: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> bool:
    """Exchange the axes of a square weight, or the spatial ones of a filter."""
    if node.op_type not in {"Conv", "MatMul", "Gemm"} or node.input[1] not in weights:
        return False
    array = numpy_helper.to_array(weights[node.input[1]])
    if array.ndim < 2 or array.shape[-1] != array.shape[-2] or array.shape[-1] < 2:
        return False
    _replace(weights[node.input[1]], array.swapaxes(-1, -2).copy())
    return True


FAULTS: tuple[Fault, ...] = (wrong_weight, wrong_operator, changed_attribute, swapped_axis)


def guilty_node(model: onnx.ModelProto, fault: Fault) -> str:
    """Return the name of a node in the middle of a model that can have a fault."""
    names = [node.name for node in _eligible(model, fault)]
    assert names, f"no node of this model can have the fault {fault.__name__}"
    return names[len(names) // 2]


def with_fault(model: onnx.ModelProto, fault: Fault, name: str) -> onnx.ModelProto:
    """Return a model with a fault in the node of a name, where it has that."""
    wrong = onnx.ModelProto()
    wrong.CopyFrom(model)
    for node in wrong.graph.node:
        if node.name == name:
            fault(node, _weights(wrong))
    return wrong


def found_by_check(model: onnx.ModelProto, fault: Fault, name: str, feed: dict[str, Any]) -> CheckedValue | None:
    """Return what ``check`` says of a model whose conversion has a fault."""
    return check_values(model, onnx_tf.prepare(with_fault(model, fault, name)), feed).first_diverging


def found_by_bisect(model: onnx.ModelProto, fault: Fault, name: str, feed: dict[str, Any]) -> Smallest | None:
    """Return what ``bisect`` finds where every conversion has a fault."""

    def prepare(part: onnx.ModelProto, **options: Any) -> Any:
        return onnx_tf.prepare(with_fault(part, fault, name), **options)

    with mock.patch.object(bisecting, "prepare", prepare):
        return bisect(model, feed)


def _eligible(model: onnx.ModelProto, fault: Fault) -> Iterator[onnx.NodeProto]:
    constants = {tensor.name for tensor in model.graph.initializer}
    constants |= {name for node in model.graph.node if node.op_type == "Constant" for name in node.output}
    copies = _Copies(_weights(model))
    for node in model.graph.node:
        takes_two = constants.isdisjoint(node.input)  # a small constant may make no difference
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        if (fault is not wrong_operator or takes_two) and fault(copy, copies):
            yield node


class _Copies(dict[str, onnx.TensorProto]):
    """Weights, of which those that are taken may be changed."""

    def __getitem__(self, name: str) -> onnx.TensorProto:
        copy = onnx.TensorProto()
        copy.CopyFrom(super().__getitem__(name))
        return copy


def _weights(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    """Return the weights that one node alone reads."""
    uses = collections.Counter(name for node in model.graph.node for name in node.input)
    return {tensor.name: tensor for tensor in model.graph.initializer if uses[tensor.name] == 1}


def _replace(tensor: onnx.TensorProto, array: np.ndarray) -> None:
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


@functools.cache
def network(name: str) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """Return a model and inputs for it; all of its nodes have names."""
    model = materialize(MODELS / f"{name}.onnx")
    for index, node in enumerate(model.graph.node):
        node.name = node.name or f"node_{index}"
    return model, make_inputs(manifest()[name]["inputs"])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m test.check.faults", description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES)
    missed = 0
    for name in parser.parse_args().names:
        model, feed = network(name)
        for fault in FAULTS:
            start = time.perf_counter()
            guilty = guilty_node(model, fault)
            first = found_by_check(model, fault, guilty, feed)
            part = found_by_bisect(model, fault, guilty, feed)
            named = first is not None and first.node == guilty
            is_small = part is not None and guilty in part.nodes and len(part.nodes) <= MAX_NODES
            missed += not (named and is_small)
            check = "named" if named else f"NOT NAMED ({'nothing' if first is None else first.node})"
            left = "nothing" if part is None else f"{len(part.nodes)} nodes"
            seconds = time.perf_counter() - start
            print(f"{name:20s} {fault.__name__:18s} {guilty:50s} {check}, {left} left, {seconds:.0f} s", flush=True)
    print(f"{missed} missed")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
