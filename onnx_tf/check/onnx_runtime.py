"""ONNX models in ONNX Runtime: the reference for numbers."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from onnx_tf.errors import CheckError, InputError, OptionError
from onnx_tf.model.loading import ModelSource
from onnx_tf.model.stored import skimmed

__all__ = ["PRECISE", "OnnxRuntime", "first_line", "has_onnx_runtime", "intermediate_values", "require_onnx_runtime"]

PRECISE: Mapping[str, str] = {"session.x64quantprecision": "1"}
"""Session options that keep products of 8-bit integers exact: some processors saturate them otherwise."""

MAX_PROTO_BYTES = (1 << 31) - (1 << 20)

_AS_STORED: Mapping[str, str] = {"session.disable_prepacking": "1"}
"""What keeps ONNX Runtime from copies of weights that it maps."""

_EXTERNAL_FOLDER = "session.model_external_initializers_file_folder_path"
_NOT_OF_NUMPY = {
    f"tensor({dtype.name.lower()})": dtype
    for dtype in ir.DataType
    if dtype is not ir.DataType.UNDEFINED and dtype.numpy().isbuiltin != 1
}


def has_onnx_runtime() -> bool:
    """Return whether ONNX Runtime is installed."""
    return importlib.util.find_spec("onnxruntime") is not None


def require_onnx_runtime() -> None:
    """Refuse to go on where ONNX Runtime is not installed.

    Raises:
        OptionError: it is not.
    """
    if not has_onnx_runtime():
        raise OptionError("values inside a model are compared with ONNX Runtime's: pip install 'onnx-tf[check]'")


class OnnxRuntime:
    """An ONNX model in ONNX Runtime, on the CPU."""

    def __init__(
        self,
        model: ModelSource,
        *,
        folder: Path | None = None,
        optimized: bool = True,
        options: Mapping[str, str] = PRECISE,
        threads: int = 0,
        leaves_weights: bool = False,
    ) -> None:
        """Load a model.

        Args:
            model: a path, bytes, a ``ModelProto`` or an ``onnx_ir.Model``.
            folder: where the external data of bytes or of a ``ModelProto`` lies.
            optimized: whether ONNX Runtime may rewrite the graph.
            options: session options by ONNX Runtime's names for them.
            threads: how many threads compute an operator; 0 leaves it to ONNX Runtime.
            leaves_weights: whether weights may lie in a large file of a model while it runs: it takes less memory, and
                is loaded faster and run slower.

        Raises:
            OnnxTfError: ONNX Runtime is not installed, or does not take the model.
        """
        source, found = _source(model)
        if leaves_weights and isinstance(source, str):
            source, found = _without_weights(source)
            options = {**options, **_AS_STORED} if found else options
        if source is None:
            source = self._written(model)
        elif folder or found:
            options = {**options, _EXTERNAL_FOLDER: str(folder or found)}
        self._session = _session(source, optimized, options, threads)
        self._types = {output.name: output.type for output in self._session.get_outputs()}

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the outputs, in graph order."""
        return tuple(self._types)

    def run(self, feed: Mapping[str, Any]) -> dict[str, Any]:
        """Return the outputs by name: arrays, lists for sequences, dicts for maps, ``None`` for no value.

        Args:
            feed: the inputs by name, in the same forms.

        Raises:
            OnnxTfError: ONNX Runtime cannot run the model on these inputs.
        """
        return self.values(self.outputs, feed)

    def values(self, names: Sequence[str], feed: Mapping[str, Any]) -> dict[str, Any]:
        """Return some of the outputs, in the order of ``names``; see :meth:`run`."""
        foreign = [name for name in names if self._types[name] in _NOT_OF_NUMPY]
        plain = [name for name in names if name not in foreign]
        try:
            given = {name: _given(value) for name, value in feed.items()}
            found = dict(zip(plain, self._session.run(plain, given), strict=True)) if plain else {}
            if foreign:
                in_memory = {name: _ort_value(value) for name, value in given.items()}
                results = self._session.run_with_ort_values(foreign, in_memory)
                found |= {name: _taken(result) for name, result in zip(foreign, results, strict=True)}
        except Exception as error:
            raise CheckError(f"ONNX Runtime cannot run the model on these inputs: {first_line(error)}") from error
        return {name: found[name] for name in names}

    def _written(self, model: Any) -> str:
        """Write a model that is too large for one message, with its weights beside it, and return its path."""
        folder = tempfile.mkdtemp()
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)  # the session reads from it
        path = Path(folder) / "model.onnx"
        ir.save(model if isinstance(model, ir.Model) else ir.from_proto(model), path, external_data="weights")
        return str(path)

    def bind(self, feed: Mapping[str, Any]) -> Callable[[], Any]:
        """Return a function that runs the model on these inputs, for who takes its time."""
        return functools.partial(self._session.run, None, dict(feed))


def intermediate_values(
    model: ModelSource, feed: Mapping[str, Any], names: Sequence[str] | None = None
) -> Iterator[tuple[str, Any]]:
    """Yield what ONNX Runtime computes for values inside of a model, with their names.

    The graph runs as it is written, without optimisations. All values that are asked for exist at
    once: name some where all do not fit into memory. Values inside of bodies and functions have no
    name that ONNX Runtime would know.

    Args:
        model: a path, bytes, a ``ModelProto`` or an ``onnx_ir.Model``.
        feed: as of :meth:`OnnxRuntime.run`.
        names: values of the main graph; by default every output of its nodes, in graph order.

    Raises:
        InputError: the main graph has no such value.
        OnnxTfError: ONNX Runtime is not installed, or cannot run the model on these inputs.
    """
    proto, folder = _copied(model)
    graph = proto.graph
    computed = [name for node in graph.node for name in node.output if name]
    wanted = list(dict.fromkeys(computed if names is None else names))
    known = {*computed, *(value.name for value in graph.input), *(tensor.name for tensor in graph.initializer)}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise InputError(f"the main graph has no value {unknown[0]!r}; its nodes compute {computed}")
    present = {output.name for output in graph.output}
    for name in wanted:
        if name not in present:
            graph.output.add(name=name)  # of the type that ONNX Runtime infers
    values = OnnxRuntime(proto, folder=folder, optimized=False).values(wanted, feed)
    for name in wanted:
        yield name, values.pop(name)


def _session(source: str | bytes, optimized: bool, options: Mapping[str, str], threads: int) -> Any:
    try:
        import onnxruntime
        from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel
    except ImportError as error:
        raise CheckError("the check needs ONNX Runtime: pip install 'onnx-tf[check]'") from error

    def opened(entries: Mapping[str, str]) -> Any:
        settings = onnxruntime.SessionOptions()
        settings.log_severity_level = 4
        settings.intra_op_num_threads = threads
        if not optimized:
            settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        for key, value in entries.items():
            settings.add_session_config_entry(key, value)
        return onnxruntime.InferenceSession(source, settings, providers=["CPUExecutionProvider"])

    try:
        try:
            return opened(options)
        except NoKernel:  # the precise kernels take no int8 x int8 products, which never saturate
            return opened({key: value for key, value in options.items() if key not in PRECISE})
    except Exception as error:
        raise CheckError(f"ONNX Runtime does not take the model: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """Return the first line of what another library says, its name where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _source(model: ModelSource) -> tuple[str | bytes | None, Path | None]:
    """Return what a session reads, ``None`` if it is to be written first, and the folder of external data."""
    if isinstance(model, (str, os.PathLike)):
        return os.fspath(model), None
    if isinstance(model, (bytes, bytearray, memoryview)):
        return bytes(model), None
    proto, folder = (model, None) if isinstance(model, onnx.ModelProto) else _proto(model)
    weights = sum(len(tensor.raw_data) for tensor in proto.graph.initializer)
    return proto.SerializeToString() if weights < MAX_PROTO_BYTES else None, folder


def _without_weights(file: str) -> tuple[str | bytes, Path | None]:
    """Return what a session reads of a file without its large weights, and the folder from which it maps them."""
    folder = Path(file).absolute().parent.resolve()
    path = folder / Path(file).name
    try:
        content, stored = skimmed(path)
    except OSError:  # which ONNX Runtime tells of
        return file, None
    # Out of the folder, where a link leads, it maps nothing.
    return (content, folder) if stored and path.resolve() == path else (file, None)


def _copied(model: ModelSource) -> tuple[onnx.ModelProto, Path | None]:
    """Return a proto that may be changed, and the folder of its external data."""
    if isinstance(model, (str, os.PathLike)):
        return onnx.load(os.fspath(model), load_external_data=False), Path(model).parent.absolute()
    if isinstance(model, ir.Model):
        return _proto(model)
    if isinstance(model, onnx.ModelProto):
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        return copy, None
    return onnx.ModelProto.FromString(bytes(model)), None


def _proto(model: ir.Model) -> tuple[onnx.ModelProto, Path | None]:
    tensors = [value.const_value for graph in model.graphs() for value in graph.initializers.values()]
    folders = {Path(tensor.base_dir).absolute() for tensor in tensors if isinstance(tensor, ir.ExternalTensor)}
    if len(folders) > 1:
        raise CheckError(
            f"the external data of the model lies in {sorted(map(str, folders))}: ONNX Runtime reads it from one "
            "folder; save the model, then pass its path"
        )
    return ir.to_proto(model), next(iter(folders), None)


def _given(value: Any) -> Any:
    """Return a value in a form that a session takes: numpy arrays of dtypes of numpy's own pass as they are."""
    if isinstance(value, np.ndarray) and value.dtype.isbuiltin != 1:
        return _ort_value(value)
    return value


def _ort_value(value: Any) -> Any:
    from onnxruntime import OrtValue

    if isinstance(value, OrtValue):
        return value
    array = np.asarray(value)
    if array.dtype.isbuiltin == 1:
        return OrtValue.ortvalue_from_numpy(array)
    tensor = ir.tensor(array)
    created = OrtValue.ortvalue_from_shape_and_type(list(array.shape), int(tensor.dtype))
    data = tensor.tobytes()
    ctypes.memmove(created.data_ptr(), data, len(data))
    return created


def _taken(value: Any) -> np.ndarray:
    """Return the array of an ``OrtValue`` whose dtype numpy has only through ``ml_dtypes``."""
    dtype, shape = ir.DataType(value.element_type()), value.shape()
    size = -(-int(np.prod(shape)) * dtype.bitwidth // 8)
    data = ctypes.string_at(value.data_ptr(), size)
    return ir.TensorProtoTensor(onnx.TensorProto(data_type=int(dtype), dims=shape, raw_data=data)).numpy()
