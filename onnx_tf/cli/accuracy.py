"""What the commands tell of a comparison with ONNX Runtime."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx_tf.check.accuracy import Accuracy
    from onnx_tf.check.compare import Difference


def accuracy_fields(accuracy: Accuracy) -> dict[str, Any]:
    """Return what JSON tells of it."""
    outputs = [
        dataclasses.asdict(output)
        | {
            "fits": output.fits,
            "random": output.name in accuracy.random,
            "unstable": accuracy.unstable.get(output.name, 0),
            "known": list(accuracy.known.get(output.name, ())),
        }
        for output in accuracy.outputs
    ]
    of_tflite = {"runtime": accuracy.runtime, "modes": dict(accuracy.modes)} if accuracy.modes else {}
    fed = [dict(inputs) for inputs in accuracy.fed]
    return {"fits": accuracy.fits, "reference": accuracy.reference, "inputs": fed, "outputs": outputs} | of_tflite


def print_accuracy(accuracy: Accuracy) -> None:
    """Print what people read of it."""
    runs = len(accuracy.fed)
    print(f"  compared with {accuracy.reference} on {runs} {'input' if runs == 1 else 'inputs'}: {_fed(accuracy.fed)}")
    if accuracy.modes:
        errors = ", ".join(f"{how} {_error(error, accuracy)}" for how, error in accuracy.modes.items())
        print(f"  in {accuracy.runtime or 'an interpreter that did not start'}: largest error {errors}")
    for output in accuracy.outputs:
        print(f"  {output.name}: {_found(output, accuracy)}: {_verdict(output, accuracy)}")
        if not output.fits and not output.reason:
            print(f"    at {output.at}")
        if count := accuracy.unstable.get(output.name):
            inputs = f"{count} of {len(accuracy.fed)} inputs"
            print(f"    not judged on {inputs}: the reference differs from itself where their last digits do")
        for sentence in accuracy.known.get(output.name, ()):
            print(f"    {sentence}")


def _verdict(output: Difference, accuracy: Accuracy) -> str:
    if not output.fits:
        return "DIFFERS"
    return "not judged" if accuracy.unstable.get(output.name) == len(accuracy.fed) else "ok"


def _fed(fed: tuple[Mapping[str, str], ...]) -> str:
    texts = [", ".join(f"{name}: {text}" for name, text in inputs.items()) or "no inputs" for inputs in fed]
    return "; ".join(dict.fromkeys(texts))


def _found(output: Difference, accuracy: Accuracy) -> str:
    if output.reason:
        return output.reason
    if output.name in accuracy.random:
        return "random numbers, of which only shape and dtype are compared"
    if accuracy.unstable.get(output.name) == len(accuracy.fed):
        return "rounding alone decides it; onnx-tf check compares the values before it"
    if output.error == 0.0 and not (output.measures and output.measures.not_finite):
        return "equal"
    limit = f"{output.tolerance:.1f}" if accuracy.unit else f"{output.tolerance:.0e}"
    parts = [f"error {_error(output.error, accuracy)} (tolerance {limit})"]
    own = output.measures
    if own is not None and own.absolute:
        parts.append(f"absolute {own.absolute:.1e}")
        parts += [] if own.cosine is None else [f"cosine {own.cosine:.6f}"]
        parts += [] if own.agreement in (None, 1.0) else [f"largest class agrees in {own.agreement:.1%}"]
    if own is not None and own.not_finite:
        parts.append(f"{own.not_finite} NaN or infinite in both")
    return ", ".join(parts)


def _error(error: float, accuracy: Accuracy) -> str:
    return f"{error:.1f} {accuracy.unit}" if accuracy.unit else f"{error:.1e} of its scale"
