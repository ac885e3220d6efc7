"""The table of onnx2tf's options: all of them are answered, by options that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from onnx_tf.cli.main import _parsers
from onnx_tf.export.paths import FORMATS
from onnx_tf.export.precisions import PRECISIONS
from onnx_tf.readers import READERS
from onnx_tf.rewriting import KNOWN

PAGE = (Path(__file__).parents[1] / "doc" / "migrating.md").read_text(encoding="utf-8")

FLAGS = re.findall(
    r"\S+",
    """
    -i -o -V -n -v -osd -oh5 -okv3 -otfv1pb -ow -odrqt -oiqt -qt -iqd -oqd -ioqd -cind -qnm -qns -tdnp -coion
    -nuo -nuonag -nlt -b -ois -sh -vh -onwdt -onwa -snms -k -kt -kat -inimc -onimc -easm -asms -dgc -ebu -eru
    -eatfp16 -dsft -nodaftc -dsfs -nodafsc -ofgd -cgdc -rari64 -rarf32 -rafi64 -raff32 -fasr -rtpo -me -prf -agj
    -agje -coto -cotof -coton -cotor -cotoa -ewo -ens -ert -eat -efot -ett -ecm -esm -roc -dms -it -fdopt -fdots
    -fdodo -fdoep -npgts -tb -fdosm -fdaco -fdcoa -tsmb -tstb -dsm -doem -oemd
    """,
)
"""onnx2tf's options, up to version 2.6.9."""

CHOICES = {
    "--formats": set(FORMATS),
    "--tflite": set(PRECISIONS),
    "--target": set(READERS),
    "--decompose": {*KNOWN, "OP", "..."},
}

ROWS = dict(re.findall(r"^\| `(-\w+)` \| (.*) \|$", PAGE.partition("## From onnx2tf")[2], re.MULTILINE))


def options() -> set[str]:
    parser, commands = _parsers()
    return {flag for p in (parser, *commands.values()) for action in p._actions for flag in action.option_strings}


def test_every_flag_has_one_row():
    assert list(ROWS) == FLAGS


@pytest.mark.parametrize("flag", FLAGS)
def test_what_is_named_exists(flag):
    known, commands = options(), _parsers()[1]
    for code in re.findall(r"`([^`]+)`", ROWS[flag]):
        words = code.split()
        assert not words[0].isalpha() or words[0] in commands or words[0] in {"serving_default"}, code
        for word, value in zip(words, [*words[1:], ""], strict=True):
            if word.startswith("-"):
                assert word in known, word
            chosen = {
                "--formats": set(FORMATS),
                "--tflite": set(PRECISIONS),
                "--target": set(READERS),
                "--decompose": {*KNOWN, "OP", "..."},
            }
            assert set(value.split(",")) <= chosen.get(word, set(value.split(","))), code


def test_all_names_of_decompose_are_listed():
    section = PAGE.partition("### Simpler operators")[2].partition("\n|")[0]
    assert set(re.findall(r"[A-Z]\w+", section.partition("The names are")[2])) == set(KNOWN)
    assert all(name in _parsers()[1]["convert"].format_help() for name in KNOWN)
