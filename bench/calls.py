"""What a call costs beside the kernels: ``python -m bench.calls`` prints a Markdown table.

A product, a sum and a Relu of a few numbers are called in every form in which a converted model can be, beside a
``tf.function`` with the same signature that returns its input, and beside ONNX Runtime. They take turns, many calls at
a time. ``PYTHONPATH=FOLDER python -P bench/calls.py`` does the same with another version of onnx-tf.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import tensorflow as tf

from bench.measure import in_turn, timed
from onnx_tf import prepare

DENSE = """<ir_version: 8, opset_import: ["": 17]> g (float[N, 4] x, float[4, 8] w, float[8] b) => (float[N, 8] y)
    { h = MatMul(x, w) a = Add(h, b) y = Relu(a) }"""
EMPTY = "empty tf.function, array"


def main() -> None:
    """Print a row for each form."""
    parser = argparse.ArgumentParser(prog="python -m bench.calls", description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="rounds")
    parser.add_argument("--calls", type=int, default=100, help="calls of a form in a round")
    parser.add_argument("--wall", action="store_true", help="count time on the clock, not of the processor")
    arguments = parser.parse_args()
    clock = time.perf_counter if arguments.wall else time.process_time
    with tempfile.TemporaryDirectory() as folder:
        tools = {n: timed(_repeated(call, arguments.calls), clock) for n, call in forms(model(), folder).items()}
        times = {n: 1000 * ms / arguments.calls for n, ms in in_turn(tools, arguments.runs).items()}
    print("| call | microseconds | of an empty tf.function |")
    print("|---|--:|--:|")
    for name, microseconds in times.items():
        print(f"| {name} | {microseconds:.1f} | {microseconds / times[EMPTY]:.2f} |")


def model() -> onnx.ModelProto:
    """Return a dense layer with weights."""
    made, random = onnx.parser.parse_model(DENSE), np.random.default_rng(0)
    for name, shape in {"w": (4, 8), "b": (8,)}.items():
        values = random.standard_normal(shape).astype(np.float32)
        made.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
        made.graph.input.pop()
    return made


def forms(dense: onnx.ModelProto, folder: str) -> dict[str, Callable[[], Any]]:
    """Return what calls the model once, by what the call looks like.

    Args:
        dense: what :func:`model` returned.
        folder: for SavedModels.
    """
    rep = prepare(dense)
    rep.export_graph(f"{folder}/dense")
    loaded, empty = tf.saved_model.load(f"{folder}/dense"), _empty()
    tf.saved_model.save(empty, f"{folder}/empty", signatures=empty.call.get_concrete_function())
    loaded_empty = tf.saved_model.load(f"{folder}/empty").signatures["serving_default"]
    signature, concrete = loaded.signatures["serving_default"], empty.call.get_concrete_function()
    session = ort.InferenceSession(dense.SerializeToString(), providers=["CPUExecutionProvider"])
    array = np.ones((2, 4), np.float32)
    tensor = tf.constant(array)
    captured, dtypes = signature.captured_inputs, [output.dtype for output in signature.outputs]
    found = {
        EMPTY: lambda: empty.call(array),
        "empty tf.function, tensor": lambda: empty.call(tensor),
        "empty concrete function, tensor": lambda: concrete(tensor),
        "empty signature of a SavedModel, tensor": lambda: loaded_empty(x=tensor),
        "rep.run(array)": lambda: rep.run(array),
        "rep.run(tensor)": lambda: rep.run(tensor),
        "rep.run({'x': array})": lambda: rep.run({"x": array}),
        "rep.tf_module(tensor)": lambda: rep.tf_module(tensor),
        "signature(x=tensor)": lambda: signature(x=tensor),
        "signature by StatefulPartitionedCall, array": lambda: tf.raw_ops.StatefulPartitionedCall(
            args=[array, *captured], Tout=dtypes, f=signature
        ),
        "ONNX Runtime, array": lambda: session.run(None, {"x": array}),
    }
    if hasattr(loaded, "trainable_variables"):  # SavedModels of old versions have functions of another form
        found |= {"loaded.serve(tensor)": lambda: loaded.serve(tensor)}
        found |= {"loaded.serve({'x': tensor})": lambda: loaded.serve({"x": tensor})}
    return found


def _empty() -> Any:
    module, spec = tf.Module(), tf.TensorSpec([None, 4], tf.float32, name="x")
    module.call = tf.function(lambda x: {"y": x}, input_signature=[spec], autograph=False)
    return module


def _repeated(call: Callable[[], Any], times: int) -> Callable[[], None]:
    def repeated() -> None:
        for _ in range(times):
            call()

    return repeated


if __name__ == "__main__":
    main()
