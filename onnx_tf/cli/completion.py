"""Scripts that make shells complete commands, options and file names."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Mapping

SHELLS = ("bash", "zsh", "fish")

_BASH = """\
_onnx_tf() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" words=""
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{commands}"
    else
        case "${{COMP_WORDS[1]}}" in
{cases}
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    if [ "$COMP_CWORD" -gt 1 ] && [ "${{word#-}}" = "$word" ]; then
        COMPREPLY=($(compgen -f -- "$word"))
    fi
}}
complete -o filenames -F _onnx_tf onnx-tf
"""


def script(shell: str, commands: Mapping[str, argparse.ArgumentParser]) -> str:
    """Return the script of a shell.

    Args:
        shell: one of :data:`SHELLS`.
        commands: the parser of each command, by name.
    """
    if shell == "fish":
        return "\n".join(_fish(commands)) + "\n"
    cases = "\n".join(
        f'            {name}) words="{" ".join(_options(parser))}" ;;' for name, parser in commands.items()
    )
    text = _BASH.format(commands=" ".join(commands), cases=cases)
    return text if shell == "bash" else f"autoload -U compinit bashcompinit\ncompinit\nbashcompinit\n{text}"


def _options(parser: argparse.ArgumentParser) -> list[str]:
    return [flag for action in parser._actions for flag in action.option_strings if flag.startswith("--")]


def _fish(commands: Mapping[str, argparse.ArgumentParser]) -> Iterator[str]:
    for name, parser in commands.items():
        about = shlex.quote((parser.description or "").partition(".")[0])
        yield f"complete -c onnx-tf -n __fish_use_subcommand -a {name} -d {about}"
        for flag in _options(parser):
            yield f"complete -c onnx-tf -n '__fish_seen_subcommand_from {name}' -l {flag[2:]}"
