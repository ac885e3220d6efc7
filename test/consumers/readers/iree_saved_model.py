# /// script
# requires-python = ">=3.10"
# dependencies = ["iree-base-compiler", "iree-base-runtime", "iree-tools-tf", "tensorflow", "numpy"]
# [tool.consumer]
# title = "IREE"
# artefacts = ["frozen", "fixed_frozen"]
# told = ["iree-tools-tf", "iree-base-compiler", "tensorflow"]
# how = '''
# `iree-import-tf --tf-import-type=savedmodel_v1 --tf-savedmodel-exported-names=serving_default PATH -o
# model.mlir`, then `iree-compile` for `llvm-cpu`
# '''
# [tool.consumer.instead]
# resnet18 = "fix the shapes with `--input-shape`, and it is right"
# named = "fix the shapes with `--input-shape`"
# bert_cls = "the .tflite file of fixed shapes, which is right"
# "*" = "a program that takes loops, such as OpenVINO or tf2onnx"
# ///
"""IREE imports a SavedModel, compiles it for the CPU and runs it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import iree.compiler
import iree.runtime
import numpy as np
import tensorflow as tf
from tensorflow.mlir.experimental import convert_saved_model_v1

from test.consumers.readers.reading import Job, read


def outputs(job: Job) -> dict[str, np.ndarray]:
    mlir = job.folder / "model.mlir"
    mlir.unlink(missing_ok=True)
    importer = Path(sys.executable).with_name("iree-import-tf")
    options = ["--tf-import-type=savedmodel_v1", "--tf-savedmodel-exported-names=serving_default"]
    command = [str(importer), *options, str(job.artefact), "-o", str(mlir)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not mlir.exists():
        raise RuntimeError(_last_error(done.stderr))
    compiled = iree.compiler.compile_file(str(mlir), target_backends=["llvm-cpu"], input_type="auto")
    given, made = _order(job)
    config = iree.runtime.Config("local-task")
    module = iree.runtime.load_vm_module(iree.runtime.VmModule.copy_buffer(config.vm_instance, compiled), config)
    found = module["serving_default"](*(job.inputs[name] for name in given))
    results = found if isinstance(found, (list, tuple)) else [found]
    return {name: value.to_host() for name, value in zip(made, results, strict=True)}


def _order(job: Job) -> tuple[list[str], list[str]]:
    """Return the inputs and the outputs in the importer's order, which its first step alone tells."""
    text = convert_saved_model_v1(
        str(job.artefact), "serving_default", tf.saved_model.SERVING, True, False, False, False
    )
    paths = re.findall(r'index_path = \["([^"]*)"\]', text)
    given, made = paths[: len(job.inputs)], paths[len(job.inputs) :]
    if (given, made) != (list(job.inputs), job.outputs):
        job.notes.append(f"inputs by position are {', '.join(given)}, outputs {', '.join(made)}")
    return given, made


def _last_error(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if "error" in line.lower()] or text.strip().splitlines()
    return lines[-1] if lines else "nothing was written"


if __name__ == "__main__":
    read(outputs)
