"""Check a model's .keras file: the numbers against ONNX Runtime, and that all of it is Keras's own."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx

import onnx_tf
from onnx_tf.check.compare import OfScale, compare
from test.reference import ort_outputs

STRICT = OfScale(single=1e-5, half=1e-2)


def check_keras(
    model: onnx.ModelProto,
    feeds: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    folder: Path,
    *,
    tolerance: OfScale = STRICT,
    **options: Any,
) -> keras.Model:
    """Write the file, load it in safe mode, compare its outputs for every feed, and return what was loaded.

    It is called, and it predicts, which TensorFlow compiles.
    """
    file = folder / "model.keras"
    onnx_tf.to_keras(model, **options).save(file)
    assert list(foreign_classes(file)) == []
    loaded = keras.saving.load_model(file, compile=False, safe_mode=True)
    for feed in [feeds] if isinstance(feeds, Mapping) else feeds:
        expected = ort_outputs(model, feed)
        inputs = [feed[value.name] for value in model.graph.input if value.name in feed]
        given = inputs[0] if len(inputs) == 1 else inputs
        for way, found in {"called": loaded(given, training=False), "predict": loaded.predict_on_batch(given)}.items():
            outputs = found if isinstance(found, list) else [found]
            actual = {name: np.asarray(value) for name, value in zip(expected, outputs, strict=True)}
            comparison = compare(expected, actual, tolerance)
            assert comparison.fits, f"{way}: {comparison}"
    return loaded


def foreign_classes(file: Path) -> Iterator[str]:
    """Return every class in a .keras file that is not Keras's own, and every Lambda."""
    with zipfile.ZipFile(file) as archive:
        config = json.loads(archive.read("config.json"))
    waiting = [config]
    while waiting:
        part = waiting.pop()
        waiting.extend(part.values() if isinstance(part, dict) else part if isinstance(part, list) else ())
        if isinstance(part, dict) and "class_name" in part and "module" in part:
            module, name = part["module"] or "builtins", part["class_name"]
            is_own = module.split(".")[0] == "keras" or (module == "builtins" and not part.get("registered_name"))
            if not is_own or name == "Lambda" or part.get("registered_name") not in (None, name):
                yield f"{module}.{name}"


def layers_of(model: keras.Model) -> list[str]:
    """Return the class names of a model's layers and operations, in order, without inputs and outputs' names."""
    left_out = (keras.layers.InputLayer, keras.layers.Identity)
    return [type(layer).__name__ for layer in model.operations if not isinstance(layer, left_out)]
