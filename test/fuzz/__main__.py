"""Broken models and inputs by the thousand: ``python -m test.fuzz [--cases N] [--kind KIND] [--seed S] [--jobs J]``.

None may end the process, take more than ten seconds or a gigabyte, touch a file that is not its own, or raise another
error than an ``OnnxTfError``. What does is kept in a folder, to be looked at.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

from test.fuzz.case import lay
from test.fuzz.driving import ALLOWED, Outcome, drive, table
from test.fuzz.seeds import Seed, few, many
from test.fuzz.worker import KINDS, Trier, case_of

KEPT_ALIKE = 3


def main() -> int:
    """Try cases; return 1 where one is wrong."""
    arguments = _arguments()
    import tensorflow  # noqa: F401  (once, for all processes that are forked of this one)

    import onnx_tf.backend
    import onnx_tf.handlers  # noqa: F401

    seeds = few() if arguments.few else many()
    if arguments.only is not None:
        return _again(arguments, seeds)
    outcomes: list[Outcome] = []
    seconds: dict[str, float] = {}
    kinds = arguments.kind or list(KINDS)
    for kind in kinds:
        start, found = time.monotonic(), list[Outcome]()
        try:
            _try(kind, arguments, seeds, found)
        except KeyboardInterrupt:  # what is known until then is told
            kinds = []
        outcomes, seconds[kind] = outcomes + found, time.monotonic() - start
        _keep([outcome for outcome in found if outcome.verdict not in ALLOWED], arguments, seeds)
        print(table(found, seconds), file=sys.stderr, flush=True)
        if not kinds:
            break
    print(table(outcomes, seconds))
    return 1 if any(outcome.verdict not in ALLOWED for outcome in outcomes) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m test.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=200, help="cases of each kind")
    parser.add_argument("--kind", action="append", choices=list(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--few", action="store_true", help="of a few small models, which are there at once")
    parser.add_argument(
        "--only", type=int, metavar="NUMBER", help="one case of --kind, in this process, with its trace"
    )
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="the folder for what is wrong")
    return parser.parse_args()


def _try(kind: str, arguments: argparse.Namespace, seeds: list[Seed], found: list[Outcome]) -> None:
    """Try the cases of a kind in several processes, and add what becomes of them."""
    readers = []
    for job in range(arguments.jobs):
        reading, writing = os.pipe()
        if not os.fork():
            try:
                os.close(reading)
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends when nothing reads any more
                with os.fdopen(writing, "w") as answers:
                    for outcome in drive(kind, arguments.seed, range(job, arguments.cases, arguments.jobs), seeds):
                        answers.write(json.dumps(vars(outcome)) + "\n")
                        answers.flush()
            finally:
                os._exit(0)
        os.close(writing)
        readers.append(os.fdopen(reading))
    for reader in readers:
        with reader:
            found += (Outcome(**json.loads(line)) for line in reader)
    for _ in readers:
        os.wait()
    found.sort(key=lambda outcome: outcome.number)


def _keep(wrong: list[Outcome], arguments: argparse.Namespace, seeds: list[Seed]) -> None:
    counts: dict[str, int] = {}
    for outcome in wrong:
        alike = f"{outcome.verdict} {outcome.text}"
        counts[alike] = counts.get(alike, 0) + 1
        folder = arguments.keep / f"{outcome.kind}-{arguments.seed}-{outcome.number}"
        if counts[alike] > KEPT_ALIKE or folder.exists():
            continue
        case = case_of(outcome.kind, arguments.seed, outcome.number, seeds)
        lay(case, folder)
        (folder / "outcome.json").write_text(json.dumps({**vars(outcome), "title": case.title}, indent=2))


def _again(arguments: argparse.Namespace, seeds: list[Seed]) -> int:
    case = case_of(arguments.kind[0], arguments.seed, arguments.only, seeds)
    print(case.title, file=sys.stderr)
    found = Trier(Path.cwd().resolve() / "build" / "fuzz-again")(case, arguments.only)
    print(json.dumps(found, indent=2).replace("\\n", "\n"))
    return 0 if found["verdict"] in ALLOWED else 1


if __name__ == "__main__":
    raise SystemExit(main())
