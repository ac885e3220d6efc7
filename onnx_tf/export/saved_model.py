"""Write a model as a SavedModel that needs nothing but TensorFlow."""

from __future__ import annotations

import collections
import itertools
import keyword
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from onnx_tf.backend_tf_module import BackendTFModule
from onnx_tf.errors import ExportError, OptionError, either
from onnx_tf.export.intermediate import Intermediate
from onnx_tf.export.reproducible import make_saved_model_reproducible
from onnx_tf.export.signatures import SERVING, SERVING_ALONE, Freeze, Signatures
from onnx_tf.export.writing import check_target, refused, written_whole
from onnx_tf.runtime.scopes import scope_name
from onnx_tf.runtime.signature import flat_tensors, regrouped
from onnx_tf.telling import size

__all__ = [
    "MAX_GRAPH_BYTES",
    "SIGNATURE",
    "check_frozen_size",
    "export_saved_model",
    "export_without_weights",
    "python_keywords",
]

SIGNATURE = SERVING
MAX_GRAPH_BYTES = (1 << 31) - (1 << 20)


def export_saved_model(
    model: BackendTFModule,
    path: str | os.PathLike[str],
    *,
    signatures: Signatures = SERVING_ALONE,
    intermediate: Intermediate | None = None,
    overwrite: bool = True,
    signature_only: bool = False,
) -> None:
    """Write a SavedModel; see :meth:`onnx_tf.TensorflowRep.export_graph`.

    Args:
        model: the module of a rep.
        path: the SavedModel's folder.
        signatures: those to be written, and whether they are frozen.
        intermediate: what the signature ``intermediate`` gives.
        overwrite: replace a SavedModel that is there already.
        signature_only: leave out the ``serve`` endpoint.

    Raises:
        ExportError: as described there.
        OptionError: likewise.
    """
    if signatures.is_training and not model.is_training:
        raise OptionError("the signature 'train' needs a model that is prepared with training=True")
    names, freeze = signatures.names, signatures.freeze
    target = Path(path)
    check_target(target, overwrite)
    if freeze:
        variables = either("with freeze=False", "without --freeze")
        check_frozen_size(model, f"keep the weights as variables, {variables}")
    inputs = flat_tensors(model.input_specs())
    keywords = _keywords(list(inputs))
    computing = _computing(model, names, bool(freeze), intermediate)
    module = _served(model, inputs, keywords, computing[SIGNATURE], freeze, signature_only)
    functions = {name: _signature(model, inputs, keywords, compute) for name, compute in computing.items()}
    with refused(target), written_whole(target) as folder:
        tf.saved_model.save(module, str(folder), signatures=functions)
        _rename_inputs(folder, {key: name for name, key in keywords.items() if name != key}, names)
        make_saved_model_reproducible(folder)


def export_without_weights(model: BackendTFModule, path: Path, aside: Mapping[str, str]) -> None:
    """Write a SavedModel whose signature takes some of the weights as well.

    Args:
        model: the module of a rep.
        path: the SavedModel's folder.
        aside: those weights, by the names that these inputs get.
    """
    whole = model.input_specs()
    specs = flat_tensors(whole) | {name: model.weights[weight] for name, weight in aside.items()}
    keywords = _keywords(list(specs))

    def signature_inputs(**given: tf.Tensor) -> dict[str, tf.Tensor]:
        tensors = {name: given[key] for name, key in keywords.items() if name not in aside}
        weights = {weight: given[keywords[name]] for name, weight in aside.items()}
        return flat_tensors(model.computed_with(list(regrouped(whole, tensors).values()), weights))

    typed = {key: tf.TensorSpec(specs[name].shape, specs[name].dtype, name=key) for name, key in keywords.items()}
    module = _Served()
    module.weights = {name: variable for name, variable in model.weights.items() if name not in aside.values()}
    function = tf.function(signature_inputs, autograph=False).get_concrete_function(**typed)
    with written_whole(path) as folder:
        tf.saved_model.save(module, str(folder), signatures={SIGNATURE: function})
        _rename_inputs(folder, {key: name for name, key in keywords.items() if name != key}, [SIGNATURE])
        make_saved_model_reproducible(folder)


def check_frozen_size(model: BackendTFModule, advice: str) -> None:
    """Refuse weights that one file of TensorFlow cannot hold, with what to do instead.

    Raises:
        ExportError: they are too many.
    """
    weights = sum(v.shape.num_elements() * v.dtype.size for v in model.weights.values())
    whole = weights + model.concrete().graph.as_graph_def().ByteSize()
    if whole > MAX_GRAPH_BYTES:
        raise ExportError(
            f"the graph takes {size(whole)} with its {size(weights)} of weights as constants, a file of TensorFlow "
            f"holds {size(MAX_GRAPH_BYTES)} at most: {advice}"
        )


def _keywords(names: Sequence[str]) -> dict[str, str]:
    """Return a Python keyword for each input name: TensorFlow passes signature inputs as keywords."""
    unique = _unambiguous(names)
    free = (key for key in map("input_{}".format, itertools.count()) if key not in names)
    return {name: name if _is_keyword(name) and name in unique else next(free) for name in names}


def python_keywords(names: Sequence[str]) -> dict[str, str]:
    """Return the keyword of each input whose name Python code that calls a loaded signature cannot use."""
    renamed = {name: key for name, key in _keywords(names).items() if name != key}
    called = _callable(list(renamed))
    return {name: key for name, key in renamed.items() if name not in called}


def _callable(names: Sequence[str]) -> set[str]:
    return _unambiguous(names) - {"self"}  # which Python keeps for the function itself


def _unambiguous(names: Sequence[str]) -> set[str]:
    # To TensorFlow names that differ in case or in characters that Python does not take are the same.
    written = {name: "".join(c if c.isalnum() else "_" for c in name).lower() for name in names}
    counts = collections.Counter(written.values())
    return {name for name in names if counts[written[name]] == 1}


def _is_keyword(name: str) -> bool:
    return name.isidentifier() and name.isascii() and not keyword.iskeyword(name) and name == scope_name(name) != "self"


class _Served(tf.Module):
    """What a loaded SavedModel is: its attributes are those that it keeps."""

    variables: Any = ()
    trainable_variables: Any = ()


_Compute = Callable[[Sequence[Any]], Mapping[str, Any]]
"""Computes values by ONNX name of a model's inputs, in order."""


def _computing(
    model: BackendTFModule, names: Sequence[str], freeze: bool, intermediate: Intermediate | None
) -> dict[str, _Compute]:
    """Return what each signature computes."""
    serving = model.concrete(freeze=freeze)
    found: dict[str, _Compute] = {SIGNATURE: lambda inputs: serving(*inputs)}
    if "train" in names:
        training = model.concrete(training=True)
        found["train"] = lambda inputs: training(*inputs)
    if "intermediate" in names:
        assert intermediate is not None
        found["intermediate"] = intermediate.computing(model, freeze=freeze)
    return found


def _served(
    model: BackendTFModule,
    inputs: Mapping[str, tf.TensorSpec],
    keywords: Mapping[str, str],
    compute: _Compute,
    freeze: Freeze,
    signature_only: bool,
) -> _Served:
    """Return what is saved: the variables and, unless that is left out, the function ``serve``."""
    whole = model.input_specs()
    specs = {n: tf.TensorSpec(inputs[n].shape, inputs[n].dtype, name=key) for n, key in keywords.items()}

    def serve(inputs: Any) -> dict[str, tf.Tensor]:
        tensors = inputs if isinstance(inputs, Mapping) else dict.fromkeys(specs, inputs)
        return flat_tensors(compute(list(regrouped(whole, tensors).values())))

    module = _Served()
    if freeze is not True:
        module.weights = model.weights
    if not signature_only:
        module.variables = [] if freeze is True else list(model.weights.values())
        module.trainable_variables = [variable for variable in module.variables if variable.trainable]
        module.serve = module.__call__ = tf.function(serve, autograph=False)
        for form in [specs, *specs.values()] if len(specs) == 1 else [specs]:
            module.serve.get_concrete_function(form)
    return module


def _signature(
    model: BackendTFModule, inputs: Mapping[str, tf.TensorSpec], keywords: Mapping[str, str], compute: _Compute
) -> Any:
    """Return a concrete function that takes the tensors of the inputs by keyword and gives those of the results."""
    whole = model.input_specs()
    specs = {key: tf.TensorSpec(inputs[name].shape, inputs[name].dtype, name=key) for name, key in keywords.items()}

    def signature_inputs(**given: tf.Tensor) -> dict[str, tf.Tensor]:
        tensors = {name: given[key] for name, key in keywords.items()}
        return flat_tensors(compute(list(regrouped(whole, tensors).values())))

    return tf.function(signature_inputs, autograph=False).get_concrete_function(**specs)


def _rename_inputs(folder: Path, names: Mapping[str, str], signatures: Sequence[str]) -> None:
    """Give the signatures' inputs their ONNX names where those are no Python keywords.

    TensorFlow calls a loaded signature by them as well, unless it takes two of them for the same:
    then Python code uses the keys, as in ``input_0``. TensorFlow Serving has no such trouble.
    """
    if not names:
        return
    called = _callable(list(names.values()))
    file = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for meta_graph, signature in itertools.product(model.meta_graphs, signatures):
        inputs = meta_graph.signature_def[signature].inputs
        for key, name in names.items():
            inputs[name].CopyFrom(inputs[key])
            del inputs[key]
        function = _signature_node(meta_graph.object_graph_def, signature).bare_concrete_function
        function.argument_keywords[:] = [names[a] if names.get(a) in called else a for a in function.argument_keywords]
        _rename_specs(meta_graph.object_graph_def.concrete_functions[function.concrete_function_name], names)
    file.write_bytes(model.SerializeToString())


def _rename_specs(function: Any, names: Mapping[str, str]) -> None:
    """Give the specs of a function's keywords their ONNX names: tf2onnx calls inputs by them."""
    _, keywords = function.canonicalized_input_signature.tuple_value.values
    for key, value in keywords.dict_value.fields.items():
        value.tensor_spec_value.name = names.get(key, key)


def _signature_node(graph: Any, signature: str) -> Any:
    node = graph.nodes[0]
    for name in ("signatures", signature):
        (child,) = (child.node_id for child in node.children if child.local_name == name)
        node = graph.nodes[child]
    return node
