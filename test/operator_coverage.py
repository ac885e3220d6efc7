"""Record which operators can be written as a SavedModel and as a .tflite file.

``make ops-table`` runs this and rewrites onnx_tf/operator_coverage.json and doc/supported_ops.md. For
each operator the smallest official cases that use it are exported, loaded and compared, then
converted to LiteRT's own operators, run and compared in each class of shapes: all known, the first
dimension of the first input open, all of its dimensions open (the other inputs are constants then).
Where none works they are converted with TensorFlow's operators besides ("select"), which the
interpreter that pip installs does not run. This is done in a process that may die: the converter
aborts where it should raise.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf

from onnx_tf import convert, prepare
from onnx_tf.check.artifacts import SavedModel
from onnx_tf.check.compare import Elementwise, compare
from onnx_tf.check.interface import Interface
from onnx_tf.options import Options
from onnx_tf.supported_ops import OPERATOR_COVERAGE, SHAPES, operator_coverage, supported_ops
from onnx_tf.targets import KERAS
from test.handlers import test_com_microsoft
from test.handlers.check import make_op_model, run_reference
from test.handlers.com_microsoft.case import Case, case
from test.ledger import ledger
from test.litert.served import ServedLiteRT
from test.onnx_suite.cases import data_sets, load_cases, model_of

CASES_PER_OPERATOR = 2
FAR = Elementwise(rtol=1e-3, atol=1e-3)

COMMON = {getattr(onnx.TensorProto, name) for name in ("FLOAT", "INT64", "INT32", "BOOL", "STRING", "UINT8")}
COMMON_RESULTS = COMMON | {onnx.TensorProto.DOUBLE}

Sample = tuple[str, Callable[[], tuple[onnx.ModelProto, list[Any], list[Any] | None]]]
"""The name of a case, and what makes its model, inputs and expected outputs (``None`` if they are random)."""

ML, ROWS = {"domain": "ai.onnx.ml"}, np.array([[0.5, -1.0], [2.0, 0.25], [1.5, 3.0]], np.float32)
REGION = np.array([[0, 0, 0, 1, 2]], np.float32)
RANDOM = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial")
STUMP = {
    "nodes_treeids": [0, 0, 0],
    "nodes_nodeids": [0, 1, 2],
    "nodes_featureids": [0, 0, 0],
    "nodes_values": [1.0, 0.0, 0.0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
    "nodes_truenodeids": [1, 0, 0],
    "nodes_falsenodeids": [2, 0, 0],
}
VECTORS = {"kernel_type": "RBF", "kernel_params": [0.5, 0.0, 3.0], "support_vectors": [0.0, 1.0, 1.0, 0.0]}
EXTRA = [
    case("Multinomial", [np.zeros((2, 3), np.float32)], {"sample_size": 4}, domain="", opset=22),
    case("RandomNormal", [], {"shape": [2, 3]}, domain="", opset=22),
    case("RandomNormalLike", [ROWS], domain="", opset=22),
    case("RandomUniform", [], {"shape": [2, 3]}, domain="", opset=22),
    case("RandomUniformLike", [ROWS], domain="", opset=22),
    *[
        case(op_type, [ROWS[None, None]], attributes, domain="", opset=7)
        for op_type, attributes in {
            "Affine": {"alpha": 2.0, "beta": 0.5},
            "Crop": {"border": [1, 0, 0, 1]},
            "ImageScaler": {"bias": [0.5], "scale": 2.0},
            "ParametricSoftplus": {"alpha": 2.0, "beta": 0.5},
            "Scale": {"scale": 2.0},
            "ScaledTanh": {"alpha": 2.0, "beta": 0.5},
        }.items()
    ],
    case("DynamicSlice", [ROWS, np.array([1]), np.array([3])], domain="", opset=7, constants=(1, 2)),
    case("GivenTensorFill", [], {"shape": [1], "values": [2.0]}, domain="", opset=7, reference=[np.float32([2])]),
    case("ConstantFill", [], {"shape": [1], "value": 2.0}, domain="", opset=7, reference=[np.float32([2])]),
    *[
        case("ATen", [ROWS], {"operator": "cumsum", "dim": 1}, domain=d, opset=o, reference=[ROWS.cumsum(1)])
        for d, o in (("", 9), ("org.pytorch.aten", 1))
    ],
    case("GlobalLpPool", [ROWS[None, :, :, None]], domain="", opset=13),
    case("MaxRoiPool", [ROWS[None, None], REGION], {"pooled_shape": [1, 2]}, domain="", opset=13),
    case("SequenceConstruct", [ROWS, ROWS], domain="", reference=[]),
    case("SequenceEmpty", [], domain="", reference=[]),
    case("CategoryMapper", [np.array(["a", "b"], object)], {"cats_strings": ["a"], "cats_int64s": [5]}, **ML),
    case("FeatureVectorizer", [ROWS, ROWS], {"inputdimensions": [2, 2]}, **ML),
    case("Imputer", [ROWS], {"imputed_value_floats": [7.0], "replaced_value_float": 2.0}, **ML),
    case("LinearClassifier", [ROWS], {"coefficients": [1.0, 2.0, -1.0, 0.5], "intercepts": [0.1, 0.2],
                                      "classlabels_ints": [3, 4]}, outputs=2, **ML),
    case("LinearRegressor", [ROWS], {"coefficients": [1.0, 2.0], "intercepts": [0.1]}, **ML),
    case("Normalizer", [ROWS], {"norm": "L2"}, **ML),
    case("OneHotEncoder", [np.array([1, 3, 2])], {"cats_int64s": [1, 2, 3]}, **ML),
    case("Scaler", [ROWS], {"offset": [0.5, 1.0], "scale": [2.0, 3.0]}, **ML),
    case("SVMRegressor", [ROWS], VECTORS | {"n_supports": 2, "coefficients": [1.0, -1.0], "rho": [0.1]}, **ML),
    case("SVMClassifier", [ROWS], VECTORS | {"vectors_per_class": [1, 1], "coefficients": [1.0, -1.0], "rho": [0.1],
                                             "classlabels_ints": [3, 4]}, outputs=2, **ML),
    case("TreeEnsembleRegressor", [ROWS], STUMP | {"target_treeids": [0, 0], "target_nodeids": [1, 2], "n_targets": 1,
                                                   "target_ids": [0, 0], "target_weights": [1.0, 2.0]}, **ML),
    case("TreeEnsembleClassifier", [ROWS], STUMP | {"class_treeids": [0, 0], "class_nodeids": [1, 2],
                                                    "class_ids": [0, 1], "class_weights": [1.0, 1.0],
                                                    "classlabels_int64s": [3, 4]}, outputs=2, **ML),
]  # fmt: skip
"""Operators of which onnx ships no case."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m test.operator_coverage", description=__doc__)
    parser.add_argument("--operators", nargs="*", help="only these, as in ai.onnx.Add")
    parser.add_argument("--keras", action="store_true", help="only what they become in Keras; the rest stays")
    parser.add_argument("--results", type=Path, help="append a line for each operator to this file, in this process")
    arguments = parser.parse_args()
    names = arguments.operators or [f"{op.domain}.{op.op_type}" for op in supported_ops()]
    if arguments.results is not None:
        _record(names, arguments.results)
        return
    if arguments.keras:
        page = operator_coverage()
        samples = _samples()
        for name in names:
            page["operators"][name]["keras"] = _best_in_keras(name, samples)
            print(name, page["operators"][name]["keras"], flush=True)
        OPERATOR_COVERAGE.write_text(json.dumps(page, indent=1) + "\n")
        return
    current = {f"{op.domain}.{op.op_type}" for op in supported_ops()}
    kept = {n: o for n, o in operator_coverage()["operators"].items() if n in current} if arguments.operators else {}
    found = kept | _in_processes([name for name in names if name in current])
    page = {"onnx": onnx.__version__, "tensorflow": tf.__version__, "operators": dict(sorted(found.items()))}
    OPERATOR_COVERAGE.write_text(json.dumps(page, indent=1) + "\n")


def _in_processes(names: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while pending := [name for name in names if name not in found]:
        with tempfile.TemporaryDirectory() as folder:
            results = Path(folder) / "results"
            results.touch()
            command = [
                sys.executable,
                "-m",
                "test.operator_coverage",
                "--results",
                str(results),
                "--operators",
                *pending,
            ]
            ended = subprocess.run(command, check=False, capture_output=True, text=True)
            for line in results.read_text().splitlines():
                found |= json.loads(line)
        if ended.returncode > 0:
            raise RuntimeError(ended.stderr[-2000:])
        died = next((name for name in pending if name not in found), None)
        if died is not None:  # by a signal
            found[died] = {"saved_model": True, "litert": [], "select": False, "case": "the converter aborts"}
        print(f"{len(found)} of {len(names)}", flush=True)
    return found


def _record(names: list[str], results: Path) -> None:
    samples = _samples()
    with results.open("a") as file:
        for name in names:
            best: dict[str, Any] = {}
            for label, make in itertools.islice(samples.get(name, iter(())), CASES_PER_OPERATOR):
                outcome = {"case": label} | _outcome(*make())
                best = max(best or outcome, outcome, key=lambda o: (o["saved_model"], len(o["litert"]), o["select"]))
                if len(best["litert"]) == len(SHAPES):
                    break
            if best:
                best["keras"] = _best_in_keras(name, _samples())
                file.write(json.dumps({name: best}) + "\n")
            else:
                file.write(json.dumps({name: {"case": None}}) + "\n")
            file.flush()


def _samples() -> dict[str, Iterator[Sample]]:
    """Return the cases of each operator, the smallest of common dtypes first."""
    found: dict[str, list[tuple[tuple[bool, bool], int, str, Any]]] = {}
    for name, official in load_cases().items():
        if not name.startswith(("node/", "simple/")) or "_expanded" in name:
            continue
        model = model_of(official)
        graph = model.graph
        uncommon = _has_others(graph.input, COMMON), _has_others(graph.output, COMMON_RESULTS)
        for operator in {f"{node.domain or 'ai.onnx'}.{node.op_type}" for node in model.graph.node}:
            found.setdefault(operator, []).append((uncommon, model.ByteSize(), name, official))
    samples: dict[str, Iterator[Sample]] = {
        operator: iter([(name, functools.partial(_official, name, one)) for *_, name, one in sorted(cases, key=_order)])
        for operator, cases in found.items()
    }
    ours: dict[str, list[Sample]] = {}
    for own in [*test_com_microsoft.CASES, *EXTRA]:
        if own.settings.get("through", ("static",))[0] == "static":
            operator = f"{own.domain or 'ai.onnx'}.{own.op_type}"
            ours.setdefault(operator, []).append(("one of our own", functools.partial(_own, own)))
    return {operator: iter(cases) for operator, cases in ours.items()} | samples


def _has_others(values: Iterable[onnx.ValueInfoProto], dtypes: set[int]) -> bool:
    return any(value.type.tensor_type.elem_type not in dtypes for value in values)


def _order(entry: tuple[tuple[bool, bool], int, str, Any]) -> tuple[tuple[bool, bool], int, str]:
    return entry[:3]


def _official(name: str, official: Any) -> tuple[onnx.ModelProto, list[Any], list[Any] | None]:
    model = model_of(official)
    inputs, expected = next(data_sets(official, model))
    return model, inputs, None if name in ledger("random") else expected


def _own(own: Case) -> tuple[onnx.ModelProto, list[Any], list[Any] | None]:
    settings = {k: v for k, v in own.settings.items() if k in ("opset", "outputs", "constants")}
    model = make_op_model(own.op_type, own.inputs, own.attributes, domain=own.domain, **settings)
    constants = own.settings.get("constants", ())
    feed = {f"x{i}": x for i, x in enumerate(own.inputs) if x is not None and i not in constants}
    if own.op_type in RANDOM:
        return model, list(feed.values()), None
    return model, list(feed.values()), list(run_reference(model, feed, own.settings.get("reference", "ort")))


def _outcome(model: onnx.ModelProto, inputs: list[Any], expected: list[Any] | None) -> dict[str, Any]:
    litert = [shapes for shapes, count in SHAPES.items() if _fits_litert(model, inputs, expected, count)]
    select = bool(litert) or _converts(model)
    return {"saved_model": _fits_saved_model(model, inputs, expected), "litert": litert, "select": select}


def _fits_saved_model(model: onnx.ModelProto, inputs: list[Any], expected: list[Any] | None) -> bool:
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(Exception):
        rep = prepare(model)
        rep.export_graph(folder)
        saved, feed = SavedModel(folder, Interface.of(rep)), dict(zip(rep.inputs, inputs, strict=True))
        saved.bind(feed)()
        if expected:
            _assert_equal(dict(zip(rep.outputs, expected, strict=True)), saved.run(feed))
        return True
    return False


def _fits_litert(model: onnx.ModelProto, inputs: list[Any], expected: list[Any] | None, count: int | None) -> bool:
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(Exception):
        names = [value.name for value in model.graph.input]
        feed = dict(zip(names, inputs, strict=True))
        if count != 0:
            model = with_open_dims(model, feed, count)
            feed = {value.name: feed[value.name] for value in model.graph.input}
        done = convert(model, f"{folder}/model.tflite", check=False)
        found = ServedLiteRT(done.path, Interface.of(done.rep)).run(feed)
        if expected:
            _assert_equal(dict(zip(done.rep.outputs, expected, strict=True)), found)
        return True
    return False


def _best_in_keras(name: str, samples: dict[str, Iterator[Sample]]) -> str:
    """Return what an operator becomes at best, one of :data:`FORMS`; nothing without a case."""
    found = []
    for _, make in itertools.islice(samples.get(name, iter(())), CASES_PER_OPERATOR):
        model, inputs, expected = make()
        found += [_in_keras(model, inputs, expected, count) for count in (1, 0)]
    return min(found, key=FORMS.index) if found else ""


FORMS = ("layer", "op", "several", "none")


def _in_keras(model: onnx.ModelProto, inputs: list[Any], expected: list[Any] | None, count: int) -> str:
    """Return what a model becomes in a .keras file whose numbers are right, ``"none"`` where there is none.

    With a ``count`` of 1 the first input is open, and the others are constants, as weights are.
    """
    from onnx_tf.export.keras import build, write_keras

    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(Exception):
        given = dict(zip([value.name for value in model.graph.input], inputs, strict=True))
        rep = build(with_open_dims(model, given, count) if count else model, Options(target=KERAS))
        file = Path(folder) / "model.keras"
        write_keras(rep.model, file)
        tensors = list(rep.interface.flat({name: given[name] for name in rep.inputs}).values())
        loaded = keras.saving.load_model(file, compile=False, safe_mode=True)
        found = loaded(tensors[0] if len(tensors) == 1 else tensors, training=False)
        found = found if isinstance(found, list) else [found]
        if expected:
            whole = rep.interface.whole(dict(zip(rep.outputs, found, strict=True)))
            _assert_equal(dict(zip(rep.outputs, expected, strict=True)), whole)
        kinds = [form.kind for form in rep.forms]
        if kinds and set(kinds) == {"layer"}:
            return "layer"
        return "several" if len(kinds) > 1 else kinds[0] if kinds else "op"
    return "none"


def with_open_dims(model: onnx.ModelProto, feed: dict[str, Any], count: int | None) -> onnx.ModelProto:
    """Return a model whose first tensor with dimensions leaves some open; the other tensors are constants."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph, is_first = result.graph, True
    for value in model.graph.input:
        array = feed[value.name]
        if not isinstance(array, np.ndarray) or not value.type.HasField("tensor_type"):
            continue
        if is_first and array.ndim:
            (own,) = (entry for entry in graph.input if entry.name == value.name)
            for axis, dim in enumerate(own.type.tensor_type.shape.dim[:count]):
                dim.dim_param = f"d{axis}"
            is_first = False
            continue
        graph.initializer.append(onnx.numpy_helper.from_array(array, value.name))
        graph.input.remove(next(entry for entry in graph.input if entry.name == value.name))
    for number, value in enumerate(graph.output):
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            dim.dim_param = f"o{number}_{axis}"
    del graph.value_info[:]
    return result


def _converts(model: onnx.ModelProto) -> bool:
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(Exception):
        convert(model, f"{folder}/model.tflite", allow_flex=True, check=False)
        return True
    return False


def _assert_equal(expected: dict[str, Any], actual: dict[str, Any]) -> None:
    comparison = compare(expected, actual, FAR)
    assert comparison.fits, str(comparison)


if __name__ == "__main__":
    main()
