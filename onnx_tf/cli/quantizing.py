"""The options of ``onnx-tf convert`` that quantise, and what it tells of the files."""

from __future__ import annotations

import argparse
import dataclasses
import re
from typing import TYPE_CHECKING, Any

from onnx_tf.cli.usage import UsageError

if TYPE_CHECKING:
    from onnx_tf.check.verdict import OutputError, Verdict
    from onnx_tf.conversion import Written
    from onnx_tf.export.post_training.files import Tuning

_SCALING = re.compile(r",(mean|std)=([-+.:eE\d]+)$")
_FEW = 10


def add_quantizing(parser: argparse.ArgumentParser) -> None:
    """Add the options to the parser of ``convert``."""
    group = parser.add_argument_group("quantised .tflite files (--tflite integer_quant and the like, --recipe)")
    group.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="NAME=FILE[,mean=..,std=..]",
        help="calibration data of an input, as the ONNX model takes it: .npy, .npz, a folder of .npy or images, which "
        "are resized, between 0 and 1, and scaled to (x - mean) / std, numbers with ':' between them for channels; "
        "several times for several inputs; 'random' for tests of speed",
    )
    group.add_argument("--quantize-weights", choices=("per-channel", "per-tensor"), default="per-channel")
    for side in ("inputs", "outputs"):
        group.add_argument(
            f"--quantized-{side}",
            choices=("int8", "uint8", "float32"),
            help=f"the dtype of {side} that are floats, in full_integer_quant (default: int8)",
        )
    group.add_argument(
        "--keep-float",
        action="append",
        default=[],
        metavar="NODE,...",
        help="ONNX nodes that compute in floats, or patterns of names, as in '/head/*'; several times for several",
    )
    group.add_argument("--per-layer", action="store_true", help="list what each layer loses by integers")
    group.add_argument("--tune", action="store_true", help="look for up to five more nodes that are worth floats")
    group.add_argument(
        "--recipe",
        metavar="FILE|NAME",
        help="one more file by a recipe of ai-edge-quantizer: a name, as in static_wi8_ai8, or a JSON file of rules",
    )


def quantizing_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the options as :func:`onnx_tf.convert` takes them.

    Raises:
        UsageError: ``--data`` is written in another way.
    """
    names = [name.strip() for text in arguments.keep_float for name in text.split(",") if name.strip()]
    return {
        "data": _data(arguments.data),
        "quantize_weights": arguments.quantize_weights,
        "quantized_inputs": arguments.quantized_inputs,
        "quantized_outputs": arguments.quantized_outputs,
        "keep_float": names,
        "per_layer": arguments.per_layer,
        "tune": arguments.tune,
        "recipe": arguments.recipe,
    }


def _data(specs: list[str]) -> Any:
    """Return what ``--data`` says: files by input name, or the one file that holds all."""
    from onnx_tf.calibration.data_file import DataFile

    if not specs or specs == ["random"]:
        return specs[0] if specs else None
    found: dict[str, DataFile] = {}
    for spec in specs:
        rest, scaling = spec, dict[str, list[float]]()
        while match := _SCALING.search(rest):
            rest = rest[: match.start()]
            scaling[match[1]] = _numbers(match[2], spec)
        name, has_name, path = rest.partition("=")
        if not has_name:
            if len(specs) > 1:
                raise UsageError(f"--data {spec}: several need names, as in --data NAME=FILE")
            return DataFile(rest, **scaling)
        if not name or not path:
            raise UsageError(f"--data {spec} is not NAME=FILE[,mean=..,std=..]")
        if name in found:
            raise UsageError(f"--data {spec}: input {name!r} is given data twice")
        found[name] = DataFile(path, **scaling)
    return found


def _numbers(text: str, spec: str) -> list[float]:
    try:
        return [float(number) for number in text.split(":")]
    except ValueError as error:
        raise UsageError(f"--data {spec}: {text} is no number, nor numbers with ':' between them") from error


def quantization(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the options as :func:`onnx_tf.preflight.preflight` takes them."""
    from onnx_tf.export.post_training.kinds import Quantization
    from onnx_tf.export.post_training.recipes import recipe_of

    settings = quantizing_options(arguments)
    has_data = settings.pop("data") is not None
    weights, names = settings.pop("quantize_weights"), tuple(settings.pop("keep_float"))
    sides = settings.pop("quantized_inputs"), settings.pop("quantized_outputs")
    given = settings.pop("recipe")
    recipe = None if given is None else recipe_of(given)
    return {"quantization": Quantization(weights, *sides, names, **settings, recipe=recipe), "has_data": has_data}


def quantized_summary(written: Written) -> dict[str, Any]:
    """Return what JSON tells of a quantised file besides what it tells of all."""
    found: dict[str, Any] = {}
    if written.verdict is not None:
        verdict = written.verdict
        found["verdict"] = dataclasses.asdict(verdict) | {"agreement": verdict.agreement, "is_good": verdict.is_good}
    if written.quantized is not None:
        found["coarse"] = [dataclasses.asdict(operator) for operator in written.quantized.coarse]
        tuning = written.quantized.tuning
        found["tuning"] = None if tuning is None else dataclasses.asdict(tuning)
    return found


def print_quantized(written: Written) -> None:
    """Print what is told of a quantised file besides what is told of all."""
    if written.quantized is not None:
        for operator in written.quantized.coarse:
            print(f"  far off: {operator.node}: {operator.reason}")
        if written.quantized.tuning is not None:
            _print_tuning(written.quantized.tuning)
    if written.verdict is not None:
        _print_verdict(written.verdict)


def _print_verdict(verdict: Verdict) -> None:
    print(f"  in {verdict.runtime}, against ONNX Runtime, in steps of each output:")
    origins = ("of the calibration data", verdict.origin)
    for outputs, count, origin in zip((verdict.calibration, verdict.fresh), verdict.samples, origins, strict=True):
        for output in outputs:
            samples = "1 sample" if count == 1 else f"{count} samples"
            print(f"    {output.name}, {samples} {origin}: {_told(output)}")
    print(f"    largest error without XNNPACK, of the first sample: {verdict.without_xnnpack:.1f}")
    if not verdict.is_good and verdict.agreement is not None:
        print(
            f"  THE LARGEST CLASS IS THE SAME IN {verdict.agreement:.0%} OF THE CASES ONLY: give more data, keep nodes "
            "in floats (--tune looks for some), or take 16-bit activations"
        )


def _told(output: OutputError) -> str:
    told = f"largest {output.largest:.1f}, mean {output.mean:.2f}, signal {output.noise_ratio:.1f} dB above noise"
    return told if output.agreement is None else f"{told}, largest class the same in {output.agreement:.1%}"


def _print_tuning(tuning: Tuning) -> None:
    if tuning.losses:
        print("  what layers lose, in decibels (signal above noise at their result):")
    for node, ratio, lost in tuning.losses[:_FEW]:
        print(f"    {lost:6.1f} ({ratio:.1f})  {node}")
    if len(tuning.losses) > _FEW:
        print(f"    and {len(tuning.losses) - _FEW} more, in --json")
    for nodes, gain in tuning.steps:
        print(f"  kept in floats: {', '.join(nodes)}, which brings {gain:.1f} dB")
    if tuning.searched:
        print(f"  signal above noise without tuning {tuning.before:.1f} dB, with it {tuning.after:.1f} dB")
