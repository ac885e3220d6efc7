"""Edits of a model before anything else is done with it: single nodes, a part that is cut out, open dimensions.

Each takes a model and returns another; none imports TensorFlow.
"""

from __future__ import annotations

import onnx
import onnx_ir as ir

from onnx_tf.edits.arg_max import cast_arg_max, fuse_arg_max
from onnx_tf.edits.cut import cut
from onnx_tf.edits.normalization import normalize_with
from onnx_tf.edits.overriding import override
from onnx_tf.edits.shapes import fix_shapes
from onnx_tf.edits.values import state_values
from onnx_tf.errors import EditError
from onnx_tf.model.loading import MAP_TYPE, OPENED_DIMS, ModelSource, load_model
from onnx_tf.options import Options
from onnx_tf.telling import size

__all__ = ["cut", "edit", "edited_source", "fix_shapes", "override", "with_map_types"]

MAX_PROTO_BYTES = (1 << 31) - (1 << 20)


def edit(model: ir.Model, options: Options) -> ir.Model:
    """Return the model as the options change it: single nodes, its ends, operators, then its inputs.

    Raises:
        EditError: an override, a name or a number does not fit the model.
    """
    if options.overrides:
        model = override(model, options.overrides)
    if options.input_names or options.output_names:
        model = cut(model, options.input_names or None, options.output_names or None)
    if options.values:
        model = state_values(model, dict(options.values))
    forms = options.rewriting
    if forms.mvn_epsilon is not None:
        model = normalize_with(model, forms.mvn_epsilon)
    if forms.argmax_dtype is not None:
        model = cast_arg_max(model, forms.argmax_dtype)
    if forms.argmax_ratio is not None:
        model = fuse_arg_max(model, forms.argmax_ratio)
    if options.batch_size is not None or options.input_shapes:
        model = fix_shapes(model, options.batch_size, dict(options.input_shapes))
    return model


def edited_source(source: ModelSource, options: Options) -> ModelSource:
    """Return what another runtime has to load to compute what :func:`edit` makes of a model.

    That is the source itself where nothing is edited, and else an ``onnx.ModelProto`` that holds
    its weights, external data too.

    Raises:
        ModelError: see :func:`onnx_tf.model.loading.load_model`.
        EditError: see :func:`edit`; also where the edited model's weights pass 2 GB.
    """
    loaded = load_model(source, options.budget())
    model = edit(loaded, options)
    return source if model is loaded and OPENED_DIMS not in loaded.meta else _proto(model)


def _proto(model: ir.Model) -> onnx.ModelProto:
    tensors = [v.const_value for graph in model.graphs() for v in graph.initializers.values() if v.const_value]
    weights = sum(tensor.nbytes for tensor in tensors)
    if weights > MAX_PROTO_BYTES:
        raise EditError(
            f"the edited model has {size(weights)} of weights, one ModelProto holds {size(MAX_PROTO_BYTES)}: "
            "leave out the check, or cut out a smaller part"
        )
    return with_map_types(ir.to_proto(ir.external_data.load_to_model(model)), model)


def with_map_types(proto: onnx.ModelProto, model: ir.Model) -> onnx.ModelProto:
    """Return the proto of a model with the types of inputs and outputs that are maps, which onnx_ir does not keep."""
    types = {str(value.name): value.meta.get(MAP_TYPE) for value in [*model.graph.inputs, *model.graph.outputs]}
    for info in [*proto.graph.input, *proto.graph.output]:
        if types[info.name] is not None:
            info.type.CopyFrom(types[info.name])
    return proto
