"""Where the time of a model goes: ``python -m bench.shares FOLDER NAME...`` prints a Markdown table.

One thread computes one operation after the other, which TensorFlow times. "least" is what the layout
pass could reach at most: the time of all operations but Transposes, against ``layout="keep"``.
"""

from __future__ import annotations

import argparse
import collections
import math
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from bench.latency import model_of
from onnx_tf import prepare
from onnx_tf.options import Layout
from test.zoo.compare import manifest

KINDS = {"Transpose": "Transpose", **dict.fromkeys(["Conv2D", "_FusedConv2D", "DepthwiseConv2dNative"], "convolution")}
KINDS |= dict.fromkeys(["Conv3D", "Conv2DBackpropInput", "Conv3DBackpropInputV2"], "convolution")
RUNS = 7


def main() -> None:
    """Print a row for each model, and the geometric mean."""
    parser = argparse.ArgumentParser(prog="python -m bench.shares", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="+")
    arguments = parser.parse_args()
    print("| model | convolutions ms | Transposes ms | other ms | keep ms | auto / keep | least |")
    print("|---|--:|--:|--:|--:|--:|--:|", flush=True)
    entries, ratios, least = manifest(arguments.folder), [], []
    for name in arguments.names:
        model, feed = model_of(arguments.folder, entries, name)
        auto, keep = (milliseconds(model, feed, layout) for layout in ("auto", "keep"))
        whole, reference = sum(auto.values()), sum(keep.values())
        ratios.append(whole / reference)
        least.append((whole - auto["Transpose"]) / reference)
        cells = [f"{auto[kind]:.1f}" for kind in ("convolution", "Transpose", "other")]
        print(f"| {name} | {' | '.join(cells)} | {reference:.1f} | {ratios[-1]:.2f} | {least[-1]:.2f} |", flush=True)
    means = [math.exp(statistics.fmean(map(math.log, values))) for values in (ratios, least)]
    print(f"| geometric mean | | | | | {means[0]:.2f} | {means[1]:.2f} |")


def milliseconds(model: Any, feed: Mapping[str, Any], layout: Layout) -> dict[str, float]:
    """Return the median milliseconds of the operations of each kind in a frozen export."""
    v1 = tf.compat.v1
    with tempfile.TemporaryDirectory() as folder:
        prepare(model, layout=layout).export_graph(f"{folder}/model", freeze=True)
        threads = v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
        with v1.Session(graph=tf.Graph(), config=threads) as session:
            signature = v1.saved_model.load(session, ["serve"], f"{folder}/model").signature_def["serving_default"]
            feeds = {signature.inputs[name].name: array for name, array in feed.items() if name in signature.inputs}
            fetches = [info.name for info in signature.outputs.values()]
            return _medians([_timed(session, fetches, feeds) for _ in range(RUNS + 2)][2:])


def _timed(session: Any, fetches: list[str], feeds: Mapping[str, Any]) -> dict[str, float]:
    v1 = tf.compat.v1
    trace, options = v1.RunMetadata(), v1.RunOptions(trace_level=v1.RunOptions.FULL_TRACE)
    session.run(fetches, feeds, options=options, run_metadata=trace)
    times: dict[str, float] = collections.defaultdict(float)
    for device in trace.step_stats.dev_stats:
        for node in device.node_stats:
            operation = node.timeline_label.partition(" = ")[2].partition("(")[0]
            times[KINDS.get(operation, "other")] += (node.op_end_rel_micros - node.op_start_rel_micros) / 1000
    return times


def _medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {kind: statistics.median(run.get(kind, 0) for run in runs) for kind in ("convolution", "Transpose", "other")}


if __name__ == "__main__":
    main()
