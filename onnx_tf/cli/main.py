"""Arguments, exit codes and error messages of ``onnx-tf``; the commands lie in ``commands``.

Nothing here imports TensorFlow, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import sys
from collections.abc import Sequence

import onnx_tf
from onnx_tf.cli import commands
from onnx_tf.cli.usage import UsageError
from onnx_tf.errors import OnnxTfError

FAILURE, USAGE, INTERRUPTED = 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return 0, or 1 for a model that cannot be handled, 2 for wrong usage."""
    _print_any_name()
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command == "convert":
        _one_model(parser, arguments)
    try:
        code: int = getattr(commands, arguments.command)(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("onnx-tf: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except UsageError as error:
        _report(error, arguments.json, f"onnx-tf {arguments.command}")
        return USAGE
    except Exception as error:
        if not _is_expected(error):
            raise
        _report(error, arguments.json)
        return FAILURE


def _print_any_name() -> None:
    # A path or a name may hold characters that the terminal's encoding does not.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _is_expected(error: Exception) -> bool:
    return isinstance(error, (OnnxTfError, OSError, MemoryError)) or type(error).__module__.startswith("tensorflow.")


def _report(error: Exception, as_json: bool, program: str = "onnx-tf") -> None:
    message = str(error).strip()
    if not isinstance(error, OnnxTfError):
        message = message.splitlines()[0] if message else type(error).__name__
    print(f"{program}: {message}", file=sys.stderr)
    if as_json:
        fields = error.fields() if isinstance(error, OnnxTfError) else {}
        content = {"error": {"type": type(error).__name__, "message": message} | fields}
        with contextlib.suppress(OSError):  # it may be standard output itself that failed
            print(json.dumps(content, indent=2), flush=True)


def _one_model(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    if (arguments.model is None) == (arguments.infile is None):
        parser.error("convert: give the model once, as in: onnx-tf convert model.onnx -o model")
    arguments.model = arguments.model or arguments.infile


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="onnx-tf", description="Bring ONNX models into TensorFlow.")
    parser.add_argument("--version", action="version", version=f"onnx-tf {onnx_tf.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (_add_convert, _add_run, _add_info, _add_layout_command, _add_ops):
        add(commands).add_argument("--json", action="store_true", help="print JSON")
    return parser


def _add_convert(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    convert = commands.add_parser(
        "convert", help="write a model as a SavedModel, .tflite or .keras file", description=_CONVERT
    )
    convert.add_argument("model", nargs="?", help="the .onnx file")
    convert.add_argument("-i", "--infile", metavar="MODEL", help="the .onnx file, as an option")
    convert.add_argument(
        "-o",
        "--outdir",
        required=True,
        metavar="PATH",
        help="a SavedModel's folder, or a .tflite or .keras file; with --formats a folder for all of them",
    )
    convert.add_argument("--formats", type=_names, metavar="FORMAT,...", help="write saved_model, tflite, keras, ...")
    convert.add_argument(
        "--tflite",
        type=_names,
        metavar="PRECISION,...",
        help="weights of .tflite files: float32, float16 or both; integer_quant, of quantised models",
    )
    convert.add_argument("--freeze", action="store_true", help="bake a SavedModel's weights into it as constants")
    convert.add_argument("--no-overwrite", action="store_true", help="refuse to replace what is there")
    convert.add_argument(
        "--check",
        action=argparse.BooleanOptionalAction,
        help="compare what was written with ONNX Runtime (by default .tflite and .keras files, not SavedModels)",
    )
    for option, what in (("--allow-flex", "TensorFlow's operators"), ("--allow-custom-ops", "custom operators")):
        convert.add_argument(option, action="store_true", help=f"write {what} into .tflite files where LiteRT has none")
    convert.add_argument(
        "--int64-as-int32",
        action="store_true",
        help="let .tflite files compute 64-bit integers in 32 bits where that is fewer operators; numbers must fit",
    )
    convert.add_argument(
        "--nms",
        choices=("model", "padded"),
        default="model",
        help="padded: as many rows of boxes in .tflite files as there can be, and one more output with their number",
    )
    convert.add_argument(
        "--dequantize",
        action="store_true",
        help="write quantised models in floats; without it their .tflite files compute with the model's own integers",
    )
    convert.add_argument("--timings", action="store_true", help="print how long each step took (always in --json)")
    _add_inputs(convert, "an input for --check instead of random numbers; several times for several inputs")
    _add_edits(convert)
    _add_layout(convert)
    return convert


def _add_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    run = commands.add_parser("run", help="compute a model's outputs", description=_RUN)
    run.add_argument("model", help="the .onnx file")
    _add_inputs(run, "an input; several times for several inputs")
    run.add_argument("-o", "--output", metavar="FILE", help="save the outputs: .npz, or .npy for a single one")
    _add_edits(run)
    _add_layout(run)
    return run


def _add_info(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    info = commands.add_parser("info", help="describe a model and what of it is not supported")
    info.add_argument("model", help="the .onnx file")
    _add_edits(info)
    return info


def _add_layout_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    layout = commands.add_parser("layout", help="say which Transposes are left, and why")
    layout.add_argument("model", help="the .onnx file")
    layout.add_argument("--html", metavar="FILE", help="draw the graph, its memory orders and Transposes, as a page")
    _add_edits(layout)
    _add_layout(layout)
    return layout


def _add_ops(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    ops = commands.add_parser("ops", help="list the supported operators")
    ops.add_argument("pattern", nargs="?", default="*", help="only operators like this, as in 'Conv*'")
    ops.add_argument("--markdown", action="store_true", help="print doc/supported_ops.md")
    return ops


def _add_inputs(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--input", action="append", default=[], metavar="[NAME=]FILE", help=f"{text} (.npy or .npz)")


def _add_edits(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("edits before anything else")
    group.add_argument(
        "--batch-size", type=_batch_size, metavar="N", help="the leading dimension of every input that leaves it open"
    )
    group.add_argument(
        "--input-shape",
        action="append",
        type=_input_shape,
        default=[],
        metavar="NAME:DIMS",
        help="fix open dimensions, as in x:1,3,224,224 ('?' leaves one open); several times for several inputs",
    )
    for side, verb in (("input", "begin"), ("output", "end")):
        group.add_argument(
            f"--{side}-names",
            action="append",
            type=_names,
            default=[],
            metavar="NAME,...",
            help=f"{verb} at these values instead of the model's {side}s; several times for several",
        )


def _batch_size(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no positive number")
    return int(text)


def _input_shape(text: str) -> tuple[str, list[int | str]]:
    name, colon, dims = text.rpartition(":")
    entries = [dim.strip() for dim in dims.split(",")] if dims else []
    if not colon or not name or not all(entries):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME:DIMS, as in x:1,3,224,224")
    return name, [int(dim) if re.fullmatch(r"-?\d+", dim) else dim for dim in entries]


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME,NAME,...")
    return names


def _add_layout(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("memory order")
    group.add_argument("--layout", choices=["auto", "keep"], default="auto", help="default: %(default)s")
    for side, verb in (("inputs", "take"), ("outputs", "give")):
        group.add_argument(
            f"--channels-last-{side}",
            action="append",
            default=[],
            metavar="NAME",
            help=f"{verb} this one as N, spatial..., C ('all' for all); several times for several",
        )


_CONVERT = (
    "Convert an ONNX model and write it as a SavedModel with the signature serving_default, "
    "as a .tflite file that LiteRT's own operators run, as a .keras file of Keras's own layers, or as several of them."
)
_RUN = "Convert an ONNX model and compute its outputs for inputs from .npy or .npz files."
