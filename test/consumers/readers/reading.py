"""What the readers share: the files that they are given, and what they hand back.

A reader runs in the environment of its consumer, without this project's package.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


class _NotHere(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, *_: Any) -> None:
        if name.partition(".")[0] == "onnx_tf":
            raise ImportError("consumers read files without onnx_tf")


@dataclass
class Job:
    """A file to read and to run.

    Attributes:
        artefact: the file, or the folder of a SavedModel.
        kind: what it is.
        model: the name of the model.
        inputs: arrays by ONNX names, in ONNX order.
        outputs: ONNX names of the outputs, in ONNX order.
        folder: for what is written.
        modules: the ``node_modules`` of the consumer, if it has any.
        notes: what a user should know, such as other names.
    """

    artefact: Path
    kind: str
    model: str
    inputs: dict[str, np.ndarray]
    outputs: list[str]
    folder: Path
    modules: Path | None
    notes: list[str] = field(default_factory=list)

    @property
    def said(self) -> str:
        """What was written to the screen since the job began, by the libraries of C++ too."""
        return (self.folder / "said.txt").read_text(errors="replace")

    def by_position(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return outputs under their ONNX names where a consumer keeps their order alone, and note its own names."""
        if list(arrays) != self.outputs:
            self.notes.append("outputs are called " + ", ".join(map(str, arrays)))
        return dict(zip(self.outputs, arrays.values(), strict=True))


Outputs = Mapping[str, np.ndarray] | None
"""Arrays by ONNX names; ``None`` where the consumer takes the file but cannot run it here."""


def read(outputs: Callable[[Job], Outputs]) -> None:
    """Do the jobs whose folders the command line lists: ``result.json`` and arrays are written into each."""
    sys.meta_path.insert(0, _NotHere())
    for folder in map(Path, sys.argv[1:]):
        job = _job(folder)
        begun = time.perf_counter()
        try:
            with _kept(folder / "said.txt"):
                made = outputs(job)
        except Exception as error:  # whatever it is, it is what the consumer says of the file
            traceback.print_exc()
            result: dict[str, Any] = {"error": f"{type(error).__name__}: {error}"}
        else:
            result = {"outputs": None if made is None else [array_entry(folder, *pair) for pair in made.items()]}
        result |= {"notes": job.notes, "seconds": round(time.perf_counter() - begun, 2)}
        (folder / "result.json").write_text(json.dumps(result))


@contextlib.contextmanager
def _kept(path: Path) -> Iterator[None]:
    """Write what goes to the screen into a file."""
    old = [os.dup(1), os.dup(2)]
    with path.open("w") as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
        try:
            yield
        finally:
            for number, saved in zip((1, 2), old, strict=True):
                os.dup2(saved, number)
                os.close(saved)


def array_entry(folder: Path, name: str, array: np.ndarray) -> dict[str, Any]:
    """Write an array's bytes and return what tells how to read them."""
    array = np.asarray(array)
    file = f"{len(list(folder.glob('*.bin')))}.bin"
    (folder / file).write_bytes(array.tobytes())
    return {"name": name, "dtype": array.dtype.name, "shape": list(array.shape), "file": file}


def array_of(folder: Path, entry: Mapping[str, Any]) -> np.ndarray:
    """Return the array of an entry."""
    return np.frombuffer((folder / entry["file"]).read_bytes(), entry["dtype"]).reshape(entry["shape"]).copy()


def _job(folder: Path) -> Job:
    stated = json.loads((folder / "job.json").read_text())
    inputs = {entry["name"]: array_of(folder, entry) for entry in stated["inputs"]}
    modules = stated["modules"] and Path(stated["modules"])
    return Job(Path(stated["artefact"]), stated["kind"], stated["model"], inputs, stated["outputs"], folder, modules)
