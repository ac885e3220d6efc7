"""A reader that wants this project's package, which it does not get."""

from __future__ import annotations

from test.consumers.readers.reading import Job, read


def outputs(job: Job) -> None:
    import onnx_tf

    job.notes.append(onnx_tf.__name__)


if __name__ == "__main__":
    read(outputs)
