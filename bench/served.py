"""Compare SavedModels with ONNX Runtime: ``python -m bench.served [NAME...]`` prints a Markdown table.

With variables and frozen, with TensorFlow's oneDNN kernels and without: each has a process of its own, and they are
called in turn, by signature, with two threads. Without names it takes 20 convolutional networks, ten transformers and
the recurrent ones of the zoo. ``--before CHECKOUT`` adds what an older version of this project makes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import onnx

from bench.latency import Processes, model_of
from bench.measure import in_turn, onnx_runtime, rounds_in, timed
from onnx_tf.check.artifacts import SavedModel
from test.zoo.compare import MODELS, SHARED, manifest

GROUPS = {
    "convolutional": """mnasnet_b1 efficientnet_b0 resnet18 resnet50 regnetx004 regnety004 resnext50_32x4d
        shufflenetv2_w1 ghostnet densenet121 bninception yolov8 yolox fastscnn_cityscapes linknet_cityscapes
        unet3d_medical inceptionv3 darknet53 cbam_resnet18 erfnet_cityscapes""",
    "transformers": "vit deit swin bert_cls distilbert llama opt whisper_encoder clip gpt_neox",
    "recurrent": "lstm_stateful_dynamo lstm_stateful_forecaster seq2seq_attention visemenet20",
}
THREADS = 2
FORMS = {"variables": False, "frozen": True}
SETTINGS = {"": {}, ", oneDNN off": {"TF_ENABLE_ONEDNN_OPTS": "0"}}
EXPORT = """
import sys
from onnx_tf import prepare
rep = prepare(sys.argv[1])
for folder, freeze in (("variables", False), ("frozen", True)):
    rep.export_graph(f"{sys.argv[2]}/{folder}", freeze=freeze)
"""


def main() -> None:
    """Print a row for each model, and the geometric mean of each group."""
    parser = argparse.ArgumentParser(prog="python -m bench.served", description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--folder", type=Path, default=None, help="default: ../shared/zoo/dev, else test/zoo/models")
    parser.add_argument("--before", type=Path, default=None, help="a checkout of an older version")
    parser.add_argument("--runs", type=int, default=30, help="rounds of a model, at most")
    parser.add_argument("--seconds", type=float, default=6, help="time for the rounds of a model")
    parser.add_argument("--json", type=Path, default=None, help="milliseconds: read, extended, written")
    arguments = parser.parse_args()
    folder = arguments.folder or next(f for f in (SHARED / "zoo" / "dev", MODELS) if f.is_dir())
    groups = {group: names.split() for group, names in GROUPS.items()}
    if arguments.names:
        groups = {"chosen": arguments.names}
    checkouts = {"": Path(__file__).parent.parent, **({"before, ": arguments.before} if arguments.before else {})}
    columns = [f"{build}{form}{setting}" for build in checkouts for form in FORMS for setting in SETTINGS]
    print(f"| model | ORT ms | {' | '.join(columns)} |\n|---|{'--:|' * (len(columns) + 1)}", flush=True)
    results = json.loads(arguments.json.read_text()) if arguments.json and arguments.json.exists() else {}
    processes, entries = Processes(), manifest(folder)
    for group, names in groups.items():
        for name in names:
            if name not in results:
                model, feed = model_of(folder, entries, name)
                results[name] = _latencies(model, feed, checkouts, processes, arguments.runs, arguments.seconds)
            print(f"| {name} | {results[name]['ORT']:.2f} | {_ratios([results[name]], columns)} |", flush=True)
            if arguments.json:
                arguments.json.write_text(json.dumps(results, indent=2) + "\n")
        print(f"| {group}, geometric mean | | {_ratios([results[name] for name in names], columns)} |", flush=True)


def _latencies(
    model: onnx.ModelProto,
    feed: Mapping[str, Any],
    checkouts: Mapping[str, Path],
    processes: Processes,
    runs: int,
    seconds: float,
) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as temporary:
        file = f"{temporary}/model.onnx"
        onnx.save(model, file)
        calls: dict[str, Callable[[], float]] = {"ORT": _served(processes, "ORT", {}, Path(file), feed)}
        for build, checkout in checkouts.items():
            made = Path(temporary) / (build or "now")
            command = [sys.executable, "-c", EXPORT, file, str(made)]
            environment = os.environ | {"PYTHONPATH": str(checkout.resolve())}
            subprocess.run(command, check=True, capture_output=True, env=environment, cwd=checkout)
            for form in FORMS:
                for setting, variables in SETTINGS.items():
                    label = f"{build}{form}{setting}"
                    calls[label] = _served(processes, label, variables, made / form, feed)
        return in_turn(calls, min(rounds_in(seconds, calls, least=5), runs), warm_up=0)


def _served(
    processes: Processes, label: str, variables: Mapping[str, str], path: Path, feed: Mapping[str, Any]
) -> Callable[[], float]:
    with _environment(variables):
        processes.load(label, _loaded, path, feed).result()
    return lambda: processes.call(label)


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment, which a process takes over that is started meanwhile."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _loaded(path: Path, feed: Mapping[str, Any]) -> Callable[[], float]:
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):  # the process has served before
        tf.config.threading.set_intra_op_parallelism_threads(THREADS)
        tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    tool = onnx_runtime(path) if path.suffix == ".onnx" else SavedModel(path)
    return timed(tool.bind(feed), time.perf_counter)


def _ratios(results: list[dict[str, float]], columns: list[str]) -> str:
    means = [math.exp(sum(math.log(r[c] / r["ORT"]) for r in results) / len(results)) for c in columns]
    return " | ".join(f"{mean:.2f}" for mean in means)


if __name__ == "__main__":
    main()
