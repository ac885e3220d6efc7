"""Check zoo models outside pytest: ``python -m test.zoo [NAME...] [--folder DIR] [--export]``."""

from __future__ import annotations

import argparse
import fnmatch
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from onnx_tf import prepare
from onnx_tf.feeding import to_numpy
from onnx_tf.signature import regrouped
from test.reference import ort_outputs
from test.zoo.compare import MODELS, differences, manifest
from test.zoo.materialize import make_inputs, materialize


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m test.zoo", description=__doc__)
    parser.add_argument("names", nargs="*", default=["*"])
    parser.add_argument("--folder", type=Path, default=MODELS)
    parser.add_argument("--export", action="store_true", help="also through a SavedModel in a process of its own")
    parser.add_argument("--layout", choices=["auto", "keep"], default="auto")
    parser.add_argument("--family", default="*")
    parser.add_argument("--shard", default="0/1", help="I/N: every N-th model, from the I-th")
    arguments = parser.parse_args()
    index, count = map(int, arguments.shard.split("/"))
    failed = 0
    entries = [
        e
        for name, e in sorted(manifest(arguments.folder).items())
        if any(fnmatch.fnmatch(name, p) for p in arguments.names) and fnmatch.fnmatch(e["family"], arguments.family)
    ]
    for entry in entries[index::count]:
        start = time.perf_counter()
        try:
            verdict = _check(entry, arguments)
        except Exception as error:
            verdict = f"FAIL {type(error).__name__}: {' '.join(str(error).split())[:600]}"
        failed += not verdict.startswith("ok")
        print(f"{entry['name']:40s} {time.perf_counter() - start:6.1f} s  {verdict}", flush=True)
    print(f"{len(entries[index::count]) - failed} passed, {failed} failed")
    return 1 if failed else 0


def _check(entry: Mapping[str, Any], arguments: argparse.Namespace) -> str:
    model = materialize(arguments.folder / f"{entry['name']}.onnx")
    feed = make_inputs(entry["inputs"])
    expected = ort_outputs(model, feed)
    rep = prepare(model, layout=arguments.layout)
    found = [("run", d) for d in differences(entry, expected, dict(rep.run(feed).items()))]
    if arguments.export:
        with tempfile.TemporaryDirectory() as folder:
            rep.export_graph(f"{folder}/model")
            flat = run_in_fresh_process(Path(folder), feed)
        values = regrouped(rep.signatures["serving_default"].structured_outputs, flat)
        actual = {name: to_numpy(value) for name, value in values.items()}
        found += [("export", d) for d in differences(entry, expected, actual)]
    worst = max(found, key=lambda pair: np.nan_to_num(pair[1].error / pair[1].tolerance, nan=np.inf))
    text = f"{worst[0]} {worst[1].output}: {worst[1].error:.2e} of {worst[1].tolerance:.0e}"
    return f"ok {text}" if all(d.fits for _, d in found) else f"FAIL {text}"


def run_in_fresh_process(folder: Path, feed: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """Call ``folder/model`` by its signature in a process that cannot import onnx_tf."""
    np.savez(folder / "feed.npz", **{f"_{i}": value for i, value in enumerate(feed.values())})
    (folder / "names.txt").write_text("\n".join(feed))
    script = Path(__file__).with_name("serve_once.py")
    subprocess.run([sys.executable, "-I", str(script), str(folder)], check=True, capture_output=True)
    names = (folder / "outputs.txt").read_text().split("\n")
    with np.load(folder / "outputs.npz", allow_pickle=True) as arrays:
        return {name: tf.convert_to_tensor(arrays[f"_{i}"]) for i, name in enumerate(names)}


if __name__ == "__main__":
    raise SystemExit(main())
