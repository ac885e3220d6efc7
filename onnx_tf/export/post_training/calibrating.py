"""Calibration of .tflite files, and TensorFlow's quantiser, which its converter calls behind its own options.

Both work on a file of floats: the first notes in it the least and the largest number of every tensor, the second makes
steps of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.python.convert import mlir_quantize
from tensorflow.lite.python.optimize import calibrator

from onnx_tf.export.packing import packed
from onnx_tf.export.post_training.running import Running
from onnx_tf.export.post_training.settled import settled
from onnx_tf.export.post_training.spread import Spread

__all__ = ["Ranges", "calibrated", "quantized", "ranges_of", "with_ranges"]

Ranges = dict[int, tuple[float, float]]
"""The least and the largest number of tensors, by their places."""


def calibrated(content: bytes, samples: Iterable[Mapping[str, np.ndarray]]) -> tuple[bytes, list[Ranges]]:
    """Return a file of floats with the ranges of its tensors over all samples, and narrower ranges to choose from.

    These are the means of the ranges of each sample, and those whose steps of 8 bits lose least of all numbers.

    TensorFlow's own calibration reads the operands of an operator after it ran: where the result took the place of an
    operand, as those of sums do, the operand gets the range of both.

    Args:
        content: the file.
        samples: arrays by the names of the signature's inputs; their shapes may differ.
    """
    running, spreads, totals, counts = Running(content, keeps=True), dict[int, Spread](), Ranges(), Counter[int]()
    for sample in samples:
        running.outputs(sample)
        for index, array in running.floats():
            spreads.setdefault(index, Spread()).add(array)
            low, high = totals.get(index, (0.0, 0.0))
            totals[index], counts[index] = (low + float(array.min()), high + float(array.max())), counts[index] + 1
    means = {index: (low / counts[index], high / counts[index]) for index, (low, high) in totals.items()}
    closest = {index: spread.closest() for index, spread in spreads.items()}
    return with_ranges(content, {index: (spread.low, spread.high) for index, spread in spreads.items()}), [
        means,
        closest,
    ]


def quantized(content: bytes, how: Mapping[str, Any]) -> bytes:
    """Return a calibrated file with integers of 8 bits, or of 16 for activations, where the quantiser has such.

    Args:
        content: the file.
        how: ``wide``, whether activations have 16 bits; ``inputs`` and ``outputs``, the dtypes of those, which are
            floats where activations have 16; and ``per_tensor``, whether each weight has one scale.
    """
    if not how["wide"]:
        inputs, outputs = (tf.as_dtype(how[side]) for side in ("inputs", "outputs"))
        result: bytes = mlir_quantize(content, how["per_tensor"], input_data_type=inputs, output_data_type=outputs)
        return settled(result)
    holder = calibrator.Calibrator(content)
    wrapper = holder._calibrator
    floats, activations, biases = (np.dtype(dtype).num for dtype in (np.float32, np.int16, np.int64))
    wide: bytes = wrapper.QuantizeModel(floats, floats, True, activations, biases, how["per_tensor"], how["per_tensor"])
    return wide


def ranges_of(content: bytes) -> Ranges:
    """Return the ranges in a calibrated file's main graph."""
    graph = schema.ModelT.InitFromPackedBuf(content, 0).subgraphs[0]
    return {
        index: (float(told.min[0]), float(told.max[0]))
        for index, told in enumerate(tensor.quantization for tensor in graph.tensors)
        if told is not None and told.min is not None and len(told.min) == 1
    }


def with_ranges(content: bytes, ranges: Ranges) -> bytes:
    """Return a file in which tensors have these ranges; others keep theirs."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for index, (low, high) in ranges.items():
        tensor = model.subgraphs[0].tensors[index]
        told = tensor.quantization = tensor.quantization or schema.QuantizationParametersT()
        told.min, told.max = np.array([low], np.float32), np.array([high], np.float32)
    return bytes(packed(model, len(content)))
