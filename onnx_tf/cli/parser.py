"""A parser of arguments that says what was probably meant, and shows the usage of the command that was called."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from onnx_tf.cli.reporting import USAGE, report
from onnx_tf.cli.usage import UsageError
from onnx_tf.errors import OptionError
from onnx_tf.supervision.limits import memory_size
from onnx_tf.telling import did_you_mean


class Parser(argparse.ArgumentParser):
    """The parser of one command; errors are printed as those of commands are, below the command's usage."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **settings)
        self.as_json = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse arguments, after options that do not exist were refused."""
        given = list(args or ())
        self.as_json = "--json" in given
        known = [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]
        is_command = not any(isinstance(action, argparse._SubParsersAction) for action in self._actions)
        for argument in given if is_command else ():
            if argument == "--":
                break
            name = argument.partition("=")[0]
            if name.startswith("--") and not any(flag.startswith(name) for flag in known):
                self.error(f"there is no option {name}{did_you_mean(name, known)}")
        namespace, rest = super().parse_known_args(args, namespace)
        if rest and is_command:
            self.error(f"{' '.join(rest)} is one argument too many, or an option that does not exist")
        return namespace, rest

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message, and end with the exit code of wrong usage."""
        self.print_usage(sys.stderr)
        report(UsageError(message), as_json=self.as_json, program=self.prog)
        self.exit(USAGE)


def check_command(parser: Parser, commands: Sequence[str], argv: Sequence[str]) -> None:
    """Refuse a command that does not exist, and say which one was probably meant."""
    first = next((argument for argument in argv if not argument.startswith("-")), None)
    if first is None or first in commands:
        return
    parser.as_json = "--json" in argv
    if first.lower().endswith(".onnx"):
        parser.error(f"say what to do with {first}, as in: onnx-tf info {first}")
    parser.error(f"there is no command {first!r}{did_you_mean(first, commands)} (commands: {', '.join(commands)})")


def memory(text: str) -> int:
    """Return the bytes that an argument like ``4G`` or ``512MiB`` states.

    Raises:
        ArgumentTypeError: it states none.
    """
    try:
        return memory_size(text)
    except OptionError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no size like 4G or 512MiB") from error
