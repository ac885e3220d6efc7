"""Official cases of operators that become several operations, through .keras files; the rest by ``--through keras``."""

from __future__ import annotations

import pytest

from test.onnx_suite.cases import check, load_cases
from test.onnx_suite.runs import through_keras

CASES = """
depthtospace_crd_mode_example dynamicquantizelinear dynamicquantizelinear_max_adjusted gridsample
gridsample_aligncorners_true gridsample_bicubic gridsample_border_padding gridsample_nearest
gridsample_reflection_padding gridsample_volumetric_bilinear_align_corners_0 matmulinteger scatter_elements_with_axis
scatter_elements_with_negative_indices scatternd scatternd_add add_bcast sum_example
""".split()  # noqa: SIM905


@pytest.mark.parametrize("name", CASES)
def test_official_case(name):
    check(load_cases()[f"node/test_{name}"], through_keras)
