"""Which operators the sweeps over ranks, sizes and values leave out."""

from __future__ import annotations

from onnx_tf.supported_ops import supported_ops
from test.handlers import table_any_rank, table_fixed, table_images, table_microsoft  # noqa: F401
from test.handlers.table import FIXED, MORE, ROWS

WITHOUT = {
    "they have no data, or draw it": """
        BlackmanWindow HammingWindow HannWindow Constant ConstantFill DynamicSlice GivenTensorFill MelWeightMatrix Range
        Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike com.microsoft.Range
    """,
    "their data are no tensors, text or encoded": """
        ConcatFromSequence Optional OptionalGetElement OptionalHasElement SequenceAt SequenceEmpty SequenceErase
        SequenceInsert SequenceLength SequenceMap StringNormalizer TfIdfVectorizer ImageDecoder ai.onnx.ml.CastMap
        ai.onnx.ml.CategoryMapper ai.onnx.ml.DictVectorizer ai.onnx.ml.OneHotEncoder ai.onnx.ml.ZipMap
        com.microsoft.Tokenizer com.microsoft.NGramRepeatBlock
    """,
    "they only run other operators": "If Loop Scan ATen org.pytorch.aten.ATen",
    "no reference runs them in the opset of the tables, on the CPU or at all": """
        CausalConvWithState LinearAttention SwiGLU ScaleAndTranslate ai.onnx.converters.tensorflow.ScaleAndTranslate
        com.microsoft.ScaleAndTranslate ai.onnx.preview.FlexAttention ai.onnx.ml.TreeEnsemble com.microsoft.BiasAdd
        com.microsoft.BiasSoftmax com.microsoft.BiasSplitGelu com.microsoft.FusedMatMulActivation
        com.microsoft.GemmFastGelu com.microsoft.GroupNorm com.microsoft.NhwcConv com.microsoft.NhwcFusedConv
        com.microsoft.QLinearReduceMean com.microsoft.SkipGroupNorm ai.onnx.preview.training.Adagrad
        ai.onnx.preview.training.Adam ai.onnx.preview.training.Gradient ai.onnx.preview.training.Momentum
    """,
}
"""Operators of which the tables have no row, by cause."""


def test_every_operator_has_a_row_or_a_cause():
    known = {op.op_type if op.domain in ("", "ai.onnx") else f"{op.domain}.{op.op_type}" for op in supported_ops()}
    rows = {name.split()[0] for name in ROWS | MORE | FIXED}
    assert known - rows == {name for names in WITHOUT.values() for name in names.split()}
