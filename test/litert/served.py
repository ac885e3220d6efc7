"""LiteRT's interpreter in one process for many files: it is started again where a file made it die."""

from __future__ import annotations

import functools
import subprocess
import sys

from onnx_tf.check.litert import LiteRT
from onnx_tf.errors import OnnxTfError

_SERVER = """
import sys
from pathlib import Path
from onnx_tf.check.litert_process import main
for line in sys.stdin:
    main(Path(line.strip()))
    print("done", flush=True)
"""


@functools.cache
def _server() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


class ServedLiteRT(LiteRT):
    """As :class:`onnx_tf.check.litert.LiteRT`, without a start of Python for each run."""

    def _call(self, folder: str) -> None:
        server = _server()
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            server.stdin.write(f"{folder}\n")
            server.stdin.flush()
            answer = server.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            code = server.wait()
            _server.cache_clear()
            raise OnnxTfError(f"LiteRT's interpreter died (exit code {code})")
