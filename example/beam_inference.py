# /// script
# dependencies = ["onnx-tf", "apache-beam"]
# ///
"""Run a converted model over a folder of .npy files with Apache Beam's RunInference.

Run it with ``python example/beam_inference.py``, here on Beam's own runner; ``--runner FlinkRunner ...`` and the
options of other runners go to the pipeline as they are. Prints how many files a second one plain process computes, and
the pipeline.
"""

import argparse
import tempfile
import time
from pathlib import Path

import apache_beam as beam
import numpy as np
import onnx
from apache_beam.ml.inference.base import KeyedModelHandler, ModelHandler, RunInference
from apache_beam.options.pipeline_options import PipelineOptions


class SavedModelHandler(ModelHandler):
    """Load a SavedModel once a worker, and compute a batch of arrays by one call of its signature."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def load_model(self):
        """Return the SavedModel, which the threads of a worker share."""
        import tensorflow as tf

        return tf.saved_model.load(self.path)

    def run_inference(self, batch, model, *_, **__):
        """Return a row of scores for each array."""
        import tensorflow as tf

        return list(model.signatures["serving_default"](tf.constant(np.stack(batch)))["scores"].numpy())


def small_network():
    rng = np.random.default_rng(0)
    model = onnx.parser.parse_model("""
    <ir_version: 8, opset_import: ["": 17]>
    network (float[batch, 3, 64, 64] image) => (float[batch, 10] scores) {
        c = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (image, filter)
        r = Relu(c)
        d = Conv <pads = [1, 1, 1, 1]> (r, second)
        s = Relu(d)
        p = GlobalAveragePool(s)
        f = Flatten(p)
        m = MatMul(f, matrix)
        scores = Softmax(m)
    }
    """)
    for name, shape in {"filter": (32, 3, 3, 3), "second": (64, 32, 3, 3), "matrix": (64, 10)}.items():
        array = rng.normal(0, 0.2, shape).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    return model


def written_scores(element, folder):
    name, scores = element
    np.save(Path(folder) / name, scores.inference if hasattr(scores, "inference") else scores)


def run_pipeline(inputs, saved_model, outputs, options):
    with beam.Pipeline(options=options) as pipeline:
        (
            pipeline
            | "names" >> beam.Create(sorted(str(path) for path in Path(inputs).glob("*.npy")))
            | "spread" >> beam.Reshuffle()
            | "read" >> beam.Map(lambda path: (Path(path).name, np.load(path)))
            | "infer" >> RunInference(KeyedModelHandler(SavedModelHandler(saved_model)))
            | "write" >> beam.Map(written_scores, outputs)
        )


def run_alone(inputs, saved_model):
    handler = SavedModelHandler(saved_model)
    model = handler.load_model()
    paths = sorted(Path(inputs).glob("*.npy"))
    return {path.name: handler.run_inference([np.load(path)], model)[0] for path in paths}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200, help="how many random images are made and computed")
    arguments, rest = parser.parse_known_args()
    folder = Path(tempfile.mkdtemp())
    for name in ("inputs", "outputs"):
        (folder / name).mkdir()
    rng = np.random.default_rng(1)
    for index in range(arguments.files):
        np.save(folder / "inputs" / f"{index:05d}.npy", rng.uniform(size=(3, 64, 64)).astype(np.float32))

    from onnx_tf import prepare

    saved_model = str(folder / "saved_model")
    prepare(small_network()).export_graph(saved_model)

    begun = time.perf_counter()
    alone = run_alone(folder / "inputs", saved_model)
    print(f"one process: {len(alone) / (time.perf_counter() - begun):.0f} files a second")
    begun = time.perf_counter()
    run_pipeline(folder / "inputs", saved_model, folder / "outputs", PipelineOptions(rest))
    print(f"pipeline:    {arguments.files / (time.perf_counter() - begun):.0f} files a second, its start included")
    for name, scores in alone.items():
        np.testing.assert_allclose(np.load(folder / "outputs" / name), scores, rtol=1e-4, atol=1e-6)
    print(f"{len(alone)} files have the same scores both ways: {folder / 'outputs'}")


if __name__ == "__main__":
    main()
