# /// script
# [tool.consumer]
# title = "LiteRT.js in Chromium"
# artefacts = ["fixed", "int8"]
# npm = ["@litertjs/core"]
# told = ["@litertjs/core"]
# options = {int8 = {quantized_inputs = "uint8", quantized_outputs = "uint8"}}
# how = '''
# `loadAndCompile(url, {accelerator: "wasm"})`, `run` with a record of inputs by name
# '''
# [tool.consumer.instead]
# "*" = "`--target litert-js`, whose files take integers of 32 bits"
# ///
"""LiteRT.js runs .tflite files in a headless Chromium."""

from __future__ import annotations

import numpy as np

from test.consumers.readers.chromium import run_in_page
from test.consumers.readers.reading import Job, read


def outputs(job: Job) -> dict[str, np.ndarray]:
    return run_in_page(job, "litertjs.html")


if __name__ == "__main__":
    read(outputs)
