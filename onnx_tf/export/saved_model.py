"""Write a model as a SavedModel that needs nothing but TensorFlow."""

from __future__ import annotations

import collections
import itertools
import keyword
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from onnx_tf.backend_tf_module import BackendTFModule
from onnx_tf.errors import ExportError, either
from onnx_tf.export.reproducible import make_saved_model_reproducible
from onnx_tf.export.writing import check_target, refused, written_whole
from onnx_tf.runtime.scopes import scope_name
from onnx_tf.runtime.signature import flat_tensors, regrouped
from onnx_tf.telling import size

__all__ = ["SIGNATURE", "export_saved_model"]

SIGNATURE = "serving_default"
MAX_GRAPH_BYTES = (1 << 31) - (1 << 20)


def export_saved_model(
    model: BackendTFModule,
    path: str | os.PathLike[str],
    *,
    freeze: bool = False,
    overwrite: bool = True,
    signature_only: bool = False,
) -> None:
    """Write a SavedModel; see :meth:`onnx_tf.TensorflowRep.export_graph`.

    Args:
        model: the module of a rep.
        path: the SavedModel's folder.
        freeze: bake the weights into the graph as constants.
        overwrite: replace a SavedModel that is there already.
        signature_only: leave out the ``serve`` endpoint.

    Raises:
        ExportError: as described there.
    """
    target = Path(path)
    check_target(target, overwrite)
    if freeze:
        _check_size(model)
    inputs = flat_tensors(_input_specs(model))
    keywords = _keywords(list(inputs))
    module, function = _serving_module(model, inputs, keywords, freeze, signature_only)
    with refused(target), written_whole(target) as folder:
        tf.saved_model.save(module, str(folder), signatures={SIGNATURE: function})
        _rename_inputs(folder, {key: name for name, key in keywords.items() if name != key})
        make_saved_model_reproducible(folder)


def _check_size(model: BackendTFModule) -> None:
    weights = sum(v.shape.num_elements() * v.dtype.size for v in model.weights.values())
    whole = weights + model.concrete().graph.as_graph_def().ByteSize()
    if whole > MAX_GRAPH_BYTES:
        raise ExportError(
            f"the graph takes {size(whole)} with its {size(weights)} of weights as constants, a file of TensorFlow "
            f"holds {size(MAX_GRAPH_BYTES)} at most: keep the weights as variables, "
            f"{either('with freeze=False', 'without --freeze')}"
        )


def _keywords(names: Sequence[str]) -> dict[str, str]:
    """Return a Python keyword for each input name: TensorFlow passes signature inputs as keywords."""
    unique = _unambiguous(names)
    free = (key for key in map("input_{}".format, itertools.count()) if key not in names)
    return {name: name if _is_keyword(name) and name in unique else next(free) for name in names}


def _unambiguous(names: Sequence[str]) -> set[str]:
    # To TensorFlow names that differ in case or in characters that Python does not take are the same.
    written = {name: "".join(c if c.isalnum() else "_" for c in name).lower() for name in names}
    counts = collections.Counter(written.values())
    return {name for name in names if counts[written[name]] == 1}


def _is_keyword(name: str) -> bool:
    return name.isidentifier() and name.isascii() and not keyword.iskeyword(name) and name == scope_name(name) != "self"


def _input_specs(model: BackendTFModule) -> dict[str, Any]:
    """Return the spec of each input by ONNX name."""
    return dict(zip(model.input_names, model.concrete().structured_input_signature[0], strict=True))


class _Served(tf.Module):
    """What a loaded SavedModel is: its attributes are those that it keeps."""

    variables: Any = ()
    trainable_variables: Any = ()


def _serving_module(
    model: BackendTFModule,
    inputs: dict[str, tf.TensorSpec],
    keywords: dict[str, str],
    freeze: bool,
    signature_only: bool,
) -> tuple[_Served, Any]:
    whole = _input_specs(model)
    signature = {key: tf.TensorSpec(inputs[name].shape, inputs[name].dtype, name=key) for name, key in keywords.items()}
    specs = {name: signature[key] for name, key in keywords.items()}
    compute = model.concrete(freeze=freeze)

    def computed(tensors: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return flat_tensors(compute(*regrouped(whole, tensors).values()))

    def serve(inputs: Any) -> dict[str, tf.Tensor]:
        return computed(inputs if isinstance(inputs, Mapping) else dict.fromkeys(specs, inputs))

    def signature_inputs(**given: tf.Tensor) -> dict[str, tf.Tensor]:
        return computed({name: given[key] for name, key in keywords.items()})

    module = _Served()
    if not freeze:
        module.weights = model.weights
    if not signature_only:
        module.variables = [] if freeze else list(model.weights.values())
        module.trainable_variables = [variable for variable in module.variables if variable.trainable]
        module.serve = module.__call__ = tf.function(serve, autograph=False)
        for form in [specs, *specs.values()] if len(specs) == 1 else [specs]:
            module.serve.get_concrete_function(form)
    return module, tf.function(signature_inputs, autograph=False).get_concrete_function(**signature)


def _rename_inputs(folder: Path, names: dict[str, str]) -> None:
    """Give the signature's inputs their ONNX names where those are no Python keywords.

    TensorFlow calls a loaded signature by them as well, unless it takes two of them for the same:
    then Python code uses the keys, as in ``input_0``. TensorFlow Serving has no such trouble.
    """
    if not names:
        return
    called = _unambiguous(list(names.values())) - {"self"}  # which Python keeps for the function itself
    file = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for meta_graph in model.meta_graphs:
        inputs = meta_graph.signature_def[SIGNATURE].inputs
        for key, name in names.items():
            inputs[name].CopyFrom(inputs[key])
            del inputs[key]
        function = _signature_node(meta_graph.object_graph_def).bare_concrete_function
        function.argument_keywords[:] = [names[a] if names.get(a) in called else a for a in function.argument_keywords]
        _rename_specs(meta_graph.object_graph_def.concrete_functions[function.concrete_function_name], names)
    file.write_bytes(model.SerializeToString())


def _rename_specs(function: Any, names: Mapping[str, str]) -> None:
    """Give the specs of a function's keywords their ONNX names: tf2onnx calls inputs by them."""
    _, keywords = function.canonicalized_input_signature.tuple_value.values
    for key, value in keywords.dict_value.fields.items():
        value.tensor_spec_value.name = names.get(key, key)


def _signature_node(graph: Any) -> Any:
    node = graph.nodes[0]
    for name in ("signatures", SIGNATURE):
        (child,) = (child.node_id for child in node.children if child.local_name == name)
        node = graph.nodes[child]
    return node
