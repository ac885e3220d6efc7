"""The official test cases that the installed onnx package carries, and how one is checked."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests

from onnx_tf.check.compare import Elementwise, compare

BFLOAT16_RTOL = 2**-6
"""Two units in the last place, which is what onnx's own runner takes."""

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator", "real")


@functools.cache
def load_cases() -> dict[str, TestCase]:
    """Return the cases by kind and name, such as ``node/test_abs``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # onnx computes its cases, some with overflow on purpose
        cases = {f"{kind}/{case.name}": case for kind in KINDS for case in load_model_tests(kind=kind)}
    return dict(sorted(cases.items()))


def model_of(case: TestCase) -> onnx.ModelProto:
    """Return the model of a case."""
    if case.model is not None:
        return case.model
    if case.model_dir is not None:
        return onnx.load(os.path.join(case.model_dir, "model.onnx"))
    return onnx.load(_light_model(case))


def data_sets(case: TestCase, model: onnx.ModelProto) -> Iterator[tuple[list[Any], list[Any]]]:
    """Return the (inputs, outputs) pairs of a case as numpy arrays, lists and ``None``."""
    if case.data_sets is not None:
        for inputs, outputs in case.data_sets:
            yield [_array(item) for item in inputs], [_array(item) for item in outputs]
    elif case.model_dir is not None:
        for folder in sorted(Path(case.model_dir).glob("test_data_set_*")):
            yield _load(folder, "input", model.graph.input), _load(folder, "output", model.graph.output)
    else:
        yield _light_data(case, model)


def check(case: TestCase, run: Callable[[onnx.ModelProto, list[Any]], list[Any]]) -> None:
    """Run a case with ``run(model, inputs)`` and compare, with the tolerance that the case states.

    Raises:
        AssertionError: dtype, shape or values differ.
    """
    model = model_of(case)
    for inputs, expected in data_sets(case, model):
        is_coarse = any(getattr(value, "dtype", None) == "bfloat16" for value in expected)
        tolerance = Elementwise(max(case.rtol, BFLOAT16_RTOL) if is_coarse else case.rtol, case.atol)
        actual = run(model, inputs)
        if model.graph.node[0].op_type in ("Cast", "CastLike"):
            expected, actual = _defined(inputs[0], expected, actual)
        comparison = compare(by_position(expected), by_position(actual), tolerance)
        assert comparison.fits, str(comparison)


def by_position(values: Iterable[Any]) -> dict[str, Any]:
    """Return outputs under names that tell their places."""
    return {f"output {index}": value for index, value in enumerate(values)}


def _defined(x: Any, expected: list[Any], actual: list[Any]) -> tuple[list[Any], list[Any]]:
    """Return outputs of a Cast with 0 for numbers that the dtype does not hold.

    What they become, ONNX leaves undefined; the cases expect what the installed ml_dtypes makes of them.
    """
    dtype = expected[0].dtype
    if dtype.name not in ("int2", "uint2", "int4", "uint4") or not np.issubdtype(x.dtype, np.floating):
        return expected, actual
    limits = ml_dtypes.iinfo(dtype)
    outside = ~((np.trunc(x) >= limits.min) & (np.trunc(x) <= limits.max))
    return [_blank(value, outside) for value in expected], [_blank(value, outside) for value in actual]


def _blank(value: Any, where: np.ndarray) -> Any:
    value = value.copy()
    value[where] = 0
    return value


def _array(item: Any) -> Any:
    return onnx.numpy_helper.to_array(item) if isinstance(item, onnx.TensorProto) else item


def _load(folder: Path, prefix: str, values: Any) -> list[Any]:
    loaded: list[Any] = []
    for index in range(len(list(folder.glob(f"{prefix}_*.pb")))):
        data = (folder / f"{prefix}_{index}.pb").read_bytes()
        kind = values[index].type.WhichOneof("value")
        if kind == "sequence_type":
            loaded.append(onnx.numpy_helper.to_list(onnx.SequenceProto.FromString(data)))
        elif kind == "optional_type":
            loaded.append(onnx.numpy_helper.to_optional(onnx.OptionalProto.FromString(data)))
        else:
            array = onnx.numpy_helper.to_array(onnx.TensorProto.FromString(data))
            # Releases up to 1.15 state the bits of bfloat16 as uint16.
            dtype = onnx.helper.tensor_dtype_to_np_dtype(values[index].type.tensor_type.elem_type)
            loaded.append(array.view(dtype) if dtype == "bfloat16" and array.dtype == np.uint16 else array)
    return loaded


def _light_model(case: TestCase) -> Path:
    return Path(onnx.__file__).parent.parent / str(case.url)


def _light_data(case: TestCase, model: onnx.ModelProto) -> tuple[list[Any], list[Any]]:
    path = _light_model(case)
    initializers = {tensor.name for tensor in model.graph.initializer}
    inputs = []
    for value in model.graph.input:
        if value.name not in initializers:
            shape = [dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim]
            count = int(np.prod(shape))
            # The ramp that onnx's own runner feeds to the light models.
            inputs.append((np.arange(count).reshape(shape) / count).astype(np.float32))
    output = onnx.TensorProto.FromString(path.with_name(f"{path.stem}_output_0.pb").read_bytes())
    return inputs, [onnx.numpy_helper.to_array(output)]
