# /// script
# dependencies = ["onnx-tf", "pyspark", "pandas", "pyarrow"]
# ///
"""Run a converted model over a Spark data frame by a pandas UDF that loads the model once a worker.

Run it with ``python example/spark_inference.py``; it needs Java. Spark runs on this machine, ``--master`` names
another. Prints how many rows a second one plain process computes, and Spark.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator

import numpy as np
import onnx
import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql.functions import pandas_udf

FEATURES, CLASSES = 256, 8


def scores_of(saved_model):
    """Return the UDF of a SavedModel, whose folder all workers can read."""

    @pandas_udf("array<float>")
    def scores(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        import tensorflow as tf

        loaded = tf.saved_model.load(saved_model)  # once a worker, not once a batch
        for batch in batches:
            features = tf.constant(np.stack(batch.to_numpy()).astype(np.float32))
            yield pd.Series(list(loaded.signatures["serving_default"](features)["scores"].numpy()))

    return scores


def small_network():
    rng = np.random.default_rng(0)
    model = onnx.parser.parse_model(f"""
    <ir_version: 8, opset_import: ["": 17]>
    network (float[batch, {FEATURES}] features) => (float[batch, {CLASSES}] scores) {{
        h = MatMul(features, w1)
        r = Relu(h)
        m = MatMul(r, w2)
        scores = Softmax(m)
    }}
    """)
    for name, shape in {"w1": (FEATURES, 512), "w2": (512, CLASSES)}.items():
        array = rng.normal(0, 0.1, shape).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000, help="how many random rows are computed")
    parser.add_argument("--master", default="local[2]", help="where Spark runs")
    arguments = parser.parse_args()
    from onnx_tf import prepare

    saved_model = tempfile.mkdtemp()
    prepare(small_network()).export_graph(saved_model)
    features = np.random.default_rng(1).normal(size=(arguments.rows, FEATURES)).astype(np.float32)

    import tensorflow as tf

    begun = time.perf_counter()
    signature = tf.saved_model.load(saved_model).signatures["serving_default"]
    size = 10_000
    parts = [signature(tf.constant(features[i : i + size]))["scores"] for i in range(0, len(features), size)]
    alone = np.concatenate(parts)
    print(f"one process: {len(alone) / (time.perf_counter() - begun):.0f} rows a second")

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    session = SparkSession.builder.master(arguments.master).getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    rows = pd.DataFrame({"id": range(len(features)), "features": list(features)})
    frame = session.createDataFrame(rows, "id long, features array<float>").repartition(2).cache()
    frame.count()
    begun = time.perf_counter()
    found = frame.select("id", scores_of(saved_model)("features").alias("scores")).toPandas().sort_values("id")
    print(f"Spark:       {len(found) / (time.perf_counter() - begun):.0f} rows a second, its workers' start included")
    np.testing.assert_allclose(np.stack(found["scores"].to_numpy()), alone, rtol=1e-4, atol=1e-6)
    print(f"{len(found)} rows have the same scores both ways")
    session.stop()


if __name__ == "__main__":
    main()
