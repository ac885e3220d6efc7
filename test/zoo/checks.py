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
from onnx_tf.feeding import bind_inputs, to_numpy
from onnx_tf.signature import flat_tensors, regrouped
from test.reference import ort_outputs
from test.zoo.compare import Difference, differences
from test.zoo.materialize import make_inputs

Export = Literal["no", "here", "fresh"]
"""Not through a SavedModel, in this process, or in one that cannot import onnx_tf."""


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
    feeds = {"": make_inputs(entry["inputs"])} | {f" batch {n}": feed for n, feed in _batched(entry, batches)}
    references = {label: _Reference(entry, model, feed) for label, feed in feeds.items()}
    found = []
    for label, feed in feeds.items():
        found += [(f"run{label}", d) for d in references[label].differences(dict(rep.run(feed).items()))]
    if export != "no":
        with tempfile.TemporaryDirectory() as folder:
            rep.export_graph(f"{folder}/model")
            for label, feed in feeds.items():
                flat = run_in_fresh_process(Path(folder), feed) if export == "fresh" else _serve(rep, folder, feed)
                values = regrouped(rep.signatures["serving_default"].structured_outputs, flat)
                actual = {name: to_numpy(value) for name, value in values.items()}
                found += [(f"export{label}", d) for d in references[label].differences(actual)]
    return found


@dataclass(frozen=True)
class _Reference:
    """ONNX Runtime's outputs: also those of the graph as it is written, where its optimisations change them."""

    entry: Mapping[str, Any]
    model: onnx.ModelProto
    feed: Mapping[str, Any]

    def differences(self, actual: Mapping[str, Any]) -> list[Difference]:
        found = differences(self.entry, self._optimized, actual)
        if all(difference.fits for difference in found):
            return found
        as_written = differences(self.entry, self._as_written, actual)
        return as_written if all(difference.fits for difference in as_written) else found

    @functools.cached_property
    def _optimized(self) -> dict[str, Any]:
        return ort_outputs(self.model, self.feed)

    @functools.cached_property
    def _as_written(self) -> dict[str, Any]:
        return ort_outputs(self.model, self.feed, optimized=False)


def _batched(entry: Mapping[str, Any], batches: tuple[int, ...]) -> Iterator[tuple[int, dict[str, Any]]]:
    for batch in batches if is_batch_dynamic(entry) else ():
        shapes = {value["name"]: [batch, *value["shape"][1:]] for value in entry["inputs"]}
        yield batch, make_inputs(entry["inputs"], shapes=shapes)


def is_batch_dynamic(entry: Mapping[str, Any]) -> bool:
    """Return whether axis 0 of every input is dynamic."""
    return all("0" in value.get("dynamic_axes", {}) for value in entry["inputs"])


def _serve(rep: TensorflowRep, folder: str, feed: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    signature = tf.saved_model.load(f"{folder}/model").signatures["serving_default"]
    tensors = bind_inputs(rep.tf_module.graph.inputs, feed, {})
    results: dict[str, tf.Tensor] = signature(**flat_tensors(dict(zip(rep.inputs, tensors, strict=True))))
    return results


def run_in_fresh_process(folder: Path, feed: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """Call ``folder/model`` by its signature in a process that cannot import onnx_tf."""
    np.savez(folder / "feed.npz", **{f"_{i}": value for i, value in enumerate(feed.values())})
    (folder / "names.txt").write_text("\n".join(feed))
    script = Path(__file__).with_name("serve_once.py")
    subprocess.run([sys.executable, "-I", str(script), str(folder)], check=True, capture_output=True)
    names = (folder / "outputs.txt").read_text().split("\n")
    with np.load(folder / "outputs.npz", allow_pickle=True) as arrays:
        return {name: tf.convert_to_tensor(arrays[f"_{i}"]) for i, name in enumerate(names)}
