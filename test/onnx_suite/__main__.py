"""Run official cases outside pytest: ``python -m test.onnx_suite PATTERN... [--through export]``."""

from __future__ import annotations

import argparse
import collections
import fnmatch
import time

from onnx.backend.test.case.test_case import TestCase

from onnx_tf.errors import ExportError, UnsupportedError
from test.ledger import ledger
from test.onnx_suite.cases import check, load_cases, model_of
from test.onnx_suite.releases import RELEASES, load_release_cases
from test.onnx_suite.runs import RUNS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m test.onnx_suite", description=__doc__)
    parser.add_argument("patterns", nargs="*", default=["*"], help="globs over kind/name, as in 'node/test_conv_*'")
    parser.add_argument("--through", choices=sorted(RUNS), default="run", help="what runs the model")
    parser.add_argument("--release", choices=[*RELEASES, "all"], help="the cases of an older onnx release instead")
    parser.add_argument("--ops", nargs="*", default=[], help="only cases with a node of one of these operators")
    parser.add_argument("-q", "--quiet", action="store_true", help="only the totals")
    arguments = parser.parse_args()
    verdicts = collections.Counter[str]()
    start = time.perf_counter()
    for name, case in _cases(arguments.release).items():
        if not any(fnmatch.fnmatch(name, f"*{pattern}*") for pattern in arguments.patterns):
            continue
        if arguments.ops and not _uses(case, set(arguments.ops)):
            continue
        verdict, message = _verdict(name, case, arguments.through)
        verdicts[verdict] += 1
        if message and not arguments.quiet:
            print(f"{verdict} {name}: {message}", flush=True)
    print(
        f"{verdicts['passed']} passed, {verdicts['refused']} refused, {verdicts['known']} known failures, "
        f"{verdicts['FAILED']} failed "
        f"in {time.perf_counter() - start:.0f} s"
    )
    return 1 if verdicts["FAILED"] else 0


def _verdict(name: str, case: TestCase, through: str) -> tuple[str, str]:
    """Return "passed", "refused", "known" or "FAILED", and what there is to say of it."""
    suite_name = "/".join(name.split("/")[-2:])  # without the release
    by_chance = suite_name in ledger("random")
    known = {suite_name, f"{suite_name}@{through}"} & ledger("onnx").keys() or _known_of_release(name)
    target = through.removesuffix("_predict")
    is_other = target in ("keras", "litert")
    listed = suite_name in ledger(target) if is_other else known
    try:
        check(case, RUNS[through])
    except Exception as error:
        if target == "keras" and isinstance(error, (UnsupportedError, ExportError)):
            return "refused", ""
        if known or listed or by_chance:
            return "known", ""
        return "FAILED", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    if listed:
        return "FAILED", "passes now: delete its line from test/ledger.toml"
    return "passed", ""


def _known_of_release(name: str) -> bool:
    return any(fnmatch.fnmatch(name, entry) for entry in ledger("releases"))


def _cases(release: str | None) -> dict[str, TestCase]:
    if release is None:
        return load_cases()
    releases = list(RELEASES) if release == "all" else [release]
    return {name: case for r in releases for name, case in load_release_cases(r).items()}


def _uses(case: TestCase, ops: set[str]) -> bool:
    return case.url is None and any(node.op_type in ops for node in model_of(case).graph.node)


if __name__ == "__main__":
    raise SystemExit(main())
