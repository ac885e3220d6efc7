"""The ONNX Backend API of TensorFlow: ``prepare``, ``run_model``, ``run_node``, ``supports_device``."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import onnx
import onnx_ir as ir
import tensorflow as tf
from onnx.backend.base import Backend

import onnx_tf.handlers  # noqa: F401  (registers the handlers)
from onnx_tf.backend_rep import TensorflowRep
from onnx_tf.budget import MAX_CONSTANT_BYTES, MAX_NODES
from onnx_tf.errors import OnnxTfError, OptionError
from onnx_tf.export.tflite import refuse_unsupported
from onnx_tf.model.loading import ModelSource
from onnx_tf.options import Layout, Options
from onnx_tf.pipeline import lower
from onnx_tf.removed import refuse_removed
from onnx_tf.runtime.outputs import Outputs
from onnx_tf.targets import LITERT, target_named

__all__ = ["TensorflowBackend", "is_compatible", "prepare", "run_model", "run_node", "supports_device"]


def prepare(
    model: ModelSource,
    device: str = "CPU",
    *,
    layout: Layout = "auto",
    channels_last_inputs: Sequence[str] | Literal["all"] = (),
    channels_last_outputs: Sequence[str] | Literal["all"] = (),
    training: bool = False,
    batch_size: int | None = None,
    input_shapes: Mapping[str, Sequence[int | str | None]] | None = None,
    values: Mapping[str, Any] | None = None,
    input_names: Sequence[str] = (),
    output_names: Sequence[str] = (),
    max_constant_bytes: int = MAX_CONSTANT_BYTES,
    max_nodes: int = MAX_NODES,
    overrides: Any = None,
    decompose: Sequence[str] = (),
    unroll_rnn: bool | None = None,
    argmax: str | None = None,
    argmax_dtype: str | None = None,
    max_transpose_rank: int | None = None,
    max_slice_rank: int | None = None,
    mvn_epsilon: float | None = None,
    compute: str | None = None,
    **removed: Any,
) -> TensorflowRep:
    """Convert an ONNX model to TensorFlow.

    Args:
        model: a path to an ``.onnx`` file, its bytes, an ``onnx.ModelProto`` or an
            ``onnx_ir.Model``; it is left unchanged.
        device: ``"CPU"``, ``"CUDA"`` or ``"GPU"``, with an index as in ``"CUDA:1"``.
        layout: ``"auto"`` computes convolutions and what surrounds them channels-last, with as
            few transposed bytes as possible; ``"keep"`` transposes around each operator.
        channels_last_inputs: names of inputs to be taken as N, spatial..., C, or ``"all"``.
        channels_last_outputs: names of outputs to be given as N, spatial..., C, or ``"all"``.
        training: prepare for training with ``tf_module``: it trains when it is called, all its float
            weights are variables, and nothing is folded. ``run`` and ``export_graph`` serve.
        batch_size: the leading dimension of every input that leaves it open.
        input_shapes: shapes of inputs by name, which fix open dimensions; ``None``, ``-1`` or ``"?"``
            leaves one as it is.
        values: arrays, numbers or lists by the names of inputs, which become constants: where a value decides shapes,
            these are known then.
        input_names: values of the main graph to begin at, instead of the model's inputs.
        output_names: values of the main graph to end at, instead of the model's outputs.
        max_constant_bytes: how many bytes of constants may be made besides those of the file: what is folded, the
            dense forms of sparse tensors. What would go beyond is computed in the graph, or refused.
        max_nodes: how many nodes may be made besides those of the file: bodies of functions, loops and choices.
        overrides: what is changed of single nodes: a dict, or the path of a .json or .yaml file (doc/overrides.md).
        decompose: operators that become simpler ones, by names as in :data:`onnx_tf.passes.decompose.DECOMPOSED`.
        unroll_rnn: lay RNN, GRU and LSTM out step by step, or never; their length decides by default.
        argmax: ``"reduce-max"`` computes ArgMax by ReduceMax; ``"fused"`` or ``"fused:RATIO"`` that of images on
            smaller ones (0.5 by default): other numbers, at edges.
        argmax_dtype: the dtype of outputs that ArgMax gives: ``"int64"``, ``"int32"`` or ``"float32"``.
        max_transpose_rank: how many axes a Transpose has at most, 3 or more.
        max_slice_rank: how many axes a Slice has at most, likewise.
        mvn_epsilon: what MeanVarianceNormalization adds to the variance, for its own 1e-9 beside the root of it.
        compute: ``"bfloat16"`` or ``"float16"`` computes convolutions and products of matrices of float32 in that, and
            what rounds no worse between them; inputs, outputs and variables stay float32 (doc/performance.md).
        removed: nothing: arguments of onnx-tf 1.x are refused with what to do instead.

    Raises:
        ModelError: the model is not valid.
        OptionError: an option has a value that does not exist, or that does not fit the model or the machine.
        EditError: a name, a shape, the batch size or an override does not fit the model.
        UnsupportedError: some operators are not supported; the error lists all such nodes.
        ConversionError: a node has inputs or attributes that cannot be converted.
    """
    refuse_removed("prepare", removed)
    _check_device(device)
    options = Options.of(
        layout=layout,
        channels_last_inputs=channels_last_inputs,
        channels_last_outputs=channels_last_outputs,
        training=training,
        batch_size=batch_size,
        input_shapes=input_shapes,
        values=values,
        input_names=input_names,
        output_names=output_names,
        max_constant_bytes=max_constant_bytes,
        max_nodes=max_nodes,
        overrides=overrides,
        decompose=decompose,
        unroll_rnn=unroll_rnn,
        argmax=argmax,
        argmax_dtype=argmax_dtype,
        max_transpose_rank=max_transpose_rank,
        max_slice_rank=max_slice_rank,
        mvn_epsilon=mvn_epsilon,
        compute=compute,
    )
    source = model.clone() if isinstance(model, ir.Model) else model
    with tf.device(_tf_device(device)):
        return TensorflowRep(lower(source, options), functools.partial(lower, source, options))


def _tf_device(device: str) -> str:
    kind, _, index = str(device).upper().partition(":")
    if kind not in ("CPU", "CUDA", "GPU") or (index and not index.isdigit()):
        raise OptionError(f"device {device!r} is not known: use 'CPU', 'CUDA' or 'GPU', with an index as in 'CUDA:0'")
    return f"{'CPU' if kind == 'CPU' else 'GPU'}:{index or 0}"


def _check_device(device: str) -> None:
    if _tf_device(device).startswith("GPU") and not supports_device(device):
        found = len(tf.config.list_physical_devices("GPU"))
        raise OptionError(f"device {device!r}: TensorFlow sees {found} GPUs here; use 'CPU', or install its CUDA parts")


def supports_device(device: str) -> bool:
    """Return whether this machine can run models on a device such as ``"CPU"`` or ``"CUDA:0"``."""
    try:
        kind, _, index = _tf_device(device).partition(":")
    except OptionError:
        return False
    return int(index) < len(tf.config.list_physical_devices(kind))


def is_compatible(model: ModelSource, device: str = "CPU", *, target: str = "saved_model", **kwargs: Any) -> bool:
    """Return whether the model is valid and all its operators are supported on the device.

    Args:
        model: see :func:`prepare`.
        device: see :func:`prepare`.
        target: ``"saved_model"``, or ``"litert"``: whether :func:`onnx_tf.convert` takes it for a .tflite
            file. It is traced for that, with its weights, and not converted.
        kwargs: accepted for the ONNX Backend API; they change nothing.

    Raises:
        OptionError: no such target is known.
    """
    del kwargs
    options = Options(target=target_named(target))
    try:
        if options.target is LITERT:
            refuse_unsupported(TensorflowRep(lower(model, options)).tf_module)
        else:
            lower(model, options, until="refuse unsupported")
    except OnnxTfError:
        return False
    return supports_device(device)


def run_model(model: ModelSource, inputs: Any, device: str = "CPU", **kwargs: Any) -> Outputs:
    """Convert a model and run it once; see :func:`prepare` and :meth:`TensorflowRep.run`."""
    return prepare(model, device, **kwargs).run(inputs)


def run_node(
    node: onnx.NodeProto,
    inputs: Any,
    device: str = "CPU",
    outputs_info: Sequence[tuple[np.dtype, Sequence[int]]] | None = None,  # noqa: ARG001  (part of the API)
    *,
    opset_version: int | None = None,
    **kwargs: Any,
) -> Outputs:
    """Run a single node.

    Args:
        node: the node.
        inputs: its present inputs as arrays: a list by position, a dict by name, or one array.
        device: see :func:`prepare`.
        outputs_info: dtypes and shapes of the outputs; not needed, part of the ONNX Backend API.
        opset_version: the opset version of the node's domain; the newest known by default.
        kwargs: options of :func:`prepare`.
    """
    names = list(dict.fromkeys(filter(None, node.input)))
    arrays = inputs if isinstance(inputs, dict) else dict(zip(names, _listed(inputs), strict=False))
    graph = onnx.helper.make_graph(
        [node],
        "run_node",
        [_value_info(name, np.asarray(arrays[name])) for name in names if name in arrays],
        [onnx.helper.make_empty_tensor_value_info(name) for name in node.output if name],
    )
    version = opset_version or (onnx.defs.onnx_opset_version() if node.domain in ("", "ai.onnx") else 1)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid(node.domain, version)])
    return prepare(model, device, **kwargs).run({name: arrays[name] for name in names if name in arrays})


def _listed(inputs: Any) -> Sequence[Any]:
    return inputs if isinstance(inputs, (list, tuple)) else [inputs]


def _value_info(name: str, array: np.ndarray) -> onnx.ValueInfoProto:
    dtype = onnx.TensorProto.STRING if array.dtype.kind in "OUS" else onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
    return onnx.helper.make_tensor_value_info(name, dtype, array.shape)


class TensorflowBackend(Backend):
    """The ONNX Backend API as a class, for tools that want one."""

    @classmethod
    def is_compatible(
        cls, model: ModelSource, device: str = "CPU", *, target: str = "saved_model", **kwargs: Any
    ) -> bool:
        """See :func:`is_compatible`."""
        return is_compatible(model, device, target=target, **kwargs)

    @classmethod
    def prepare(cls, model: ModelSource, device: str = "CPU", **kwargs: Any) -> TensorflowRep:
        """See :func:`prepare`."""
        return prepare(model, device, **kwargs)

    @classmethod
    def run_model(cls, model: ModelSource, inputs: Any, device: str = "CPU", **kwargs: Any) -> Outputs:
        """See :func:`run_model`."""
        return run_model(model, inputs, device, **kwargs)

    @classmethod
    def run_node(
        cls,
        node: onnx.NodeProto,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[np.dtype, tuple[int, ...]]] | None = None,
        **kwargs: Any,
    ) -> Outputs:
        """See :func:`run_node`."""
        return run_node(node, inputs, device, outputs_info, **kwargs)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """See :func:`supports_device`."""
        return supports_device(device)
