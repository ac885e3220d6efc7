"""Write a model as .tflite files: TensorFlow's own converter behind one function."""

from __future__ import annotations

import functools
import json
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.python.convert import ConverterError

from onnx_tf.backend_tf_module import BackendTFModule
from onnx_tf.errors import ConversionError, ExportError, UnsupportedError, either
from onnx_tf.export.ensured_shapes import drop_ensured_shapes
from onnx_tf.export.flatbuffer import finished, finished_model, inlined
from onnx_tf.export.integers.file import fold_quantizations, told_floats
from onnx_tf.export.integers.marks import mark_quantizations
from onnx_tf.export.litert_support import ADVICE, refused_nodes, unsupported_nodes
from onnx_tf.export.post_training.files import QuantizedFile, floats_of_recipe, quantized_files, with_kept_weights
from onnx_tf.export.post_training.kinds import CALIBRATED, RECIPE, Quantization, is_made_of_floats
from onnx_tf.export.post_training.recipes import quantized_by_recipe
from onnx_tf.export.precisions import FileKind
from onnx_tf.export.saved_model import SIGNATURE, export_saved_model, export_without_weights
from onnx_tf.export.saved_model_converter import saved_model_converter
from onnx_tf.export.weights_aside import enough, put_back, weights_aside
from onnx_tf.runtime.graph import BoundGraph
from onnx_tf.runtime.signature import flat_names
from onnx_tf.telling import size
from onnx_tf.values import TensorSequence

__all__ = ["PostTraining", "refuse_unsupported", "tflite_files"]

MAX_FILE_BYTES = (1 << 31) - (1 << 20)
"""Of a file whose parts refer to each other by 32 bits."""


MAX_ROUNDS = 3
"""How often a model is converted with fewer of its weights aside; then it is with all of them."""


@dataclass(frozen=True)
class PostTraining:
    """What a model in floats is quantised with.

    Attributes:
        quantization: how.
        samples: calibration data, arrays by the names of the signature's inputs.
        progress: called as it goes on.
        made: what the quantiser tells of each kind, once it is made.
    """

    quantization: Quantization = field(default_factory=Quantization)
    samples: Iterable[Mapping[str, np.ndarray]] = ()
    progress: Callable[[str], None] = lambda _: None
    made: dict[str, QuantizedFile] = field(default_factory=dict)


def tflite_files(
    model: BackendTFModule,
    precisions: Sequence[FileKind] = ("float32",),
    *,
    post_training: PostTraining | None = None,
    allow_flex: bool = False,
    allow_custom_ops: bool = False,
    float16_accumulation: bool = False,
    metadata: Mapping[str, str] | None = None,
    advice: str = ADVICE,
) -> Iterator[tuple[FileKind, memoryview]]:
    """Yield the contents of a .tflite file for each precision.

    Args:
        model: the module of a model that was lowered for a target of ``onnx_tf.targets.litert``.
        precisions: in which the weights are stored: float16 weights are widened when a file is loaded; the integers
            of a quantised model stay what they are, which its target decides.
        post_training: how a model in floats is quantised, where such kinds are among the precisions.
        allow_flex: write operators of TensorFlow where LiteRT has none; a runtime with the Flex delegate runs them.
        allow_custom_ops: write operators under their own names where there is neither.
        float16_accumulation: let float16 files say that what computes in float16 may add up in it.
        metadata: what the file says of its origin, see :func:`onnx_tf.export.flatbuffer.finished`.
        advice: what errors say to do about nodes that need more than LiteRT's operators.

    Raises:
        UnsupportedError: some nodes need what is not allowed; it lists all of them.
        ConversionError: TensorFlow's converter fails otherwise.
    """
    refuse_unsupported(model, precisions, allow_flex=allow_flex, allow_custom_ops=allow_custom_ops, advice=advice)
    names = _signature_names(model)
    whole = _float_file(model, names, metadata or {}) if "float32" in precisions and post_training is None else None
    if whole is not None:
        yield "float32", whole
        del whole
        precisions = [precision for precision in precisions if precision != "float32"]
    if not precisions:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        export_saved_model(model, path, signature_only=True)
        drop_ensured_shapes(path)
        is_quantized = mark_quantizations(path)
        edit = functools.partial(fold_quantizations, graph=model.graph, allow_custom_ops=allow_custom_ops)

        def written(precision: FileKind) -> bytes:
            allows_custom = allow_custom_ops or is_quantized  # marks are custom operators until the file is finished
            converter = _converter(path, precision, allow_flex=allow_flex, allow_custom_ops=allows_custom)
            if post_training is not None and post_training.quantization.weights == "per-tensor":
                converter._experimental_disable_per_channel = True
            if float16_accumulation and precision == "float16":
                converter.target_spec._experimental_supported_accumulation_type = tf.float16
            try:
                content: bytes = converter.convert()
            except Exception as error:
                raise _explained(error, model, advice) from error
            return content

        if post_training is not None:
            written = functools.cache(written)  # kinds are made of one file of floats
            for kind, content, floats in _quantized(written, precisions, post_training, model.graph):
                yield kind, finished(content, *names, {**(metadata or {}), **floats})
        for precision in precisions:
            if post_training is None or not is_made_of_floats(precision):
                yield precision, finished(written(precision), *names, metadata or {}, edit if is_quantized else None)


def _float_file(
    model: BackendTFModule, names: tuple[list[str], list[str]], metadata: Mapping[str, str]
) -> memoryview | None:
    """Return the file of a model whose large weights are put into it last; ``None`` where they are the converter's."""
    aside = weights_aside(model)
    for _ in range(MAX_ROUNDS):
        if not aside:
            break
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model"
            export_without_weights(model, path, aside)
            drop_ensured_shapes(path)
            if mark_quantizations(path):
                return None
            try:
                content = _converter(path, "float32", allow_flex=False, allow_custom_ops=False).convert()
            except ConverterError:  # what it says of the whole model is told
                return None
        file = schema.ModelT.InitFromPackedBuf(content, 0)
        refused, later = put_back(file, {name: model.weights[weight] for name, weight in aside.items()})
        if not refused:
            size = len(content) + sum(array.nbytes for array in later.values())
            return finished_model(file, size, *names, metadata, later=later)
        aside = enough({name: weight for name, weight in aside.items() if name not in refused}, model)
    return None


def _quantized(
    written: Callable[[FileKind], bytes], precisions: Sequence[FileKind], how: PostTraining, graph: BoundGraph
) -> Iterator[tuple[FileKind, bytes, Mapping[str, Any]]]:
    """Yield kinds of quantised files, their contents, and what is to be said of them."""
    if "dynamic_range_quant" in precisions:
        content = written("dynamic_range_quant")
        if how.quantization.keep_float:
            content = with_kept_weights(content, written("float32"), how.quantization, graph)
        yield "dynamic_range_quant", content, {}
    kinds = [kind for kind in CALIBRATED if kind in precisions]
    if kinds:
        for made in quantized_files(written("float32"), kinds, how.samples, how.quantization, graph, how.progress):
            how.made[made.kind] = made
            yield made.kind, made.content, told_floats(made.floats)
    recipe = how.quantization.recipe
    if recipe is not None and RECIPE in precisions:
        content = inlined(quantized_by_recipe(written("float32"), recipe, how.samples, how.progress))
        floats = floats_of_recipe(content, written("float32"), graph) if recipe.is_static else ()
        yield RECIPE, content, {"recipe": json.loads(recipe.rules), **told_floats(floats)}


def refuse_unsupported(
    model: BackendTFModule,
    precisions: Sequence[FileKind] = ("float32",),
    *,
    allow_flex: bool = False,
    allow_custom_ops: bool = False,
    advice: str = ADVICE,
) -> None:
    """Refuse a model before it is converted, with all nodes that are known to need more than LiteRT's operators.

    Raises:
        UnsupportedError: there are such nodes, and what they need is not allowed.
        ExportError: a signature cannot hold its inputs and outputs, one is a sequence of unknown length, or a
            file cannot hold the weights.
    """
    _signature_names(model)
    for precision in precisions:
        _check_size(model, precision)
    if allow_flex or allow_custom_ops:
        return
    _refuse_sequences(model, advice)
    problems = unsupported_nodes(model.graph, model.concrete().graph, advice)
    if problems:
        raise UnsupportedError(problems, step="litert")


def _check_size(model: BackendTFModule, precision: FileKind) -> None:
    halved = tf.float32 if precision == "float16" else None
    weights = sum(
        weight.shape.num_elements() * (2 if weight.dtype == halved else weight.dtype.size)
        for weight in model.weights.values()
    )
    if weights > MAX_FILE_BYTES:
        raise ExportError(
            f"the weights take {size(weights)} in {precision}, a .tflite file holds {size(MAX_FILE_BYTES)} at most: "
            "store them as float16, cut the model "
            f"({either('input_names, output_names', '--input-names, --output-names')}), or write a SavedModel",
            step="litert",
        )


def _specs(model: BackendTFModule) -> tuple[dict[str, Any], dict[str, Any]]:
    return model.input_specs(), model.concrete().structured_outputs


def _signature_names(model: BackendTFModule) -> tuple[list[str], list[str]]:
    """Return the names of the signature's inputs and outputs, in ONNX order."""
    inputs, outputs = _specs(model)
    return flat_names(inputs), flat_names(outputs)


def _refuse_sequences(model: BackendTFModule, advice: str) -> None:
    """Refuse inputs and outputs that a list of unknown length stands for: LiteRT has no such lists."""
    for side, specs in zip(("input", "output"), _specs(model), strict=True):
        for name, spec in specs.items():
            element = getattr(spec, "element", spec)
            if isinstance(element, (TensorSequence, TensorSequence.Spec)):
                cut = either(f"{side}_names", f"--{side}-names")
                more = f", {advice}" if advice == ADVICE else ""
                raise ExportError(
                    f"{side} {name!r} is a sequence of unknown length, which LiteRT has not: "
                    f"cut it off with {cut}{more}",
                    step="litert",
                )


def _converter(path: Path, precision: FileKind, *, allow_flex: bool, allow_custom_ops: bool) -> Any:
    converter = saved_model_converter(path, SIGNATURE)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if allow_flex:
        converter.target_spec.supported_ops.append(tf.lite.OpsSet.SELECT_TF_OPS)
    converter.allow_custom_ops = allow_custom_ops
    # Else an infinite constant becomes the largest finite number: masks of -inf then give NaN.
    converter.canonicalizing_inf_as_min_max_float = False
    converter.exclude_conversion_metadata = True  # of this process: a time and a machine's settings
    if precision in ("float16", "dynamic_range_quant"):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    return converter


_LOCATION = re.compile(r"error: loc\((?:callsite\()?fused\[\"(\w+):\", \"([^\"@]+)")
_OPERATION = re.compile(r'fused\["\w+:", "([^"@]+)@')
_PLACE = re.compile(r"^(<unknown>:0: )?(error: )?(loc\(.*?\]\)+: )?(error: )?")


def _explained(error: Exception, model: BackendTFModule, advice: str) -> Exception:
    """Return the error to raise where the converter fails: with the ONNX nodes of the operations that it names."""
    named = ((name, op_type) for op_type, name in _LOCATION.findall(str(error)))
    problems = refused_nodes(model.graph, model.concrete().graph, named, advice)
    if problems:
        return UnsupportedError(problems, step="litert")
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = next((line for line in lines if "error:" in line), lines[0] if lines else type(error).__name__)
    nodes = map(model.graph.node_of, _OPERATION.findall(reason))
    node = next((node for node in nodes if node is not None), None)
    told = f"TensorFlow's LiteRT converter fails: {_PLACE.sub('', reason)[:500]}"
    if node is None:
        return ConversionError(told, step="litert")
    op, domain, version = node.context.op_type, node.context.onnx_domain, node.context.version
    return ConversionError(told, step="litert", node=node.onnx_node, op=op, domain=domain, version=version)
