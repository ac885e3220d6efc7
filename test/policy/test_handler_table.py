"""The table of handlers is that of the handlers, and it answers as they do."""

from __future__ import annotations

import subprocess
import sys

from onnx_tf.handler_table import HANDLER_TABLE


def test_it_is_up_to_date():
    """In a process of its own, without what other tests register."""
    script = "from test.handler_table import *; import sys; sys.stdout.write(text(rows(registry)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert HANDLER_TABLE.read_text(encoding="utf-8") == done.stdout, "run: python -m test.handler_table"
