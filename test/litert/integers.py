"""What a quantised model and its .tflite file have in common: steps, weights, numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from tensorflow.lite.python import schema_py_generated as schema

from onnx_tf.check.compare import OfSteps, compare
from onnx_tf.export.file_graph import FileGraph
from onnx_tf.export.flatbuffer import foreign_operators, operators
from onnx_tf.export.integers.file import output_steps
from onnx_tf.targets import LITERT_QUANTIZED
from test.litert.check import written
from test.litert.served import ServedLiteRT
from test.reference import ort_outputs

WITHIN = 2.0
"""How many steps an output of a single layer may be off."""


def check_integers(
    model: onnx.ModelProto,
    feed: Mapping[str, Any],
    folder: Path,
    *,
    within: float = WITHIN,
    without_xnnpack: float | None = None,
) -> bytes:
    """Check scales, weights and numbers of a model's file, and return its content.

    Args:
        model: the model.
        feed: its inputs by name.
        folder: where the file goes.
        within: how many steps an output may be off.
        without_xnnpack: the same where LiteRT's own kernels compute, by default as many.
    """
    file = folder / "model.tflite"
    interface = written(model, file, LITERT_QUANTIZED)
    content = file.read_bytes()
    assert not foreign_operators(operators(content))
    steps, constants = tensors_of(content)
    assert activation_steps(model) <= steps
    assert weights_of(model) <= constants
    wanted = ort_outputs(model, feed, optimized=False)
    sizes = output_steps(content)
    for xnnpack, limit in ((True, within), (False, within if without_xnnpack is None else without_xnnpack)):
        tolerance = {output: OfSteps(sizes.get(output), limit) for output in wanted}
        (found,) = ServedLiteRT(file, interface, xnnpack=xnnpack).runs([feed])
        comparison = compare(wanted, found, tolerance)
        assert comparison.fits, f"XNNPACK {xnnpack}: {comparison}"
    return content


def tensors_of(content: bytes) -> tuple[set[tuple[bytes, int]], set[bytes]]:
    """Return the steps of a file's tensors, and the sorted elements of its constants, as those of int8."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    file = FileGraph(model, model.subgraphs[0])
    found: set[tuple[bytes, int]] = set()
    constants: set[bytes] = set()
    for index in range(len(file.graph.tensors)):
        steps, array = file.steps(index), file.constant(index)
        if steps is not None and steps.is_one:
            found.add((steps.scale.tobytes(), int(steps.zero_point[0]) - (128 if file.dtype(index) == np.uint8 else 0)))
        if array is not None and array.dtype in (np.int8, np.uint8):
            constants.add(_sorted(array))
    return found, constants


def _sorted(array: np.ndarray) -> bytes:
    signed = array if array.dtype == np.int8 else (array.astype(np.int16) - 128).astype(np.int8)
    return np.sort(signed, axis=None).tobytes()


def activation_steps(model: onnx.ModelProto) -> set[tuple[bytes, int]]:
    """Return the steps of what a model quantises, zero points as those of int8."""
    constants = _constants(model)
    found = set()
    for node in model.graph.node:
        place = _STEPS.get(node.op_type)
        names = [] if place is None else list(node.input[place : place + 2])
        if not names or not names[0] or node.input[0] in constants:
            continue
        scale = constants[names[0]]
        zero_point = constants[names[1]] if len(names) > 1 and names[1] else np.uint8(0)
        if scale.size == 1:
            found.add((scale.tobytes(), int(zero_point) - (128 if zero_point.dtype == np.uint8 else 0)))
    return found


_STEPS = {"QuantizeLinear": 1, "QLinearConv": 6, "QLinearMatMul": 6, "QLinearAdd": 6, "QLinearMul": 6, "QGemm": 7}
"""By operator: where the scale of its result is, and behind it the zero point."""


def _constants(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    tensors |= {n.output[0]: n.attribute[0].t for n in model.graph.node if n.op_type == "Constant"}
    return {name: numpy_helper.to_array(tensor) for name, tensor in tensors.items() if tensor.data_type}


def weights_of(model: onnx.ModelProto) -> set[bytes]:
    """Return the sorted elements of a model's weights, as those of int8."""
    constants = _constants(model)
    quantized = {n.input[i] for n in model.graph.node for i in _WEIGHTS.get(n.op_type, ()) if i < len(n.input)}
    arrays = [a for name, a in constants.items() if name in quantized and a.dtype in (np.int8, np.uint8) and a.ndim > 1]
    return {_sorted(array) for array in arrays}


_WEIGHTS = {"DequantizeLinear": (0,), "MatMulInteger": (1,), "QLinearConv": (3,), "QLinearMatMul": (3,), "QGemm": (3,)}
"""By operator: which of its inputs may be weights."""
