"""Check one operator against ONNX Runtime or onnx's reference implementation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import onnx
import tensorflow as tf
from onnx import helper
from onnx.reference import ReferenceEvaluator

from onnx_tf import prepare
from onnx_tf.backend_rep import TensorflowRep
from onnx_tf.check.compare import Elementwise
from onnx_tf.check.compare import compare as compare_outputs
from test.onnx_suite.cases import by_position
from test.onnx_suite.runs import through_export
from test.reference import ort_outputs

DEFAULT_OPSET = min(26, onnx.defs.onnx_opset_version())
"""The newest opset that ONNX Runtime 1.31 takes."""

Reference = Literal["ort", "onnx"] | Sequence[Any]


def make_op_model(
    op_type: str,
    inputs: Sequence[Any],
    attributes: Mapping[str, Any] | None = None,
    *,
    opset: int | None = None,
    domain: str = "",
    outputs: int = 1,
    constants: Sequence[int] = (),
    dynamic: bool = False,
) -> onnx.ModelProto:
    """Return a model of one node.

    Args:
        op_type: the operator.
        inputs: one array per input, ``None`` for an absent one.
        attributes: the node's attributes.
        opset: the opset version of the domain; by default 26 of ai.onnx, or 1 of another domain.
        domain: the operator's domain.
        outputs: how many outputs the node has.
        constants: positions of inputs that are initializers.
        dynamic: whether graph inputs state no dimension, only the rank.
    """
    names = [None if array is None else f"x{i}" for i, array in enumerate(inputs)]
    node = helper.make_node(
        op_type, [n or "" for n in names], [f"y{i}" for i in range(outputs)], domain=domain, **(attributes or {})
    )
    graph_inputs, initializers = [], []
    for index, (name, array) in enumerate(zip(names, inputs, strict=True)):
        if name is None:
            continue
        if index in constants:
            initializers.append(onnx.numpy_helper.from_array(np.asarray(array), name))
        else:
            graph_inputs.append(_value_info(name, np.asarray(array), dynamic))
    values = [helper.make_empty_tensor_value_info(f"y{i}") for i in range(outputs)]
    graph = helper.make_graph([node], op_type, graph_inputs, values, initializers)
    opsets = [helper.make_opsetid(domain, opset or (DEFAULT_OPSET if domain == "" else 1))]
    if domain:
        opsets.append(helper.make_opsetid("", 21))
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def check_op(
    op_type: str,
    inputs: Sequence[Any],
    attributes: Mapping[str, Any] | None = None,
    *,
    opset: int | None = None,
    domain: str = "",
    outputs: int = 1,
    constants: Sequence[int] = (),
    reference: Reference = "ort",
    through: Sequence[str] = ("static", "dynamic"),
    rtol: float = 1e-4,
    atol: float = 1e-5,
) -> None:
    """Check that an operator gives the reference's dtypes, shapes and values.

    Args:
        op_type: see :func:`make_op_model`, as for the arguments up to ``constants``.
        inputs: the arrays.
        attributes: the attributes.
        opset: the opset version.
        domain: the domain.
        outputs: the number of outputs.
        constants: positions of inputs that are initializers.
        reference: ``"ort"``, ``"onnx"`` (the reference evaluator) or the expected arrays.
        through: ``"static"`` (the inputs state their shape), ``"dynamic"`` (only their rank) and
            ``"export"`` (as dynamic, through a reloaded SavedModel).
        rtol: relative tolerance for floats; integers and booleans must be equal.
        atol: absolute tolerance for floats.

    Raises:
        AssertionError: an output differs.
    """
    settings: dict[str, Any] = {
        "opset": opset,
        "domain": domain,
        "outputs": outputs,
        "constants": constants,
    }
    model = make_op_model(op_type, inputs, attributes, **settings)
    feed = {f"x{i}": a for i, a in enumerate(inputs) if a is not None and i not in constants}
    expected = run_reference(model, feed, reference)
    for way in through:
        given = model if way == "static" else make_op_model(op_type, inputs, attributes, **settings, dynamic=True)
        run = through_export if way == "export" else lambda m, i: list(prepare(m).run(i))
        compare(expected, run(given, list(feed.values())), rtol=rtol, atol=atol, label=way)


def compare(expected: Sequence[Any], actual: Sequence[Any], *, rtol: float, atol: float, label: str = "") -> None:
    """Check dtypes, shapes and values of outputs pairwise.

    Raises:
        AssertionError: an output differs.
    """
    comparison = compare_outputs(by_position(expected), by_position(actual), Elementwise(rtol, atol))
    assert comparison.fits, f"{label}\n{comparison}"


def loop_operations(rep: TensorflowRep) -> dict[str, tf.Operation]:
    """Return the operations of a model with one loop by their type, those inside of the loop apart."""
    return {operation.type: operation for operation in rep.tf_module.concrete(freeze=True).graph.get_operations()}


def run_reference(model: onnx.ModelProto, feed: Mapping[str, Any], reference: Reference) -> Sequence[Any]:
    """Return the outputs of ONNX Runtime or of the reference evaluator, or the given arrays."""
    if reference == "onnx":
        return list(ReferenceEvaluator(model).run(None, dict(feed)))
    if reference == "ort":
        return list(ort_outputs(model, feed).values())
    return list(reference)


def _value_info(name: str, array: np.ndarray, dynamic: bool) -> onnx.ValueInfoProto:
    dtype = onnx.TensorProto.STRING if array.dtype.kind in "OUS" else helper.np_dtype_to_tensor_dtype(array.dtype)
    shape = [f"{name}_{i}" for i in range(array.ndim)] if dynamic else array.shape
    return helper.make_tensor_value_info(name, dtype, shape)
