"""Try cases in processes of their own, and judge what becomes of them."""

from __future__ import annotations

import collections
import json
import os
import re
import select
import signal
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from test.fuzz.seeds import Seed
from test.fuzz.worker import memory, serve

__all__ = ["ALLOWED", "Outcome", "drive", "table"]

MAX_SECONDS = 10.0
"""Of the processor: others may keep it busy."""

MAX_WAIT = 6 * MAX_SECONDS
MAX_BYTES = 10**9
MAX_CASES = 400
"""Of one process: what TensorFlow keeps of each model adds up."""

MAX_UNCLEAR = 20
"""How many kinds of messages are shown that are in the words of Python."""

_OF_PYTHON = re.compile(
    "object has no attribute|unsupported operand|not subscriptable|positional argument|unexpected keyword|KeyError|"
    "index out of range|object is not|object cannot be interpreted|not supported between|has no len|AssertionError|"
    "IndexError|TypeError|AttributeError|NameError|not enough values|too many values"
)

ALLOWED = ("ran", "refused")


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes:
        kind: the kind of the case.
        number: its number.
        verdict: ``ran`` and ``refused`` are right; ``wrong error``, ``crash``, ``slow``, ``memory`` and ``outside``
            are not.
        text: what it says.
        trace: where it was.
        seconds: how long it took.
    """

    kind: str
    number: int
    verdict: str
    text: str = ""
    trace: str = ""
    seconds: float = 0.0


def drive(kind: str, seed: int, numbers: Iterable[int], seeds: Sequence[Seed]) -> Iterator[Outcome]:
    """Yield what becomes of each case; TensorFlow has begun nothing in this process, of which others are forked."""
    worker: _Worker | None = None
    for number in numbers:
        if worker is None or worker.count == MAX_CASES:
            if worker is not None:
                worker.end()
            worker = _Worker(kind, seed, seeds)
        outcome = worker.tried(number)
        if worker.ended:
            worker = None
        yield outcome
    if worker is not None:
        worker.end()


class _Worker:
    """A process that tries cases."""

    def __init__(self, kind: str, seed: int, seeds: Sequence[Seed]) -> None:
        self.kind, self.count, self.ended = kind, 0, False
        self._place: dict[str, str] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="onnx-tf-fuzz-")
        reading, self._commands = os.pipe()
        self._answers, writing = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            try:
                os.close(self._commands)
                log = os.open(os.devnull, os.O_WRONLY)
                os.dup2(log, 1)
                os.dup2(log, 2)
                serve(kind, seed, seeds, Path(self._folder.name).resolve(), reading, writing, _warm)
            finally:
                os._exit(0)
        os.close(reading)
        os.close(writing)
        self._rest = b""
        self._wait(20 * MAX_SECONDS, 1 << 50)

    def tried(self, number: int) -> Outcome:
        """Try a case."""
        self.count += 1
        self._place.clear()
        began, held = time.monotonic(), memory(pid=self._pid)
        os.write(self._commands, f"{number}\n".encode())
        found = self._wait(MAX_SECONDS, held + MAX_BYTES)
        if found.pop("memory", 0) > MAX_BYTES and found["verdict"] in ALLOWED:
            found = {"verdict": "memory", "text": found.get("text", "ran")}
        seconds = time.monotonic() - began
        return Outcome(self.kind, number, found["verdict"], found.get("text", ""), found.get("trace", ""), seconds)

    def end(self) -> None:
        """End the process."""
        if not self.ended:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._close()

    def _wait(self, seconds: float, most: int) -> dict[str, Any]:
        """Return what the process answers, or how it ended."""
        began, computed = time.monotonic(), _computed(self._pid)
        while True:
            *lines, self._rest = self._rest.split(b"\n")
            for line in lines:
                kind, *what = json.loads(line)
                if kind == "result":
                    return dict(what[0])
                self._place[kind] = what[0] if what else ""
            if select.select([self._answers], [], [], 0.05)[0]:
                content = os.read(self._answers, 1 << 16)
                if not content:
                    return self._ended("crash")
                self._rest += content
            elif _computed(self._pid) - computed > seconds or time.monotonic() - began > MAX_WAIT:
                return self._ended("slow")
            elif memory(pid=self._pid) > most:
                return self._ended("memory")

    def _ended(self, verdict: str) -> dict[str, Any]:
        if verdict != "crash":
            os.kill(self._pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        self._close()
        node = re.sub(r"'.*' ", "", self._place.get("node", "")) if self._place.get("step") == "trace" else ""
        how = f"{signal.Signals(-status).name} " if verdict == "crash" and status < 0 else ""
        return {"verdict": verdict, "text": f"{how}in step {self._place.get('step', 'none')!r} {node}".strip()}

    def _close(self) -> None:
        self.ended = True
        os.close(self._commands)
        os.close(self._answers)
        self._folder.cleanup()


def _computed(pid: int) -> float:
    """Return the seconds that a process has computed for."""
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _warm() -> None:
    """Begin what TensorFlow begins once."""
    import numpy as np

    from onnx_tf import prepare
    from test.models import relu_model

    prepare(relu_model()).run(np.zeros((1, 3), np.float32))


def table(outcomes: Sequence[Outcome], seconds: dict[str, float]) -> str:
    """Return how often each verdict was, by kind, and below it what is wrong, what is alike together."""
    verdicts = ["ran", "refused", "wrong error", "crash", "slow", "memory", "outside"]
    counts = collections.Counter((outcome.kind, outcome.verdict) for outcome in outcomes)
    kinds = list(dict.fromkeys(outcome.kind for outcome in outcomes))
    lines = ["".join([f"{'':12s}", *(f"{verdict:>13s}" for verdict in verdicts), f"{'cases/s':>10s}"])]
    for kind in kinds:
        total = sum(counts[kind, verdict] for verdict in verdicts)
        rate = total / max(seconds.get(kind, 0.0), 1e-9)
        lines.append("".join([f"{kind:12s}", *(f"{counts[kind, v]:13d}" for v in verdicts), f"{rate:10.1f}"]))
    wrong: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.verdict not in ALLOWED:
            wrong.setdefault(f"{outcome.verdict}: {outcome.text}", []).append(outcome)
    for text, found in sorted(wrong.items(), key=lambda item: -len(item[1])):
        lines.append(f"{len(found):5d}  {text}  ({found[0].kind} {found[0].number})")
    unclear = [outcome for outcome in outcomes if outcome.verdict == "refused" and _OF_PYTHON.search(outcome.text)]
    if unclear:
        lines.append(f"{len(unclear)} refusals in the words of Python, not of the model:")
    places = collections.Counter(re.sub(r"'[^']*'|\d+", "N", outcome.text)[:160] for outcome in unclear)
    first = {re.sub(r"'[^']*'|\d+", "N", outcome.text)[:160]: outcome for outcome in reversed(unclear)}
    for text, count in places.most_common(MAX_UNCLEAR):
        lines.append(f"{count:5d}  {first[text].text[:300]}  ({first[text].kind} {first[text].number})")
    return "\n".join(lines)
