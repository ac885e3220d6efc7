"""Gradients of many operators through one traced function, against differences of its results.

Every operator is a branch of one model with inputs of its own. A gradient is checked along a random
direction v, for random weights u of the results: u . (f(x + e v) - f(x - e v)) / 2e = (gradient of
u . f at x) . v. Two runs of the model serve all branches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
from onnx import helper

from onnx_tf import prepare

OPSET = 26
STEP = 1e-5


@dataclass(frozen=True)
class Branch:
    """One node.

    Attributes:
        op_type: the operator.
        inputs: one array per input, ``None`` for an absent one; floats are differentiated.
        attributes: the node's attributes.
        outputs: how many outputs the node has.
        fixed: positions of float inputs that are constants of the model.
        domain: the operator's domain.
    """

    op_type: str
    inputs: Sequence[Any]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    outputs: int = 1
    fixed: Sequence[int] = ()
    domain: str = ""


def check_gradients(branches: Sequence[Branch], opset: int = OPSET) -> None:
    """Check the gradient of each branch by every float input.

    Raises:
        AssertionError: gradients are missing or wrong; the message names the branches.
    """
    feed: dict[str, np.ndarray] = {}
    model = _model(branches, feed, opset)
    module = prepare(model, training=True).tf_module
    rng = np.random.default_rng(0)
    floats = [name for name, array in feed.items() if array.dtype.kind == "f"]
    directions = {name: rng.normal(size=feed[name].shape).astype(feed[name].dtype) for name in floats}
    weights: dict[str, Any] = {}

    def results(moved: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        found = module(**{name: tf.constant(array) for name, array in feed.items()} | moved)
        return {name: value for name, value in found.items() if value.dtype.is_floating}

    @tf.function
    def gradients(given: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(given)
            found = results(given)
            total = tf.add_n([tf.reduce_sum(tf.cast(found[n] * w, tf.float64)) for n, w in weights.items()])
        # Gradients of what is gathered come as slices.
        return {n: tf.convert_to_tensor(g) for n, g in tape.gradient(total, given).items() if g is not None}

    here = {name: tf.constant(feed[name]) for name in floats}
    sides = [
        results({name: tf.constant(feed[name] + sign * _step(feed[name]) * directions[name]) for name in floats})
        for sign in (1, -1)
    ]
    weights |= {
        name: rng.normal(size=value.shape).astype(value.dtype.as_numpy_dtype) for name, value in sides[0].items()
    }
    found = gradients(here)
    wrong = []
    for index, branch in enumerate(branches):
        names = [name for name in floats if name.startswith(f"x{index}_")]
        missing = [name for name in names if name not in found]
        if missing:
            wrong.append(f"{index} {branch.op_type} {dict(branch.attributes)}: no gradient by {missing}")
            continue
        step = _step(feed[names[0]])
        outputs = [name for name in weights if name.startswith(f"y{index}_")]
        differences = [np.float64(sides[0][n]) - np.float64(sides[1][n]) for n in outputs]
        expected = sum(np.sum(weights[n] * d) for n, d in zip(outputs, differences, strict=True)) / (2 * step)
        actual = sum(np.sum(np.float64(found[name]) * directions[name]) for name in names)
        tolerance = 1e-5 if step == STEP else 1e-2
        if not abs(actual - expected) <= tolerance * max(1, abs(expected)):
            wrong.append(f"{index} {branch.op_type} {dict(branch.attributes)}: {expected} expected, got {actual}")
    assert not wrong, "\n".join(wrong)


def _step(array: np.ndarray) -> float:
    return STEP if array.dtype == np.float64 else 3e-3


def _model(branches: Sequence[Branch], feed: dict[str, np.ndarray], opset: int) -> onnx.ModelProto:
    nodes, inputs, outputs, constants = [], [], [], []
    for index, branch in enumerate(branches):
        names = []
        for position, array in enumerate(branch.inputs):
            name = "" if array is None else f"x{index}_{position}"
            names.append(name)
            if array is None:
                continue
            array = np.asarray(array)
            if array.dtype.kind != "f" or position in branch.fixed:
                constants.append(onnx.numpy_helper.from_array(array, name))
                continue
            feed[name] = array
            dtype = helper.np_dtype_to_tensor_dtype(array.dtype)
            inputs.append(helper.make_tensor_value_info(name, dtype, array.shape))
        made = [f"y{index}_{i}" for i in range(branch.outputs)]
        nodes.append(helper.make_node(branch.op_type, names, made, domain=branch.domain, **branch.attributes))
        outputs += [helper.make_empty_tensor_value_info(name) for name in made]
    graph = helper.make_graph(nodes, "branches", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)
