# /// script
# requires-python = ">=3.10"
# dependencies = ["iree-base-compiler", "iree-base-runtime", "tosa-converter-for-tflite", "numpy"]
# [tool.consumer]
# title = "IREE"
# artefacts = ["fixed", "int8"]
# models = ["resnet18", "mobilevitv2", "bert_cls", "llama", "named"]
# told = ["tosa-converter-for-tflite", "iree-base-compiler"]
# how = '''
# `tosa-converter-for-tflite model.tflite -o model.mlirbc`, for models without loops, then
# `iree-compile --iree-input-type=tosa` for `llvm-cpu`.
# IREE's own `iree-import-tflite` (iree-tools-tflite 20260316) does not start on TensorFlow 2.19 to
# 2.21: `NameError: name 'ExperimentalTFLiteToTosaBytecode' is not defined`
# '''
# [tool.consumer.instead]
# llama = "the frozen SavedModel of fixed shapes, which is right"
# ///
"""A .tflite file as TOSA, which IREE compiles for the CPU and runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import iree.compiler
import iree.runtime
import numpy as np

from test.consumers.readers.reading import Job, read


def outputs(job: Job) -> dict[str, np.ndarray]:
    mlir = job.folder / "model.mlirbc"
    mlir.unlink(missing_ok=True)
    converter = Path(sys.executable).with_name("tosa-converter-for-tflite")
    done = subprocess.run(
        [str(converter), str(job.artefact), "-o", str(mlir)], capture_output=True, text=True, check=False
    )
    if done.returncode or not mlir.exists():
        lines = [line for line in done.stderr.splitlines() if "error" in line.lower()] or done.stderr.splitlines()
        raise RuntimeError(lines[-1] if lines else "nothing was written")
    try:
        compiled = iree.compiler.compile_file(str(mlir), target_backends=["llvm-cpu"], input_type="tosa")
    except iree.compiler.CompilerToolError as error:
        if "Error code: -" in str(error):
            raise RuntimeError("iree-compile is ended by a signal") from error
        raise
    config = iree.runtime.Config("local-task")
    module = iree.runtime.load_vm_module(iree.runtime.VmModule.copy_buffer(config.vm_instance, compiled), config)
    found = module["main"](*job.inputs.values())
    results = found if isinstance(found, (list, tuple)) else [found]
    return {name: value.to_host() for name, value in zip(job.outputs, results, strict=True)}


if __name__ == "__main__":
    read(outputs)
