"""Try the trained models that packages carry: ``python -m test.packages [--only NAME]``; see ``manifest.toml``.

Needs the network, unless the packages are in the cache already, and about half an hour. Writes
``doc/trained_models.md``; with ``--only`` just the rows of that package.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from test.packages.manifest import Package, packages, reasons
from test.packages.table import PAGE, Row, markdown, parsed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m test.packages", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="a package; several times for more")
    parser.add_argument("--cache", type=Path, help="keep what is downloaded in this folder")
    arguments = parser.parse_args()
    known = packages()
    chosen = [package for package in known if not arguments.only or package.name in arguments.only]
    unknown = set(arguments.only) - {package.name for package in known}
    if unknown:
        parser.error(f"the manifest has no {', '.join(sorted(unknown))}")
    rows = {(row.package, row.model): row for row in parsed(PAGE.read_text())} if PAGE.exists() else {}
    order = [(package.name, model.file) for package in known for model in package.models]
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for package in chosen:
            found = tried(package, arguments.cache or Path(folder), Path(folder) / "rows.json")
            failed += [package.name] if found is None else [row.model for row in found if not row.is_right]
            rows |= {(row.package, row.model): row for row in found or []}
            PAGE.write_text(markdown([rows[key] for key in order if key in rows], reasons(known)))
    print(f"{len(failed)} not right: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


def tried(package: Package, cache: Path, results: Path) -> list[Row] | None:
    """Return the rows of a package, tried in a process of its own; ``None`` if that ends otherwise."""
    command = [sys.executable, "-m", "test.packages.checks", package.name, str(cache), str(results)]
    done = subprocess.run(command, check=False)
    if done.returncode:
        print(f"{package.name}: exit code {done.returncode}", file=sys.stderr)
        return None
    return [Row(**row) for row in json.loads(results.read_text())]


if __name__ == "__main__":
    raise SystemExit(main())
