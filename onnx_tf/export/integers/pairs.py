"""Make LiteRT's QUANTIZE and DEQUANTIZE of the marks that the converter handed on, with the steps that they say.

LiteRT's kernels compute with int8: uint8 is written as int8 with the zero point 128 lower, which is the same numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onnx_tf.errors import ConversionError, either
from onnx_tf.export.file_graph import FileGraph, Steps
from onnx_tf.export.integers.marks import MARK, Mark, mark_of

__all__ = ["stand_pairs"]

_OFFSET = 128
_HANDED_ON = frozenset(
    """
    BITCAST BROADCAST_TO DEPTH_TO_SPACE EXPAND_DIMS GATHER GATHER_ND RESHAPE REVERSE_V2 SLICE SPACE_TO_DEPTH SPLIT
    SPLIT_V SQUEEZE STRIDED_SLICE TILE TRANSPOSE UNPACK
    """.split()  # noqa: SIM905
)
"""What the converter may move between a mark and its Cast: their results have the steps of their first operand."""

_DATA = {"SPLIT": 1}
_TORN = f"{{}}: write the model in floats, with {either('dequantize=True', '--dequantize')}"


def stand_pairs(file: FileGraph) -> None:
    """Replace the marks of a graph by operators.

    Raises:
        ConversionError: the converter put something between a mark and its Cast that computes.
    """
    file.sort()
    for operator in list(file.of_kind(MARK)):
        mark = mark_of(operator.customOptions)
        if mark.to_integers:
            _stand_quantize(file, operator, mark)
        else:
            _stand_dequantize(file, operator, mark)


def _steps(mark: Mark) -> Steps:
    return Steps(mark.scale, mark.zero_point - (_OFFSET if mark.dtype == "UINT8" else 0), mark.axis)


def _stand_quantize(file: FileGraph, operator: Any, mark: Mark) -> None:
    given, result = int(operator.inputs[0]), int(operator.outputs[0])
    file.remove(operator)
    file.set_steps(result, _steps(mark), np.int8)
    file.add("QUANTIZE", [given], [result], options=("QuantizeOptions", {}))
    _hand_on(file, result, to_floats=False)


def _stand_dequantize(file: FileGraph, operator: Any, mark: Mark) -> None:
    given, result = int(operator.inputs[0]), int(operator.outputs[0])
    file.remove(operator)
    steps, known = _steps(mark), file.constant(given)
    if known is not None:
        given = _constant(file, given, known, mark, steps)
    elif file.dtype(given) == np.uint8 and not _is_table(file, given, mark, steps):
        given = _from_unsigned(file, given, mark, steps)
    elif file.steps(given) is None:
        _say_upwards(file, given, steps)
    elif file.steps(given) != steps:
        raise ConversionError(
            _TORN.format("an integer tensor is dequantised with other steps than it was quantised with")
        )
    file.replace(result, given)
    _hand_on(file, given, to_floats=True)


def _constant(file: FileGraph, index: int, known: np.ndarray, mark: Mark, steps: Steps) -> int:
    """Return a constant of its own with the steps: others may dequantise the same one otherwise."""
    name = file.tensor(index).name
    if mark.dtype == "UINT8":
        known = (known.astype(np.int16) - _OFFSET).astype(np.int8)
    return file.add_constant(known if mark.dtype == "INT32" else known.astype(np.int8), name, steps)


def _is_table(file: FileGraph, index: int, mark: Mark, steps: Steps) -> bool:
    """Make what is moved from a constant of uint8 int8; return whether it is such."""
    mover = file.producers.get(index)
    if mover is None or file.kind(mover) not in _HANDED_ON or file.readers.get(index) or file.is_result(index):
        return False
    place = _DATA.get(file.kind(mover), 0)
    known = file.constant(int(mover.inputs[place]))
    if known is None or len(mover.outputs) > 1:
        return False
    file.set_input(mover, place, _constant(file, int(mover.inputs[place]), known, mark, steps))
    file.set_steps(index, steps, np.int8)
    return True


def _from_unsigned(file: FileGraph, index: int, mark: Mark, steps: Steps) -> int:
    """Return the int8 form of a uint8 tensor that nothing in the graph quantised: of an input."""
    stated = Steps(mark.scale, mark.zero_point)
    if file.steps(index) not in (None, stated):
        raise ConversionError(_TORN.format("an integer tensor is dequantised with two kinds of steps"))
    _say_upwards(file, index, stated)
    result = file.add_tensor(index, np.int8, steps)
    file.add("QUANTIZE", [index], [result], 2, ("QuantizeOptions", {}))
    return result


def _say_upwards(file: FileGraph, index: int, steps: Steps) -> None:
    """Say the steps of integers that nothing in the graph quantised, also of what they were moved from."""
    file.set_steps(index, steps)
    mover = file.producers.get(index)
    if mover is not None and file.kind(mover) in _HANDED_ON:
        given = int(mover.inputs[_DATA.get(file.kind(mover), 0)])
        if file.steps(given) is None:
            _say_upwards(file, given, steps)


def _say_downwards(file: FileGraph, index: int) -> None:
    """Say the steps of integers also of what they are moved to."""
    steps = file.steps(index)
    assert steps is not None
    for reader in file.readers.get(index, []):
        kind = file.kind(reader)
        if kind in _HANDED_ON and int(reader.inputs[_DATA.get(kind, 0)]) == index:
            for result in [int(i) for i in reader.outputs]:
                file.set_steps(result, steps)
                _say_downwards(file, result)


def _hand_on(file: FileGraph, index: int, *, to_floats: bool) -> None:
    """Give the steps of a tensor to what hands it on, up to the Cast that ends a mark."""
    steps = file.steps(index)
    assert steps is not None
    for reader in list(file.readers.get(index, [])):
        kind, results = file.kind(reader), [int(i) for i in reader.outputs]
        if kind == "CAST" and file.is_float(results[0]) == to_floats:
            file.remove(reader)
            if to_floats:
                file.add("DEQUANTIZE", [index], results, 2, ("DequantizeOptions", {}))
            else:
                _end_quantize(file, results[0], index)
        elif kind in _HANDED_ON and int(reader.inputs[_DATA.get(kind, 0)]) == index and steps.is_one:
            for result in results:
                file.set_steps(result, steps, np.int8)
                _hand_on(file, result, to_floats=to_floats)
        elif kind not in (MARK, "QUANTIZE", "DEQUANTIZE"):
            raise ConversionError(_TORN.format(f"the converter put {kind} between a quantisation and its integers"))


def _end_quantize(file: FileGraph, cast: int, index: int) -> None:
    """Let what reads the integers that a Cast gave read the quantised tensor, what takes them for uint8 those."""
    if file.dtype(cast) == np.int8:
        file.replace(cast, index)
        _say_downwards(file, index)
        return
    _read_signed(file, cast, index)


def _read_signed(file: FileGraph, unsigned: int, signed: int) -> None:
    """Let what dequantises or moves uint8 read int8, with the steps of these; the rest gets uint8 again."""
    steps = file.steps(signed)
    assert steps is not None
    for reader in list(file.readers.get(unsigned, [])):
        kind = file.kind(reader)
        place = _DATA.get(kind, 0)
        if kind not in (*_HANDED_ON, MARK) or int(reader.inputs[place]) != unsigned:
            continue
        file.set_input(reader, place, signed)
        for number, result in enumerate([int(i) for i in reader.outputs] if kind != MARK else []):
            integers = file.add_tensor(result, np.int8, steps)
            file.set_output(reader, number, integers)
            _read_signed(file, result, integers)
    if file.readers.get(unsigned) or file.is_result(unsigned):
        file.set_steps(unsigned, Steps(steps.scale, steps.zero_point + _OFFSET))
        file.add("QUANTIZE", [signed], [unsigned], 2, ("QuantizeOptions", {}))
