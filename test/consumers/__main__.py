"""Give files to the programs that read them: ``python -m test.consumers [NAME...]``; ``--list`` names them.

Each consumer is installed into an environment of its own, out of PyPI and npm (some twenty gigabytes in all, kept with
``--cache FOLDER``). Writes ``test/consumers/results.json`` and the tables of ``doc/consumers.md``, with names just
their rows; ``--markdown`` writes the tables of what the results are already.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from test.consumers.catalog import Consumer, consumers
from test.consumers.environment import NotInstallableError, environment
from test.consumers.examples import run_examples
from test.consumers.samples import NAMES
from test.consumers.table import FAILS, PAGE, READS, RIGHT, Row, loaded, page, saved
from test.consumers.trial import tried


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m test.consumers", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="consumers; all of them by default")
    parser.add_argument("--models", nargs="+", choices=NAMES, default=list(NAMES), help="just these models")
    parser.add_argument("--cache", type=Path, help="keep environments and files in this folder")
    parser.add_argument("--list", action="store_true", help="name the consumers")
    parser.add_argument("--examples", action="store_true", help="run the examples that need other packages instead")
    parser.add_argument("--markdown", action="store_true", help="write the tables anew, and run nothing")
    arguments = parser.parse_args()
    known = consumers()
    if arguments.list:
        print(*(f"{consumer.name}: {consumer.title}, {', '.join(consumer.artefacts)}" for consumer in known), sep="\n")
        return 0
    unknown = set(arguments.names) - {consumer.name for consumer in known}
    if unknown:
        parser.error(f"no consumer is called {', '.join(sorted(unknown))}: --list names them")
    with tempfile.TemporaryDirectory() as folder:
        cache = (arguments.cache or Path(folder)).absolute()
        return len(run_examples(cache)) if arguments.examples else _given(arguments, known, cache)


def _given(arguments: argparse.Namespace, known: list[Consumer], cache: Path) -> int:
    chosen = [consumer for consumer in known if consumer.name in (arguments.names or {c.name for c in known})]
    found: list[Row] = []
    for consumer in [] if arguments.markdown else chosen:
        found += given(consumer, arguments.models, cache)
        saved([*loaded(), *found], known)
    PAGE.write_text(page(PAGE.read_text(), loaded(), known))
    good = sum(row.verdict in (RIGHT, READS) for row in found)
    print(f"{good} of {len(found)} read")
    return 0


def given(consumer: Consumer, models: list[str], cache: Path) -> list[Row]:
    """Return the rows of a consumer, and print them."""
    wanted = {
        kind: [model for k, model in consumer.files() if k == kind and model in models] for kind in consumer.artefacts
    }
    try:
        place = environment(consumer, cache / "environments")
    except NotInstallableError as error:
        note = f"cannot be installed: {' '.join(str(error).split())[-400:]}"
        rows = [Row(consumer.name, kind, m, "", FAILS, None, note) for kind, of_kind in wanted.items() for m in of_kind]
    else:
        rows = [row for kind, of_kind in wanted.items() for row in tried(consumer, place, kind, of_kind, cache)]
    for row in rows:
        error = "" if row.error is None else f" {row.error:.0e}"
        print(f"{row.consumer} {row.artefact} {row.model}: {row.verdict}{error} {row.note}", flush=True)
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
