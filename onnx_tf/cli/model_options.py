"""Options that several commands have: inputs, edits, what may be made out of a file, memory orders."""

from __future__ import annotations

import argparse
import re

from onnx_tf.budget import MAX_CONSTANT_BYTES, MAX_NODES
from onnx_tf.cli.parser import Parser, memory

__all__ = ["add_budget", "add_edits", "add_inputs", "add_layout", "add_strictness", "names"]


def add_inputs(parser: Parser, text: str) -> None:
    """Add the options that say what is computed with."""
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="[NAME=]VALUE",
        help=f"{text}: a file (.npy, .npz, an image, .txt for strings), a number, a [LIST], random or zeros",
    )
    parser.add_argument("--cast", action="store_true", help="cast arrays of other dtypes to those of the inputs")


def add_strictness(parser: Parser) -> None:
    """Add the options that say what counts as equal."""
    group = parser.add_argument_group("comparison with ONNX Runtime")
    for name, what in (("rtol", "this share of what is expected"), ("atol", "this much")):
        group.add_argument(
            f"--{name}",
            type=float,
            metavar="NUMBER",
            help=f"let each float differ by {what} (default: by 1e-3 of the scale of its output)",
        )
    group.add_argument("--samples", type=_count, metavar="N", help="on how many drawn inputs (default: 3)")


def add_edits(parser: Parser) -> None:
    """Add the options that say what is changed of the model first."""
    group = parser.add_argument_group("edits before anything else")
    group.add_argument(
        "--batch-size", type=_count, metavar="N", help="the leading dimension of every input that leaves it open"
    )
    group.add_argument(
        "--input-shape",
        action="append",
        type=_input_shape,
        default=[],
        metavar="NAME:DIMS",
        help="fix open dimensions, as in x:1,3,224,224 ('?' leaves one open); several times for several inputs",
    )
    group.add_argument(
        "--value",
        dest="values",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="let an input be this constant, a number, a [LIST] or a .npy file; several times for several inputs",
    )
    for side, verb in (("input", "begin"), ("output", "end")):
        group.add_argument(
            f"--{side}-names",
            action="append",
            type=names,
            default=[],
            metavar="NAME,...",
            help=f"{verb} at these values instead of the model's {side}s; several times for several",
        )
    group.add_argument(
        "--overrides", metavar="FILE", help="change single nodes as a .json or .yaml file says, onnx2tf's among them"
    )


def add_budget(parser: Parser) -> None:
    """Add the options that say what may be made out of its file."""
    group = parser.add_argument_group("what may be made out of a file, besides what it holds")
    group.add_argument(
        "--max-constant-bytes",
        type=memory,
        default=MAX_CONSTANT_BYTES,
        metavar="SIZE",
        help="constants, as in 8G (default: 2 GiB); what goes beyond is computed in the graph, or refused",
    )
    group.add_argument(
        "--max-nodes",
        type=_count,
        default=MAX_NODES,
        metavar="N",
        help="nodes of functions, loops and choices (default: %(default)s)",
    )


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no positive number")
    return int(text)


def _input_shape(text: str) -> tuple[str, list[int | str]]:
    name, colon, dims = text.rpartition(":")
    entries = [dim.strip() for dim in dims.split(",")] if dims else []
    if not colon or not name or not all(entries):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME:DIMS, as in x:1,3,224,224")
    return name, [int(dim) if re.fullmatch(r"-?\d+", dim) else dim for dim in entries]


def names(text: str) -> list[str]:
    """Return the names that an argument like ``a,b`` states."""
    found = [name.strip() for name in text.split(",")]
    if not all(found):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME,NAME,...")
    return found


def add_layout(parser: Parser) -> None:
    """Add the options that say memory orders."""
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
