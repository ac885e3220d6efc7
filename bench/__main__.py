"""Convert and time zoo models: ``python -m bench [NAME...]`` prints a table and writes JSON."""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import onnx

from test.zoo.compare import MODELS, SHARED
from test.zoo.materialize import materialize

NAMES = """resnet18 resnet50 mnasnet_b1 efficientnet_b0 shufflenetv2_w1 densenet121 convnext vit bert_cls llama
yolov8_dynamic erfnet_cityscapes unet3d_medical lstm_stateful_forecaster resnet18_qdq resnet50_fp16_keepio""".split()  # noqa: SIM905
COLUMNS = ["model", "convert s", "memory MB", "weights MB", "Transposes", "TF ms", "ORT ms", "TF / ORT", "by hand ms"]


def main() -> int:
    """Measure each model in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--folder", type=Path, default=None, help="default: ../shared/zoo/dev, else test/zoo/models")
    parser.add_argument("--layout", choices=["auto", "keep"], default="auto")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", type=Path, default=Path(__file__).with_name("results.json"))
    arguments = parser.parse_args()
    folder = arguments.folder or next(f for f in (SHARED / "zoo" / "dev", MODELS) if f.is_dir())
    results = []
    print(_row(COLUMNS))
    for name in arguments.names:
        if not (folder / f"{name}.onnx").exists():
            print(f"{name}: not in {folder}")
            continue
        done = _measured(folder, name, arguments.layout, arguments.runs)
        if done.returncode:
            print(f"{name}: {done.stderr.strip().splitlines()[-1]}", flush=True)
            continue
        results.append(json.loads(done.stdout.splitlines()[-1]))
        print(_row(_cells(results[-1])), flush=True)
    arguments.json.write_text(json.dumps(results, indent=2) + "\n")
    if results:
        ratios = [r["latency_ms"]["onnx_tf"] / r["latency_ms"]["onnxruntime"] for r in results]
        print(f"TF / ORT, geometric mean: {math.exp(sum(map(math.log, ratios)) / len(ratios)):.2f}")
    return 0 if len(results) == len(arguments.names) else 1


def _measured(folder: Path, name: str, layout: str, runs: int) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as temporary:
        model = f"{temporary}/model.onnx"
        onnx.save(materialize(folder / f"{name}.onnx"), model)
        command = [sys.executable, "-m", "bench.measure", model, str(folder), name, layout, str(runs)]
        environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def _cells(result: dict[str, Any]) -> list[str]:
    latency = result["latency_ms"]
    by_hand = latency.get("by_hand")
    return [
        result["name"],
        f"{result['seconds']:.1f}",
        f"{result['peak_bytes'] / 1e6:.0f}",
        f"{result['weight_bytes'] / 1e6:.0f}",
        str(result["transposes"]),
        f"{latency['onnx_tf']:.2f}",
        f"{latency['onnxruntime']:.2f}",
        f"{latency['onnx_tf'] / latency['onnxruntime']:.2f}",
        "" if by_hand is None else f"{by_hand:.2f}",
    ]


def _row(cells: list[str]) -> str:
    return f"{cells[0]:28s}" + "".join(f"{cell:>12s}" for cell in cells[1:])


if __name__ == "__main__":
    raise SystemExit(main())
