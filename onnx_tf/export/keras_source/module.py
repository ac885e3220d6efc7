"""A model as source: ``model.py``, which builds it, and the arrays that ``load_weights`` reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from onnx_tf.export.keras import KerasRep
from onnx_tf.export.keras.nested import MAX_DEPTH
from onnx_tf.export.keras.steps import depth_of
from onnx_tf.export.keras_source.blocks import tree_of
from onnx_tf.export.keras_source.body import Body, Shared
from onnx_tf.export.keras_source.calls import Call, Value
from onnx_tf.export.keras_source.expressions import called, laid_out, listed, literal
from onnx_tf.export.keras_source.families import Families
from onnx_tf.export.keras_source.functions import function_lines
from onnx_tf.export.keras_source.graph import Graph, graph_of, scopes_of
from onnx_tf.export.keras_source.names import FunctionNames, LayerNames, identifier
from onnx_tf.export.keras_source.nesting import NESTED, nest

__all__ = ["source_of"]

WEIGHT = '''
@keras.saving.register_keras_serializable()
class Weight(layers.Layer):
    """A weight of its own, whatever the layer is called with."""

    def __init__(self, shape, **kwargs):
        super().__init__(**kwargs)
        self.shape = tuple(shape)

    def build(self, _):
        self.value = self.add_weight(name="value", shape=self.shape)

    def call(self, _):
        return ops.convert_to_tensor(self.value)

    def get_config(self):
        return {**super().get_config(), "shape": self.shape}
'''

LOAD = '''
def load_weights(model, path):
    """Give the model its weights, from an .npz file that has them by their paths."""
    with np.load(path) as arrays:
        for weight in model.weights:
            weight.assign(arrays[weight.path])
'''


def source_of(rep: KerasRep, file: str) -> tuple[str, Iterator[tuple[str, np.ndarray]]]:
    """Return the source of a model, and its weights by path.

    Args:
        rep: the model.
        file: the name of the source's file.

    Raises:
        ExportError: something has no form in source.
    """
    taken = {step.operation.name: step.outputs[0] for step in rep.steps}
    inputs = [taken.get(tensor.name, tensor) for tensor in rep.model.inputs]
    outputs = [tensor for step in rep.steps if step.operation.name in rep.model.output_names for tensor in step.outputs]
    graph = graph_of(rep.steps, outputs)
    root = tree_of(graph.calls, scopes_of(graph)) if graph.calls else None
    assert root is not None  # every output has a layer of its own
    root.scope = ()
    families = Families(root, graph.outputs)
    if depth_of(rep.steps) > MAX_DEPTH:
        nest(families, root)
    functions = FunctionNames(families.all)
    shared = Shared(families, functions, LayerNames(root, families, functions))
    parts = [function_lines(shared, family) for family in families.all]
    parts.append(_build_model(shared, graph, root, inputs, rep.model.name))
    functions_text = "\n\n\n".join("\n".join(part) for part in parts)
    body = f"{functions_text}\n\n{LOAD}"
    body = f"{NESTED.strip()}\n\n\n{body}" if "nested(" in body else body
    weight = f"\n{WEIGHT}" if "Weight(" in body else ""
    uses = ["layers"] * ("layers." in body or bool(weight)) + ["ops"] * ("ops." in body or bool(weight))
    imports = ["import keras", "import numpy as np"] + [f"from keras import {', '.join(uses)}"] * bool(uses)
    text = f'"""{_title(rep.model.name, file)}"""\n\n' + "\n".join(imports) + f"\n{weight}\n\n{body}"
    return text, _arrays(graph, shared)


def _build_model(shared: Shared, graph: Graph, root: Any, inputs: list[Any], name: str) -> list[str]:
    body = Body(shared, [root], graph.outputs)
    names: list[str] = []
    lines = ["def build_model():"]
    for tensor in inputs:
        own = identifier(tensor.name, "x")
        while own in names or own in shared.functions.of.values():
            own += "_"
        names.append(own)
        lines += laid_out(f"{own} = ", _input(tensor), indent=4)
    body.bind([Value(id(tensor)) for tensor in inputs], names, {})
    body.write()
    taken, given = names, [body.name_of(value) for value in graph.outputs]
    model = called("keras.Model", *(part[0] if len(part) == 1 else listed(part) for part in (taken, given)))
    model = called("keras.Model", *(expression for _, expression in model.items), name=literal(name))
    return [*lines, *body.lines, *laid_out("return ", model, indent=4)]


def _input(tensor: Any) -> Any:
    shape = tuple(tensor.shape)
    is_open = bool(shape) and shape[0] is None
    keywords = {} if is_open else {"batch_shape": literal(shape)}
    if tensor.dtype != "float32":
        keywords["dtype"] = literal(tensor.dtype)
    return called("keras.Input", *([literal(shape[1:])] if is_open else []), **keywords, name=literal(tensor.name))


def _title(name: str, file: str) -> str:
    weights = f"{file.rpartition('.')[0]}.npz"
    return f'{name}: build_model(), and load_weights(model, "{weights}").'.replace("\\", "/").replace('"""', "'")


def _arrays(graph: Graph, shared: Shared) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the weights by path: the layer's name in the source, and what the layer calls it."""
    for call in graph.calls:
        for path, array in _weights(graph, call).items() if call.layer else ():
            yield f"{shared.layers.of[call]}/{path}", array


def _weights(graph: Graph, call: Call) -> Mapping[str, np.ndarray]:
    if call.layer in graph.arrays and call not in graph.layers:
        return {"value": graph.arrays[call.layer]}
    layer = graph.layers.get(call)
    weights = [] if layer is None else layer.weights
    return {weight.path.split("/", 1)[1]: np.asarray(weight.numpy()) for weight in weights}
