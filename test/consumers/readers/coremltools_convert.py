# /// script
# requires-python = ">=3.10"
# dependencies = ["coremltools", "tensorflow"]
# [tool.consumer]
# title = "coremltools"
# artefacts = ["saved_model", "frozen", "fixed_frozen"]
# told = ["coremltools", "tensorflow"]
# how = '''
# `coremltools.convert(path, source="tensorflow")`; what it makes runs on macOS alone
# '''
# [tool.consumer.instead]
# bert_cls = "fix the shapes with `--input-shape`, and it is read"
# llama = "fix the shapes with `--input-shape`, and it is read"
# "*" = "a .tflite file, which phones of Apple run with LiteRT"
# ///
"""coremltools makes an ML program of a SavedModel; running it needs macOS."""

from __future__ import annotations

import coremltools

from test.consumers.readers.reading import Job, read


def outputs(job: Job) -> None:
    description = coremltools.convert(str(job.artefact), source="tensorflow").get_spec().description
    for side, names in (("input", list(job.inputs)), ("output", job.outputs)):
        found = [value.name for value in getattr(description, side)]
        if found != names:
            job.notes.append(f"{side}s are called {', '.join(found)}")


if __name__ == "__main__":
    read(outputs)
