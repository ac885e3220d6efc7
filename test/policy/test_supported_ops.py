"""The committed table of operators is the one that the code makes."""

from __future__ import annotations

import re
from pathlib import Path

import onnx

from onnx_tf.supported_ops import markdown, operator_coverage, supported_ops

PAGE = Path(__file__).parents[2] / "doc" / "supported_ops.md"


def test_the_page_is_up_to_date():
    page = PAGE.read_text(encoding="utf-8")
    if f"with onnx {onnx.__version__}." in page:
        assert page == markdown(), "run: onnx-tf ops --markdown > doc/supported_ops.md"
    else:  # of another version of onnx the versions differ, but what the page states is supported
        stated = re.findall(r"^\| (\w+) \|", page, re.MULTILINE)
        assert [op.op_type for op in supported_ops() if op.op_type in stated and op.missing] == []


def test_rows():
    rows = {(op.domain, op.op_type): op for op in supported_ops()}
    assert rows["ai.onnx", "Softmax"].versions == (1, 11, 13)
    assert rows["ai.onnx", "Relu"].dtypes.startswith("floats")
    assert rows["com.microsoft", "Tokenizer"].versions == (1,)
    assert "JPEG 2000" in rows["ai.onnx", "ImageDecoder"].limits


def test_every_operator_was_converted():
    names = {f"{op.domain}.{op.op_type}" for op in supported_ops()}
    recorded = operator_coverage()["operators"].keys()
    stale = [*sorted(names - recorded), *sorted(recorded - names)]
    if onnx.__version__ == operator_coverage()["onnx"]:
        assert not stale, (
            f"run: python -m test.operator_coverage --operators {' '.join(stale)}, and make the page again"
        )
