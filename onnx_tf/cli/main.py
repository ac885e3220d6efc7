"""Arguments, exit codes and error messages of ``onnx-tf``; the commands lie in ``commands``.

Nothing here imports TensorFlow, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

import onnx_tf
from onnx_tf.cli import commands
from onnx_tf.cli.completion import SHELLS
from onnx_tf.cli.model_options import add_budget, add_edits, add_inputs, add_layout, add_strictness
from onnx_tf.cli.parser import Parser, check_command
from onnx_tf.cli.quantizing import add_quantizing
from onnx_tf.cli.reporting import FAILURE, exit_code, is_expected, plain_warnings, report
from onnx_tf.cli.rewriting import add_rewriting
from onnx_tf.cli.supervisor import add_limits, is_supervised, supervise
from onnx_tf.cli.usage import UsageError
from onnx_tf.cli.writing_options import add_writing
from onnx_tf.supervision.child import supervised

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[Parser]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return 0, or 1 for a model that cannot be handled, 2 for wrong usage.

    Without arguments it is the program ``onnx-tf``, whose work is done in a process of its own.
    """
    return _run(sys.argv[1:] if argv is None else list(argv), is_program=argv is None)


def work() -> NoReturn:
    """Do the work of a process that is watched, and end."""
    supervised(lambda: _run(sys.argv[1:], is_watched=True))


def _run(given: list[str], *, is_program: bool = False, is_watched: bool = False) -> int:
    began = time.perf_counter()
    _print_any_name()
    parser, named = _parsers()
    check_command(parser, list(named), given)
    arguments = parser.parse_args(given)
    arguments.began, arguments.commands = began, named
    if arguments.command in ("convert", "plan"):
        _one_model(named[arguments.command], arguments)
    try:
        if not is_watched and is_supervised(arguments, is_program=is_program):
            return supervise(given, arguments)
        with plain_warnings():
            code: int = getattr(commands, arguments.command)(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt as error:
        print("onnx-tf: interrupted", file=sys.stderr)
        return exit_code(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except Exception as error:
        if not is_expected(error):
            raise
        program = f"onnx-tf {arguments.command}" if isinstance(error, UsageError) else "onnx-tf"
        report(error, as_json=arguments.json, program=program, verbose=arguments.verbose)
        return exit_code(error)


def _print_any_name() -> None:
    # A path or a name may hold characters that the terminal's encoding does not.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _one_model(parser: Parser, arguments: argparse.Namespace) -> None:
    if isinstance(arguments.freeze, str) and arguments.freeze != "both":  # as in: convert --freeze model.onnx
        if arguments.model is not None:
            parser.error(f"--freeze {arguments.freeze}: write --freeze alone, or --freeze both")
        arguments.model, arguments.freeze = arguments.freeze, True
    infile = getattr(arguments, "infile", None)
    if (arguments.model is None) == (infile is None):
        example = "convert model.onnx -o model" if arguments.command == "convert" else "plan model.onnx"
        parser.error(f"give the model once, as in: onnx-tf {example}")
    arguments.model = arguments.model or infile


def _parsers() -> tuple[Parser, dict[str, Parser]]:
    """Return the parser of the program, and those of its commands by name."""
    parser = Parser(prog="onnx-tf", description="Bring ONNX models into TensorFlow.", epilog=_EXAMPLES)
    parser.add_argument("--version", action="version", version=f"onnx-tf {onnx_tf.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (
        _add_convert,
        _add_run,
        _add_info,
        _add_plan,
        _add_layout_command,
        _add_check,
        _add_bisect,
        _add_ops,
        _add_completion,
    ):
        command = add(commands)
        if add not in (_add_ops, _add_completion):
            add_limits(command)
        command.add_argument("--json", action="store_true", help="print JSON")
        loudness = command.add_mutually_exclusive_group()
        loudness.add_argument(
            "-q", "--quiet", action="store_true", help="print nothing but results, warnings and errors"
        )
        loudness.add_argument(
            "-v", "--verbose", action="store_true", help="show each step, TensorFlow's log, tracebacks"
        )
    return parser, dict(commands.choices)


def _add_convert(commands: Commands) -> Parser:
    convert = commands.add_parser(
        "convert",
        help="write a model as a SavedModel, .tflite, .keras or .pb file",
        description=_CONVERT,
        epilog=_examples("convert"),
    )
    convert.add_argument("model", nargs="?", help="the .onnx file")
    convert.add_argument("-i", "--infile", metavar="MODEL", help="the .onnx file, as an option")
    convert.add_argument(
        "-o",
        "--outdir",
        required=True,
        metavar="PATH",
        help="a SavedModel's folder, or a .tflite, .keras or .pb file; with --formats a folder for all of them",
    )
    add_writing(convert)
    convert.add_argument("--no-overwrite", action="store_true", help="refuse to replace what is there")
    convert.add_argument(
        "--check",
        action=argparse.BooleanOptionalAction,
        help="compare what was written with ONNX Runtime (the default, where it can be; with --check it must be)",
    )
    convert.add_argument(
        "--split-size",
        metavar="SIZE",
        help="cut the model into parts with weights of up to this size, as in 1G: NAME_1, NAME_2, ..., NAME.parts.json",
    )
    convert.add_argument("--report", metavar="FILE.html", help="show the conversion as a page, values inside included")
    convert.add_argument("--timings", action="store_true", help="print how long each step took (always in --json)")
    add_strictness(convert)
    add_quantizing(convert)
    add_inputs(convert, "an input for --check instead of random numbers; several times for several inputs")
    add_edits(convert)
    add_budget(convert)
    add_layout(convert)
    add_rewriting(convert)
    return convert


def _add_run(commands: Commands) -> Parser:
    run = commands.add_parser("run", help="compute a model's outputs", description=_RUN, epilog=_examples("run"))
    run.add_argument("model", help="the .onnx file")
    add_inputs(run, "an input; several times for several inputs")
    run.add_argument("-o", "--output", metavar="FILE", help="save the outputs: .npz, or .npy for a single one")
    add_edits(run)
    add_budget(run)
    add_layout(run)
    add_rewriting(run)
    return run


def _add_info(commands: Commands) -> Parser:
    info = commands.add_parser(
        "info", help="describe a model and what of it is not supported", description=_INFO, epilog=_examples("info")
    )
    info.add_argument("model", help="the .onnx file")
    add_edits(info)
    add_budget(info)
    return info


def _add_plan(commands: Commands) -> Parser:
    about = "say what a conversion would refuse, change and take, without writing anything"
    plan = commands.add_parser("plan", help=about, description=_PLAN, epilog=_examples("plan"))
    plan.add_argument("model", nargs="?", help="the .onnx file")
    add_writing(plan)
    add_quantizing(plan)
    add_edits(plan)
    add_budget(plan)
    add_layout(plan)
    add_rewriting(plan)
    return plan


def _add_layout_command(commands: Commands) -> Parser:
    layout = commands.add_parser(
        "layout", help="say which Transposes are left, and why", description=_LAYOUT, epilog=_examples("layout")
    )
    layout.add_argument("model", help="the .onnx file")
    layout.add_argument("--html", metavar="FILE", help="draw the graph, its memory orders and Transposes, as a page")
    add_edits(layout)
    add_budget(layout)
    add_layout(layout)
    add_rewriting(layout)
    return layout


def _add_check(commands: Commands) -> Parser:
    about = "compare every value inside a model with ONNX Runtime"
    check = commands.add_parser("check", help=about, description=_CHECK, epilog=_examples("check"))
    check.add_argument("model", help="the .onnx file")
    check.add_argument(
        "artifact", nargs="?", help="a SavedModel, .tflite, .keras or .pb file of it, whose outputs are compared too"
    )
    check.add_argument("--report", metavar="FILE.html", help="show the comparison as a page")
    add_strictness(check)
    add_inputs(check, "an input instead of random numbers; several times for several inputs")
    add_edits(check)
    add_budget(check)
    add_layout(check)
    add_rewriting(check)
    return check


def _add_bisect(commands: Commands) -> Parser:
    about = "cut a model that fails down to the smallest part that still does"
    bisect = commands.add_parser("bisect", help=about, description=_BISECT, epilog=_examples("bisect"))
    bisect.add_argument("model", help="the .onnx file")
    bisect.add_argument("-o", "--output", required=True, metavar="FILE", help="the .onnx file to write")
    bisect.add_argument("--neutral", action="store_true", help="give it neutral names and, if it fails then, weights")
    add_inputs(bisect, "an input instead of random numbers; several times for several inputs")
    add_edits(bisect)
    add_budget(bisect)
    add_layout(bisect)
    add_rewriting(bisect)
    return bisect


def _add_ops(commands: Commands) -> Parser:
    ops = commands.add_parser("ops", help="list the supported operators", description=_OPS, epilog=_examples("ops"))
    ops.add_argument("pattern", nargs="?", default="*", help="only operators like this, as in 'Conv*'")
    ops.add_argument("--markdown", action="store_true", help="print doc/supported_ops.md")
    return ops


def _add_completion(commands: Commands) -> Parser:
    about = "print a script that makes a shell complete commands and options"
    completion = commands.add_parser("completion", help=about, description=_COMPLETION, epilog=_examples("completion"))
    completion.add_argument("shell", choices=SHELLS)
    return completion


def _examples(command: str) -> str:
    return "\n  ".join(["examples:", *COMMAND_LINES[command]])


COMMAND_LINES: dict[str, list[str]] = {
    "convert": [
        "onnx-tf convert model.onnx -o saved_model --check",
        "onnx-tf convert model.onnx -o model.tflite",
        "onnx-tf convert model.onnx -o out --formats saved_model,tflite,keras",
    ],
    "run": [
        "onnx-tf run model.onnx --input x.npy",
        "onnx-tf run model.onnx --input image=random --batch-size 1 --output scores.npz",
    ],
    "info": ["onnx-tf info model.onnx", "onnx-tf info model.onnx --json"],
    "plan": ["onnx-tf plan model.onnx", "onnx-tf plan model.onnx --formats saved_model,tflite,keras --allow-flex"],
    "layout": ["onnx-tf layout model.onnx --html layout.html"],
    "check": ["onnx-tf check model.onnx", "onnx-tf check model.onnx saved_model --input image=random"],
    "bisect": ["onnx-tf bisect model.onnx -o smallest.onnx --neutral"],
    "ops": ["onnx-tf ops 'Conv*'"],
    "completion": ["onnx-tf completion bash"],
}
"""Lines that --help shows for each command."""
_EXAMPLES = (
    "onnx-tf COMMAND --help tells the rest.\n"
    "exit codes: 0 done; 1 the model cannot be converted, or differs; 2 wrong usage; 130 interrupted"
)
_CONVERT = (
    "Convert an ONNX model and write it as a SavedModel with the signature serving_default, "
    "as a .tflite file that LiteRT's own operators run, as a .keras file of Keras's own layers, or as several of them."
)
_RUN = "Convert an ONNX model and compute its outputs for inputs from files or the command line."
_INFO = "Print inputs, outputs, opset versions, operators and sizes, and all nodes that cannot be converted."
_PLAN = (
    "Say of each artefact what convert would refuse, approximate and change with the same options, and about how large "
    "it and a run of it are. The exit code is 1 where something is refused."
)
_LAYOUT = "Say which memory order was chosen, which Transposes are left, and why each is needed."
_CHECK = (
    "Compare every value inside a converted model with ONNX Runtime's own, in the order of the graph, and name the "
    "first node that differs. The exit code is 1 where something does."
)
_BISECT = (
    "Write the few nodes of a model that still cannot be converted or still differ from ONNX Runtime, with the inputs "
    "that show it beside them (.npz): what to attach to a report. The exit code is 1 where nothing fails."
)
_COMPLETION = (
    "Print a script for a shell, to be loaded by the file that it reads when it starts:\n"
    '  bash  eval "$(onnx-tf completion bash)"\n'
    '  zsh   eval "$(onnx-tf completion zsh)"\n'
    "  fish  onnx-tf completion fish | source"
)
_OPS = "List operators by name, with the opset versions in which each is supported."
