"""Compare whole folders of models with ONNX Runtime: ``python -m test.zoo [NAME...]``, a table."""

from __future__ import annotations

import argparse
import fnmatch
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from test.ledger import ledger
from test.zoo.checks import check_keras, check_model, check_tflite
from test.zoo.compare import MODELS, SHARED, manifest
from test.zoo.materialize import materialize
from test.zoo.plans import broken_promises

REAL = Path(__file__).with_name("real.json")
"""How to feed the two trained networks there."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m test.zoo", description=__doc__)
    parser.add_argument("names", nargs="*", default=["*"])
    parser.add_argument("--folder", type=Path, default=MODELS)
    parser.add_argument("--everything", action="store_true", help="all models of ../shared instead, if they are there")
    parser.add_argument("--export", action="store_true", help="also through a SavedModel in a process of its own")
    parser.add_argument("--frozen", action="store_true", help="through a SavedModel with constants for weights instead")
    parser.add_argument("--litert", action="store_true", help="through a .tflite file instead, and a second batch")
    parser.add_argument("--keras", action="store_true", help="through a .keras file in a process of its own instead")
    parser.add_argument("--keras-source", action="store_true", help="through source of Keras, in the same way")
    parser.add_argument("--plan", action="store_true", help="whether plans say what conversions then do, instead")
    parser.add_argument("--layout", choices=["auto", "keep"], default="auto")
    parser.add_argument("--family", default="*")
    parser.add_argument("--shard", default="0/1", help="I/N: every N-th model, from the I-th")
    arguments = parser.parse_args()
    index, count = map(int, arguments.shard.split("/"))
    models = [
        (path, entry)
        for path, entry in (everything() if arguments.everything else _models(arguments.folder))
        if any(fnmatch.fnmatch(entry["name"], p) for p in arguments.names)
        and fnmatch.fnmatch(entry["family"], arguments.family)
    ][index::count]
    verdicts = [_verdict(path, entry, arguments) for path, entry in models]
    passed = sum(verdict.startswith("ok") for verdict in verdicts)
    known = sum(verdict.startswith("known") for verdict in verdicts)
    print(f"{passed} passed, {known} known failures, {len(verdicts) - passed - known} failed")
    return 0 if passed + known == len(verdicts) else 1


def _models(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for name, entry in sorted(manifest(folder).items()):
        yield folder / f"{name}.onnx", entry


def everything() -> Iterator[tuple[Path, dict[str, Any]]]:
    if not SHARED.is_dir():
        print(f"{SHARED} is not there: only the models of {MODELS}")
        yield from _models(MODELS)
        return
    yield from _models(SHARED / "zoo" / "dev")
    for name, entry in manifest(REAL.parent, REAL.name).items():
        yield SHARED / "real" / f"{name}.onnx", entry


def _verdict(path: Path, entry: Mapping[str, Any], arguments: argparse.Namespace) -> str:
    name = entry["name"]
    start = time.perf_counter()
    try:
        verdict = _compared(path, entry, arguments)
    except Exception as error:
        verdict = f"FAIL {type(error).__name__}: {' '.join(str(error).split())[:600]}"
    if arguments.plan:
        reason = None
    elif arguments.litert or arguments.keras or arguments.keras_source:
        reason = ledger("litert" if arguments.litert else "keras").get(f"zoo/{name}")
    else:
        reason = ledger("zoo").get(name)
    if reason is not None:
        verdict = f"known: {reason}" if verdict.startswith("FAIL") else f"PASSES now: delete {name!r} from the ledger"
    print(f"{name:40s} {time.perf_counter() - start:6.1f} s  {verdict}", flush=True)
    return verdict


def _compared(path: Path, entry: Mapping[str, Any], arguments: argparse.Namespace) -> str:
    if arguments.plan:
        broken = list(broken_promises(materialize(path)))
        return f"FAIL {'; '.join(broken)}" if broken else "ok"
    if arguments.litert:
        found = check_tflite(entry, materialize(path), batches=(3,))
    elif arguments.keras or arguments.keras_source:
        kind: Any = "keras_source" if arguments.keras_source else "keras"
        found = check_keras(entry, materialize(path), batches=(3,), kind=kind)
    else:
        export: Any = "frozen" if arguments.frozen else "fresh" if arguments.export else "no"
        found = check_model(entry, materialize(path), layout=arguments.layout, export=export)
    label, worst = max(found, key=lambda pair: (not pair[1].fits, pair[1].error / (pair[1].tolerance or 1.0)))
    text = f"{label} {worst}"
    return f"ok {text}" if worst.fits else f"FAIL {text}"


if __name__ == "__main__":
    raise SystemExit(main())
