"""Small sound models, of which cases are made, with inputs that fit them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from test.models import text_model

MAX_BYTES = 20_000
KINDS = ("node/", "simple/", "pytorch-operator/")

TEXTS = (
    "g (float[N, 4] x) => (float[N, 4] y) <float[4] w = {1, 2, 3, 4}> { t = Mul(x, w) y = Relu(t) }",
    "g (float[1, 2, 6, 6] x) => (float[1, 2, h, w] y) { y = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (x) }",
    "g (float[2, 3] x, int64[2] s) => (float[a, b] y) { y = Reshape(x, s) }",
    "g (float[3, 4] x, int64[n] i) => (float[n, 4] y) { y = Gather(x, i) }",
    "g (bool c, float[A] x) => (float[A] y) { y = If (c) <then_branch = a () => (float[B] s) { s = Neg(x) },"
    " else_branch = b () => (float[D] t) { t = Abs(x) }> }",
    "g (int64 n, bool c, float[2] x) => (float[2] y) { y = Loop (n, c, x) <body = b (int64 i, bool d, float[2] s) =>"
    " (bool e, float[2] t) { e = Identity(d) t = Add(s, s) }> }",
    "g (float[2, 3, 8] x) => (float[2, 3, 8] y) { m = ReduceMean <axes = [1], keepdims = 1> (x) d = Sub(x, m)"
    " y = Softmax <axis = -1> (d) }",
    "g (float[3] x) => (float[n] y, seq(float[m]) s) <int64[2] p = {1, 2}> { s = SplitToSequence <axis = 0> (x, p)"
    " y = ConcatFromSequence <axis = 0> (s) }",
    "g (string[N] x) => (string[N] y) { y = Identity(x) }",
)


@dataclass(frozen=True)
class Seed:
    """A model and what it takes."""

    name: str
    content: bytes
    inputs: tuple[Any, ...]


def few() -> list[Seed]:
    """Return some models, which are there at once."""
    given = {
        "s": np.array([3, 2]),
        "i": np.array([2, 0]),
        "c": np.bool_(True),
        "n": np.int64(2),
    }
    seeds = []
    for number, text in enumerate(TEXTS):
        model = text_model(text)
        inputs: list[Any] = []
        for value in model.graph.input:
            kind = value.type.tensor_type
            dims = [dim.dim_value or 2 for dim in kind.shape.dim]
            known = given.get(value.name)
            if kind.elem_type == 8:
                known = np.full(dims, "a", object)
            inputs.append(np.ones(dims, np.float32) if known is None else known)
        seeds.append(Seed(f"text {number}", model.SerializeToString(), tuple(inputs)))
    return seeds


def many() -> list[Seed]:
    """Return the official cases of onnx that are small, after those of :func:`few`."""
    from test.onnx_suite.cases import data_sets, load_cases, model_of

    seeds = few()
    for name, case in load_cases().items():
        if not name.startswith(KINDS):
            continue
        model = model_of(case)
        content = model.SerializeToString()
        if len(content) > MAX_BYTES:
            continue
        inputs, _ = next(iter(data_sets(case, model)), ([], []))
        seeds.append(Seed(name, content, tuple(inputs)))
    return seeds
