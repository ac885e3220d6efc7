"""What the layout report promises holds in the file: LiteRT is given no Transpose that the report does not name.

It does not hold for Softmax of an axis that is not the last, which LiteRT has not: TensorFlow itself puts a Transpose
before it and one behind, as in raft_flow, where that makes 6 of 5.
"""

from __future__ import annotations

import pytest

from onnx_tf import TensorflowRep
from onnx_tf.export.flatbuffer import operators
from onnx_tf.export.tflite import tflite_files
from onnx_tf.options import Options
from onnx_tf.pipeline import lower
from onnx_tf.targets import LITERT
from test.zoo.compare import MODELS
from test.zoo.materialize import materialize

NETWORKS = ["dcgan_generator", "lednet_cityscapes", "nvpattexp116bazel76", "pointnet", "vqvae"]


@pytest.mark.parametrize("name", NETWORKS)
def test_no_more_transposes_than_the_report_says(name):
    rep = TensorflowRep(lower(materialize(MODELS / f"{name}.onnx"), Options(target=LITERT)))
    ((_, content),) = tflite_files(rep.tf_module)
    assert operators(content)["TRANSPOSE"] <= len(rep.layout_report.transposes)
    assert rep.layout_report.channels_last_nodes
