"""What the commands tell of a comparison with ONNX Runtime."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx_tf.check.accuracy import Accuracy


def accuracy_fields(accuracy: Accuracy) -> dict[str, Any]:
    """Return what JSON tells of it."""
    outputs = [
        dataclasses.asdict(output) | {"fits": output.fits, "known": list(accuracy.known.get(output.name, ()))}
        for output in accuracy.outputs
    ]
    of_tflite = {"runtime": accuracy.runtime, "modes": dict(accuracy.modes)} if accuracy.modes else {}
    return {"fits": accuracy.fits, "inputs": dict(accuracy.inputs), "outputs": outputs} | of_tflite


def print_accuracy(accuracy: Accuracy) -> None:
    """Print what people read of it."""
    print(f"  checked with {', '.join(f'{name}: {text}' for name, text in accuracy.inputs.items()) or 'no inputs'}")
    if accuracy.modes:
        errors = ", ".join(f"{how} {_error(error, accuracy)}" for how, error in accuracy.modes.items())
        print(f"  in {accuracy.runtime or 'an interpreter that did not start'}: largest error {errors}")
    for output in accuracy.outputs:
        limit = f"{output.tolerance:.1f}" if accuracy.unit else f"{output.tolerance:.0e}"
        found = output.reason or f"{_error(output.error, accuracy)} from ONNX Runtime (tolerance {limit})"
        print(f"  {output.name}: {found}: {'ok' if output.fits else 'DIFFERS'}")
        if not output.fits and not output.reason:
            print(f"    at {output.at}")
        for sentence in accuracy.known.get(output.name, ()):
            print(f"    {sentence}")


def _error(error: float, accuracy: Accuracy) -> str:
    return f"{error:.1f} {accuracy.unit}" if accuracy.unit else f"{error:.1e}"
