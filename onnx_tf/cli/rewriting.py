"""Options that say which other forms operators take."""

from __future__ import annotations

import argparse
import itertools
from typing import Any

from onnx_tf.cli.model_options import names
from onnx_tf.cli.parser import Parser

__all__ = ["add_rewriting", "edits_of_operators", "forms_of_operators"]


def add_rewriting(parser: Parser) -> None:
    """Add the options."""
    group = parser.add_argument_group("other forms of operators, for runtimes that lack some")
    group.add_argument(
        "--decompose",
        action="append",
        type=names,
        default=[],
        metavar="OP,...",
        help="write these by simpler operators: Abs, Acos, Asin, Atan, BatchMatMul, Erf, GatherND, Gelu, GroupConv, "
        "HardSwish, Inverse, LeakyRelu, MatMulInteger, Neg, PRelu, Pow",
    )
    group.add_argument(
        "--unroll-rnn",
        action=argparse.BooleanOptionalAction,
        help="lay RNN, GRU and LSTM out step by step, or never (default: by their length)",
    )
    group.add_argument(
        "--argmax",
        metavar="FORM",
        help="reduce-max: by ReduceMax; fused[:RATIO]: of images made smaller (default: 0.5), which changes numbers",
    )
    group.add_argument(
        "--argmax-dtype", metavar="DTYPE", help="of outputs that ArgMax gives: int64 (default), int32 or float32"
    )
    for kind in ("transpose", "slice"):
        group.add_argument(
            f"--max-{kind}-rank", type=int, metavar="N", help=f"{kind.title()}s of N axes at most, 3 or more"
        )
    group.add_argument(
        "--compute",
        metavar="DTYPE",
        help="compute convolutions and products of matrices of SavedModels and frozen graphs in bfloat16 or float16 "
        "(default: as the model does)",
    )
    group.add_argument(
        "--mvn-epsilon",
        type=float,
        metavar="EPS",
        help="MeanVarianceNormalization divides by sqrt(variance + EPS), which changes numbers",
    )


def edits_of_operators(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the options of the library that say what operators compute, those that were given."""
    argmax = getattr(arguments, "argmax", None)
    given = {"argmax_dtype": getattr(arguments, "argmax_dtype", None)}
    given |= {"mvn_epsilon": getattr(arguments, "mvn_epsilon", None)}
    given |= {"argmax": None if argmax == _FORM else argmax}
    return {name: value for name, value in given.items() if value is not None}


def forms_of_operators(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return those that say how, likewise."""
    found = {
        "decompose": list(itertools.chain.from_iterable(arguments.decompose)),
        "unroll_rnn": arguments.unroll_rnn,
        "argmax": arguments.argmax if arguments.argmax == _FORM else None,
        "max_transpose_rank": arguments.max_transpose_rank,
        "max_slice_rank": arguments.max_slice_rank,
        "compute": arguments.compute,
    }
    return {name: value for name, value in found.items() if value not in (None, [])}


_FORM = "reduce-max"
