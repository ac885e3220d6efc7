"""Compare a zoo model with ONNX Runtime: through ``run``, and through one SavedModel."""

from __future__ import annotations

import functools
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import tensorflow as tf

from onnx_tf import TensorflowRep, prepare
from onnx_tf.check.artifacts import Artifact, OnnxRuntime, Prepared, SavedModel
from onnx_tf.check.compare import Comparison, Difference, compare
from onnx_tf.check.interface import Interface
from onnx_tf.check.keras_file import KerasFile
from onnx_tf.check.litert import LiteRT
from onnx_tf.errors import OnnxTfError
from onnx_tf.export.paths import KERAS as KERAS_FILES
from onnx_tf.export.paths import with_companions
from onnx_tf.export.tflite import tflite_files
from onnx_tf.options import Options
from onnx_tf.pipeline import lower
from onnx_tf.targets import KERAS, LITERT
from test.zoo.compare import tolerance
from test.zoo.materialize import make_inputs

Export = Literal["no", "here", "fresh", "frozen"]
"""Not through a SavedModel, in this process, in one that cannot import onnx_tf, or through a frozen one alone."""


def check_model(
    entry: Mapping[str, Any],
    model: onnx.ModelProto,
    *,
    layout: Literal["auto", "keep"] = "auto",
    export: Export = "no",
    batches: tuple[int, ...] = (),
) -> list[tuple[str, Difference]]:
    """Return how far every output of every run is from ONNX Runtime's, with what was run.

    Args:
        entry: the model's entry in the manifest.
        model: the model with its weights.
        layout: the option of ``prepare``.
        export: whether and where the SavedModel runs.
        batches: batch sizes besides the entry's own, for models whose batch is dynamic.
    """
    rep = prepare(model, layout=layout)
    feeds = feeds_of(entry, batches)
    references = {label: Reference(entry, model, feed) for label, feed in feeds.items()}
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name, artifact in _artifacts(rep, Path(folder), export):
            for label, feed in feeds.items():
                found += [(f"{name}{label}", d) for d in references[label].comparison(artifact.run(feed)).outputs]
    return found


def feeds_of(entry: Mapping[str, Any], batches: tuple[int, ...]) -> dict[str, Any]:
    """Return the inputs of an entry and of other batch sizes, by what is said of them."""
    return {"": make_inputs(entry["inputs"])} | {f" batch {n}": feed for n, feed in _batched(entry, batches)}


def check_tflite(
    entry: Mapping[str, Any], model: onnx.ModelProto, batches: tuple[int, ...] = ()
) -> list[tuple[str, Difference]]:
    """Return how far every output of the model's .tflite file is from ONNX Runtime's, with XNNPACK and without.

    Args:
        entry: the model's entry in the manifest.
        model: the model with its weights.
        batches: see :func:`check_model`.
    """
    rep = TensorflowRep(lower(model, Options(target=LITERT)))
    feeds = feeds_of(entry, batches)
    references = {label: Reference(entry, model, feed) for label, feed in feeds.items()}
    found = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.tflite"
        for _, content in tflite_files(rep.tf_module):
            file.write_bytes(content)
        for name, xnnpack in (("XNNPACK", True), ("no delegate", False)):
            results = LiteRT(file, Interface.of(rep), xnnpack=xnnpack).runs(list(feeds.values()))
            for label, result in zip(feeds, results, strict=True):
                found += [(f"{name}{label}", d) for d in references[label].comparison(result).outputs]
    return found


def check_keras(
    entry: Mapping[str, Any],
    model: onnx.ModelProto,
    batches: tuple[int, ...] = (),
    kind: Literal["keras", "keras_source"] = "keras",
) -> list[tuple[str, Difference]]:
    """Return how far every output of the model's .keras file is from ONNX Runtime's, in a process without onnx_tf.

    Args:
        entry: the model's entry in the manifest.
        model: the model with its weights.
        batches: see :func:`check_model`.
        kind: the format; of source also what it is laid out like.
    """
    from onnx_tf.export.keras import build  # Keras is imported for who asks for it
    from onnx_tf.export.keras_files import write_files

    rep = build(model, Options(target=KERAS))
    feeds = feeds_of(entry, batches)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        files = with_companions(kind, Path(folder) / f"model{KERAS_FILES[kind]}")
        write_files(kind, rep, files, lambda: model, files[0].name)
        if kind == "keras_source":
            command = [str(Path(sys.executable).with_name("ruff")), "format", "--isolated", "--check", str(files[0])]
            assert subprocess.run(command, capture_output=True, check=False).returncode == 0, "it is not laid out"
        ways = KerasFile(files[0], rep.interface, *files[1:]).ways(list(feeds.values()))
        for way, results in ways.items():
            if isinstance(results, OnnxTfError):
                raise results
            for (label, feed), result in zip(feeds.items(), results, strict=True):
                compared = Reference(entry, model, feed).comparison(result)
                found += [(f"keras {way}{label}", d) for d in compared.outputs]
    return found


def _artifacts(rep: TensorflowRep, folder: Path, export: Export) -> Iterator[tuple[str, Artifact]]:
    if export == "frozen":
        rep.export_graph(folder / "model", freeze=True)
        yield "frozen", SavedModel(folder / "model", Interface.of(rep))
        return
    yield "run", Prepared(rep)
    if export != "no":
        rep.export_graph(folder / "model")
        interface = Interface.of(rep)
        here = export == "here"
        yield "export", SavedModel(folder / "model", interface) if here else FreshSavedModel(folder, interface)


@dataclass(frozen=True)
class Reference:
    """ONNX Runtime's outputs: also those of the graph as it is written, where its optimisations change them.

    What counts as equal is said by the model's entry; ``of_scale`` is how far off outputs may be in any case.
    """

    entry: Mapping[str, Any]
    model: onnx.ModelProto
    feed: Mapping[str, Any]
    of_scale: float = 0.0

    def comparison(self, actual: Mapping[str, Any]) -> Comparison:
        """Return how far outputs are from those of the graph that they are nearer to."""
        bound = tolerance(self.entry).widened(self.of_scale)
        found = compare(self._optimized, actual, bound)
        if found.fits:
            return found
        as_written = compare(self._as_written, actual, bound)
        return as_written if as_written.fits else found

    @functools.cached_property
    def _optimized(self) -> dict[str, Any]:
        return OnnxRuntime(self.model).run(self.feed)

    @functools.cached_property
    def _as_written(self) -> dict[str, Any]:
        return OnnxRuntime(self.model, optimized=False).run(self.feed)


def _batched(entry: Mapping[str, Any], batches: tuple[int, ...]) -> Iterator[tuple[int, dict[str, Any]]]:
    for batch in batches if is_batch_dynamic(entry) else ():
        shapes = {value["name"]: [batch, *value["shape"][1:]] for value in entry["inputs"]}
        yield batch, make_inputs(entry["inputs"], shapes=shapes)


def is_batch_dynamic(entry: Mapping[str, Any]) -> bool:
    """Return whether axis 0 of every input is dynamic."""
    return all("0" in value.get("dynamic_axes", {}) for value in entry["inputs"])


@dataclass(frozen=True)
class FreshSavedModel:
    """The SavedModel ``folder/model`` in a process of its own, which cannot import onnx_tf."""

    folder: Path
    interface: Interface

    def run(self, feed: Mapping[str, Any]) -> dict[str, Any]:
        """Return the outputs by ONNX name."""
        tensors = {name: tensor.numpy() for name, tensor in self.interface.flat(feed).items()}
        return self.interface.whole(run_in_fresh_process(self.folder, tensors))


def run_in_fresh_process(folder: Path, feed: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """Call ``folder/model`` by its signature in a process that cannot import onnx_tf."""
    np.savez(folder / "feed.npz", **{f"_{i}": value for i, value in enumerate(feed.values())})
    (folder / "names.txt").write_text("\n".join(feed))
    script = Path(__file__).with_name("serve_once.py")
    subprocess.run([sys.executable, "-I", str(script), str(folder)], check=True, capture_output=True)
    names = (folder / "outputs.txt").read_text().split("\n")
    with np.load(folder / "outputs.npz", allow_pickle=True) as arrays:
        return {name: tf.convert_to_tensor(arrays[f"_{i}"]) for i, name in enumerate(names)}
