"""Elementary functions without a kernel of their own: exact to float32, at zeros and at the ends too."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from onnx_tf.check.compare import Elementwise
from onnx_tf.check.litert import LiteRT
from test.litert.check import check_tflite, written
from test.models import text_model

ERF = np.vectorize(math.erf)
FUNCTIONS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float, float]] = {
    "Acos": (np.arccos, -1, 1),
    "Acosh": (np.arccosh, 1, 50),
    "Asin": (np.arcsin, -1, 1),
    "Asinh": (np.arcsinh, -50, 50),
    "Atan": (np.arctan, -50, 50),
    "Atanh": (np.arctanh, -0.9999, 0.9999),
    "Cosh": (np.cosh, -12, 12),
    "Erf": (ERF, -6, 6),
    "Sinh": (np.sinh, -12, 12),
    "Tan": (np.tan, -500, 500),
}
SPECIAL = np.array([np.inf, -np.inf, np.nan, 0, -0.0, 1, -1, 2, -2, 1e-30, 1e18, -1e18], np.float32)
MODEL = text_model(
    "g ({}) => ({}) {{ {} }}".format(
        ", ".join(f"float[N] x{name}" for name in FUNCTIONS),
        ", ".join(f"float[N] {name}" for name in FUNCTIONS),
        " ".join(f"{name} = {name}(x{name})" for name in FUNCTIONS),
    )
)


def feed_of(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {f"x{name}": x for name, x in inputs.items()}


def expected_of(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    with np.errstate(all="ignore"):
        return {n: FUNCTIONS[n][0](x.astype(np.float64)).astype(np.float32) for n, x in inputs.items()}


def test_exact_everywhere(tmp_path):
    rng = np.random.default_rng(0)
    wide = {n: np.linspace(low, high, 20_001, dtype=np.float32) for n, (_, low, high) in FUNCTIONS.items()}
    small = np.exp(rng.uniform(-60, -1, 5_000)).astype(np.float32) * rng.choice([-1, 1], 5_000).astype(np.float32)
    near = {n: 1 + abs(small) if n == "Acosh" else small for n in FUNCTIONS}
    found = check_tflite(
        MODEL,
        [feed_of(wide), feed_of(near)],
        tmp_path,
        expected=[expected_of(wide), expected_of(near)],
        tolerance=Elementwise(1e-6, 0),
    )
    assert found["ATAN2"] == 3


def test_at_the_ends(tmp_path):
    inputs = dict.fromkeys(FUNCTIONS, SPECIAL)
    inputs["Tan"] = SPECIAL[:-2]
    inputs["Cosh"] = inputs["Sinh"] = np.append(SPECIAL[:-2], [88, -88]).astype(np.float32)
    model = text_model(
        "g ({}) => ({}) {{ {} }}".format(
            ", ".join(f"float[{len(x)}] x{n}" for n, x in inputs.items()),
            ", ".join(f"float[{len(x)}] {n}" for n, x in inputs.items()),
            " ".join(f"{n} = {n}(x{n})" for n in inputs),
        )
    )
    check_tflite(model, feed_of(inputs), tmp_path, expected=[expected_of(inputs)], tolerance=Elementwise(1e-5, 0))


@pytest.mark.parametrize("xnnpack", [True, False])
def test_erf(tmp_path, xnnpack):
    file = tmp_path / "model.tflite"
    interface = written(text_model("g (float[N] x) => (float[N] y) { y = Erf(x) }"), file)
    x = np.linspace(-6, 6, 600_001, dtype=np.float32)
    y = LiteRT(file, interface, xnnpack=xnnpack).run({"x": x})["y"]
    assert np.abs(y - ERF(x.astype(np.float64))).max() < 8e-8
    assert np.diff(y[::10]).min() >= -6e-8  # one unit in the last place below 1
    assert np.abs(y).max() == 1
