"""How conversion grows with the size of a model: ``python -m bench.scale [KIND...]`` prints seconds per step.

Every kind of model is made in several sizes: a chain of operators, one operator of many inputs, a graph of many inputs
or of many outputs, a value of many uses, calls of a function, computed shapes. A row tells the seconds that the steps
of onnx-tf took, those of the trace (TensorFlow's own but for the handlers' calls), both per thousand, and the slowest
step. Growth is how much longer the steps took than for the size before, divided by how much larger it is: 1 is linear.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

import onnx_tf.handlers  # noqa: F401  (registers the handlers)
from onnx_tf.backend_tf_module import BackendTFModule
from onnx_tf.options import Options
from onnx_tf.pipeline import Lowered, lower
from onnx_tf.targets import target_named

__all__ = ["KINDS", "model_of"]

SIZES = {
    "chain": (1000, 5000, 20000),
    "concat": (1000, 5000, 20000),
    "sum": (1000, 5000, 20000),
    "inputs": (100, 1000, 3000),
    "outputs": (100, 1000, 3000),
    "uses": (1000, 5000, 20000),
    "initializers": (1000, 5000, 20000),
    "calls": (300, 1000, 3000),
    "shapes": (300, 1000, 3000),
}


def main() -> None:
    """Print a row for each kind and size."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("kinds", nargs="*", choices=[[], *KINDS], metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--sizes", type=int, nargs="+", default=None, help="instead of those of the kind")
    parser.add_argument("--target", choices=["saved_model", "litert"], default="saved_model")
    parser.add_argument("--no-trace", action="store_true", help="the steps of onnx-tf alone")
    parser.add_argument("--steps", action="store_true", help="the seconds of every step that takes a tenth of one")
    arguments = parser.parse_args()
    print(f"{'kind':14s}{'size':>7s}{'steps s':>10s}{'growth':>8s}{'trace s':>10s}{'s / 1000':>10s}  slowest step")
    for kind in arguments.kinds or KINDS:
        before: tuple[int, float] | None = None
        for size in arguments.sizes or SIZES[kind]:
            lowered, seconds = lowered_in(model_of(kind, size), arguments.target)
            traced = 0.0 if arguments.no_trace else _traced_in(lowered)
            growth = "" if before is None else f"{seconds / before[1] / (size / before[0]):.2f}"
            slowest = max(lowered.timings, key=lowered.timings.__getitem__)
            print(
                f"{kind:14s}{size:7d}{seconds:10.2f}{growth:>8s}{traced:10.2f}{(seconds + traced) * 1000 / size:10.2f}"
                f"  {slowest} {lowered.timings[slowest]:.2f}",
                flush=True,
            )
            if arguments.steps:
                print(
                    "".join(f"    {n}: {s:.2f}\n" for n, s in lowered.timings.items() if s >= 0.1), end="", flush=True
                )
            before = size, seconds


def lowered_in(model: onnx.ModelProto, target: str = "saved_model") -> tuple[Lowered, float]:
    """Return a model after all steps, and the seconds of the processor that they took."""
    start = time.process_time()
    lowered = lower(model, Options(target=target_named(target)))
    return lowered, time.process_time() - start


def _traced_in(lowered: Lowered) -> float:
    start = time.process_time()
    BackendTFModule(lowered.graph).concrete()
    return time.process_time() - start


def model_of(kind: str, size: int) -> onnx.ModelProto:
    """Return a model of a kind: a graph of about as many nodes, inputs or outputs as ``size`` tells."""
    return KINDS[kind](size)


def _model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[str],
    outputs: Sequence[str],
    initializers: Sequence[onnx.TensorProto] = (),
    functions: Sequence[onnx.FunctionProto] = (),
) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "scale",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 4]) for name in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        list(initializers),
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    return helper.make_model(graph, opset_imports=opsets, functions=list(functions), ir_version=8)


def _chain(size: int) -> onnx.ModelProto:
    ops = ("Relu", "Tanh", "Neg", "Sigmoid")
    return _model([helper.make_node(ops[i % 4], [f"x{i}"], [f"x{i + 1}"]) for i in range(size)], ["x0"], [f"x{size}"])


def _joined(op_type: str, **attributes: int) -> Callable[[int], onnx.ModelProto]:
    def make(size: int) -> onnx.ModelProto:
        nodes = [helper.make_node(("Relu", "Tanh")[i % 2], [f"x{i % 8}"], [f"y{i}"]) for i in range(16)]
        inputs = [f"y{i % 16}" for i in range(size)]
        return _model(
            [*nodes, helper.make_node(op_type, inputs, ["z"], **attributes)], [f"x{i}" for i in range(8)], ["z"]
        )

    return make


def _inputs(size: int) -> onnx.ModelProto:
    names = [f"x{i}" for i in range(size)]
    return _model([helper.make_node("Concat", names, ["z"], axis=1)], names, ["z"])


def _outputs(size: int) -> onnx.ModelProto:
    ops = ("Relu", "Tanh", "Neg", "Sigmoid")
    nodes = [helper.make_node("Add", [f"a{i}", "x"], [f"a{i + 1}"]) for i in range(size)]
    nodes += [helper.make_node(ops[i % 4], [f"a{i}"], [f"y{i}"]) for i in range(size)]
    return _model([helper.make_node("Neg", ["x"], ["a0"]), *nodes], ["x"], [f"y{i}" for i in range(size)])


def _uses(size: int) -> onnx.ModelProto:
    nodes = [helper.make_node("Relu", ["x"], ["hub"])]
    nodes += [helper.make_node("Add", [f"y{i - 1}" if i else "hub", "hub"], [f"y{i}"]) for i in range(size)]
    return _model(nodes, ["x"], [f"y{size - 1}"])


def _initializers(size: int) -> onnx.ModelProto:
    tensors = [onnx.numpy_helper.from_array(np.full([4], i, np.float32), f"w{i}") for i in range(size)]
    nodes = [helper.make_node("Add", [f"x{i}", f"w{i}"], [f"x{i + 1}"]) for i in range(size)]
    return _model(nodes, ["x0"], [f"x{size}"], tensors)


def _calls(size: int) -> onnx.ModelProto:
    body = [helper.make_node("Relu", ["a"], ["h"]), helper.make_node("Neg", ["h"], ["b"])]
    function = helper.make_function("local", "layer", ["a"], ["b"], body, [helper.make_opsetid("", 17)])
    nodes = [helper.make_node("layer", [f"x{i}"], [f"x{i + 1}"], domain="local") for i in range(size)]
    return _model(nodes, ["x0"], [f"x{size}"], functions=[function])


def _shapes(size: int) -> onnx.ModelProto:
    """Return a chain of Reshapes by computed shapes, as exporters write them."""
    nodes, tensors = [], [onnx.numpy_helper.from_array(np.array([i], np.int64), f"n{i}") for i in range(2)]
    for i in range(size):
        nodes += [
            helper.make_node("Shape", [f"x{i}"], [f"shape{i}"]),
            helper.make_node("Gather", [f"shape{i}", "n0"], [f"rows{i}"]),
            helper.make_node("Gather", [f"shape{i}", "n1"], [f"columns{i}"]),
            helper.make_node("Concat", [f"columns{i}", f"rows{i}"], [f"target{i}"], axis=0),
            helper.make_node("Reshape", [f"x{i}", f"target{i}"], [f"x{i + 1}"]),
        ]
    return _model(nodes, ["x0"], [f"x{size}"], tensors)


KINDS: dict[str, Callable[[int], onnx.ModelProto]] = {
    "chain": _chain,
    "concat": _joined("Concat", axis=1),
    "sum": _joined("Sum"),
    "inputs": _inputs,
    "outputs": _outputs,
    "uses": _uses,
    "initializers": _initializers,
    "calls": _calls,
    "shapes": _shapes,
}


if __name__ == "__main__":
    main()
