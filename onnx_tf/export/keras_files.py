"""The files that are made of a model in Keras: .keras, its source, and its weights."""

from __future__ import annotations

import contextlib
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx_ir as ir

from onnx_tf.errors import ExportError
from onnx_tf.export.hdf5 import system_errors
from onnx_tf.export.keras import KerasRep, write_keras
from onnx_tf.export.keras_source import source_of
from onnx_tf.export.paths import Format
from onnx_tf.export.reproducible import make_keras_file_reproducible
from onnx_tf.model.loading import ModelSource, load_model

__all__ = ["compared_parts", "onnx_weights", "write_files", "write_npz"]


def write_files(
    kind: Format, rep: KerasRep, files: Sequence[Path], reference: Callable[[], ModelSource], name: str
) -> None:
    """Write the files of one format.

    Args:
        kind: the format.
        rep: the model.
        files: where to write, as of :func:`onnx_tf.export.paths.with_companions`.
        reference: gives the ONNX model, whose weights are written by their names.
        name: what the first file will be called.

    Raises:
        ExportError: Keras or the format has no form of something in the model.
    """
    if kind == "keras":
        write_keras(rep.model, files[0])
        make_keras_file_reproducible(files[0])
    elif kind == "keras_source":
        text, arrays = source_of(rep, name)
        files[0].write_text(text, encoding="utf-8")
        write_npz(files[1], arrays)
    else:
        _write_weights(rep, files[0])
        write_npz(files[1], onnx_weights(load_model(reference())))


def _write_weights(rep: KerasRep, file: Path) -> None:
    try:
        with system_errors():
            rep.model.save_weights(file, overwrite=True)
    except (ValueError, TypeError) as error:
        raise ExportError(f"Keras cannot save the weights of this model: {str(error).splitlines()[0]}") from error


def onnx_weights(model: ir.Model) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the numeric initializers of a model by their names, in ONNX's memory order."""
    for name, value in model.graph.initializers.items():
        tensor = value.const_value
        if tensor is not None and tensor.dtype is not ir.DataType.STRING:
            yield name, tensor.numpy()


def write_npz(file: Path, arrays: Iterable[tuple[str, np.ndarray]]) -> None:
    """Write arrays as ``np.savez`` does, one after another; dtypes that numpy does not know become float32 or int8."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, _known(array), allow_pickle=False)


def _known(array: np.ndarray) -> np.ndarray:
    is_of_an_extension = array.dtype.isbuiltin == 2  # 0 is of structures, and of a byte order that was set
    if array.dtype.kind != "V" and not is_of_an_extension:
        return array
    return array.astype(np.int8 if "int" in array.dtype.name else np.float32)


@contextlib.contextmanager
def compared_parts(kind: Format, rep: KerasRep, files: Sequence[Path]) -> Iterator[tuple[Path, Path | None]]:
    """Yield the file of the model and that of its weights by which one format is compared, while they are there."""
    if kind != "weights":
        yield files[0], files[1] if len(files) > 1 else None
        return
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.json"
        model.write_text(rep.model.to_json(), encoding="utf-8")
        yield model, files[0]
