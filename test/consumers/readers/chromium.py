"""Run a page of this folder in a headless Chromium, with the files of a job and of npm beside it."""

from __future__ import annotations

import base64
import functools
import http.server
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from test.consumers.readers.reading import Job
from test.report.browser import browser

LIMIT = 600.0
"""How many seconds a page may take."""


class _Files(http.server.SimpleHTTPRequestHandler):
    """Serves a job under ``/job``, npm packages under ``/npm``, the artefact as ``/artefact`` and pages."""

    def __init__(self, *given: Any, job: Job) -> None:
        self.job = job
        super().__init__(*given)

    def translate_path(self, path: str) -> str:
        first, _, rest = path.partition("?")[0].lstrip("/").partition("/")
        roots = {"job": self.job.folder, "npm": self.job.modules}
        if first == "artefact":
            return str(self.job.artefact)
        return str((roots[first] or Path()) / rest) if first in roots else str(Path(__file__).with_name(first))

    def log_message(self, *_: Any) -> None:
        pass


def run_in_page(job: Job, page: str) -> dict[str, np.ndarray]:
    """Open a page, which leaves its outputs in ``window.found`` or an error in ``window.failed``, and return them.

    Raises:
        RuntimeError: the page failed, or took too long.
    """
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Files, job=job))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with browser() as tab:
            tab.call("Page.navigate", url=f"http://127.0.0.1:{server.server_port}/{page}")
            deadline = time.monotonic() + LIMIT
            while time.monotonic() < deadline:
                found = tab.evaluate(
                    "window.failed ? {failed: window.failed} : window.found ? {found: window.found} : null"
                )
                if found:
                    break
                time.sleep(0.2)
            else:
                raise RuntimeError(f"the page took more than {LIMIT:.0f} seconds")
    finally:
        server.shutdown()
    if "failed" in found:
        raise RuntimeError(found["failed"])
    return {entry["name"]: _array(entry) for entry in found["found"]}


def _array(entry: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(entry["data"]), entry["dtype"]).reshape(entry["shape"]).copy()
