"""Zoo models with shapes fixed, and cut in two, against ONNX Runtime on the whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from onnx_tf import TensorflowRep, prepare
from onnx_tf.check.artifacts import SavedModel
from onnx_tf.check.compare import compare
from onnx_tf.check.interface import Interface
from onnx_tf.cli import main
from onnx_tf.edits import edited_source
from onnx_tf.model.loading import bodies, load_model
from onnx_tf.options import Options
from test.reference import ort_outputs
from test.zoo.compare import MODELS, manifest, tolerance
from test.zoo.materialize import make_inputs, materialize

ENTRIES = manifest()


def slow(*names: str) -> list[Any]:
    return [pytest.param(name, marks=pytest.mark.slow) for name in names]


OPEN = [
    *("dcgan_generator", "espcn", "gb_regressor", "label_encoder", "linear_regression", "logreg_multi"),
    *("gaussian_process", "silu_mlp_mixer"),
    *slow("adaboost", "bert_cls", "countvec_nb", "llama", "union_kbins_sgd", "wav2vec2_layernorm_dyn"),
]
"""Models that leave dimensions open."""

NOT_INFERRED = {"adaboost"}
"""Models with operators for which ONNX infers no shapes: ensembles of trees."""

HALVES = [
    *("dcgan_generator", "espcn", "logreg_multi", "silu_mlp_mixer"),
    *("gcn_scatter", "pointnet", "scripted_if_loop"),
    *slow("bert_cls", "gaussian_process", "llama", "resnet18", "resnet18_qop", "wav2vec2_layernorm_dyn"),
    *slow("centernet_topk", "fnet", "hifigan_vocoder", "lstm_stateful_forecaster", "moe_tabular"),
    *slow("seq2seq_attention", "vad_stft_state", "vqvae"),
]
"""Models to cut in two, ten of open dimensions and ten of fixed ones."""


def check(entry: Mapping[str, Any], expected: Mapping[str, Any], actual: Mapping[str, Any]) -> None:
    for difference in compare(expected, actual, tolerance(entry)).outputs:
        assert difference.fits, difference


def serve(rep: TensorflowRep, path: Path, feed: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a model gives as a SavedModel."""
    rep.export_graph(path)
    return SavedModel(path, Interface.of(rep)).run(feed)


def of_two(entry: Mapping[str, Any]) -> dict[str, list[int]]:
    """Return the shapes of a batch of two."""
    return {value["name"]: [2, *value["shape"][1:]] for value in entry["inputs"]}


@pytest.mark.parametrize("name", OPEN)
def test_fixed_shapes_give_the_same(name, tmp_path):
    entry, model = ENTRIES[name], materialize(MODELS / f"{name}.onnx")
    shapes = of_two(entry)
    feed = make_inputs(entry["inputs"], shapes=shapes)
    expected = ort_outputs(model, feed)
    rep = prepare(model, batch_size=2)
    assert all(spec.shape[0] == 2 for spec in rep.signatures["serving_default"].structured_input_signature[0])
    check(entry, expected, rep.run(feed)._asdict())
    rep = prepare(model, input_shapes=shapes)
    for spec in rep.signatures["serving_default"].structured_input_signature[0]:
        assert spec.shape.is_fully_defined()
    left = {node.context.op_type for node in rep.tf_module.graph.all_nodes()}
    assert name in NOT_INFERRED or not left & {"Shape", "Size"}
    check(entry, expected, serve(rep, tmp_path / "fixed", feed))
    check(entry, expected, ort_outputs(edited_source(model, Options.of(input_shapes=shapes)), feed))


def halves(model: ir.Model) -> tuple[list[str], list[str]]:
    """Return the names of what the first half of a model hands on, and of what the second takes besides."""
    computed = {value for value in model.graph.inputs if value.const_value is None}
    nodes = list(model.graph)
    for node in nodes:
        if not computed.isdisjoint(reads(node)):
            computed.update(node.outputs)
    first, second = nodes[: len(nodes) // 2], nodes[len(nodes) // 2 :]
    needed = {value for node in second for value in reads(node)} | set(model.graph.outputs)
    handed = [str(v.name) for node in first for v in node.outputs if v in needed and v in computed]
    return handed, [str(v.name) for v in model.graph.inputs if v.const_value is None and v in needed]


def reads(node: ir.Node) -> Iterator[ir.Value]:
    yield from (value for value in node.inputs if value is not None)
    for body in bodies(node):
        for inner in body:
            yield from reads(inner)


@pytest.mark.parametrize("name", HALVES)
def test_two_halves_equal_the_whole(name, tmp_path):
    entry, model = ENTRIES[name], materialize(MODELS / f"{name}.onnx")
    feed = make_inputs(entry["inputs"])
    expected = ort_outputs(model, feed)
    handed, besides = halves(load_model(model))
    first = prepare(model, output_names=handed)
    second = prepare(model, input_names=[*handed, *besides], output_names=list(expected))
    assert set(first.inputs) | set(besides) == feed.keys()
    middle = first.run({key: feed[key] for key in first.inputs})._asdict()
    check(entry, expected, second.run({key: {**feed, **middle}[key] for key in second.inputs})._asdict())
    source = edited_source(model, Options.of(output_names=handed))
    check(entry, ort_outputs(source, {key: feed[key] for key in first.inputs}), middle)
    middle = serve(first, tmp_path / "first", {key: feed[key] for key in first.inputs})
    check(entry, expected, serve(second, tmp_path / "second", {key: {**feed, **middle}[key] for key in second.inputs}))


ON_THE_COMMAND_LINE = [
    *("espcn", "logreg_multi"),
    *slow("dcgan_generator", "gaussian_process", "gb_regressor", "linear_regression", "silu_mlp_mixer"),
    *slow("bert_cls", "llama", "wav2vec2_layernorm_dyn"),
]


@pytest.mark.parametrize("name", ON_THE_COMMAND_LINE)
def test_fixed_shapes_on_the_command_line(name, tmp_path, capsys):
    entry, path = ENTRIES[name], str(tmp_path / "model.onnx")
    onnx.save(materialize(MODELS / f"{name}.onnx"), path)
    given = saved(tmp_path, make_inputs(entry["inputs"], shapes=of_two(entry)))
    assert main(["convert", path, "-o", str(tmp_path / "batch"), "--batch-size", "2", "--check", *given]) == 0
    fixed = [f"--input-shape={key}:{','.join(map(str, shape))}" for key, shape in of_two(entry).items()]
    assert main(["convert", path, "-o", str(tmp_path / "fixed"), *fixed, "--check", *given]) == 0
    assert "DIFFERS" not in capsys.readouterr().out


CUT_ON_THE_COMMAND_LINE = [
    *("espcn", "scripted_if_loop"),
    *slow("dcgan_generator", "gcn_scatter", "silu_mlp_mixer", "moe_tabular", "pointnet", "vqvae"),
    *slow("fnet", "hifigan_vocoder", "resnet18"),
]


@pytest.mark.parametrize("name", CUT_ON_THE_COMMAND_LINE)
def test_two_halves_on_the_command_line(name, tmp_path):
    entry, path = ENTRIES[name], str(tmp_path / "model.onnx")
    model = materialize(MODELS / f"{name}.onnx")
    onnx.save(model, path)
    feed = make_inputs(entry["inputs"])
    expected = ort_outputs(model, feed)
    handed, besides = halves(load_model(model))
    middle, end = str(tmp_path / "middle.npz"), str(tmp_path / "end.npz")
    assert main(["run", path, "--output-names", ",".join(handed), *saved(tmp_path, feed), "--output", middle]) == 0
    names = ["--input-names", ",".join([*handed, *besides]), "--output-names", ",".join(expected)]
    given = saved(tmp_path, {key: feed[key] for key in besides})
    assert main(["run", path, *names, "--input", middle, *given, "--output", end]) == 0
    with np.load(end) as results:
        check(entry, expected, dict(results))


def saved(folder: Path, feed: Mapping[str, np.ndarray]) -> list[str]:
    """Return the arguments that give inputs, which are saved in a folder."""
    arguments = []
    for index, (name, array) in enumerate(feed.items()):
        np.save(folder / f"{index}.npy", array)
        arguments += ["--input", f"{name}={folder / f'{index}.npy'}"]
    return arguments
