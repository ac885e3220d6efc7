"""The options that say what a conversion writes: of ``convert``, and of ``plan``, which says what it would do."""

from __future__ import annotations

import argparse

from onnx_tf.cli.model_options import names

__all__ = ["add_writing"]


def add_writing(parser: argparse.ArgumentParser) -> None:
    """Add formats, and what changes them."""
    parser.add_argument("--formats", type=names, metavar="FORMAT,...", help="write saved_model, tflite, keras, ...")
    parser.add_argument(
        "--tflite",
        type=names,
        metavar="KIND,...",
        help="kinds of .tflite files: float32, float16, dynamic_range_quant; integer_quant, of quantised models or by "
        "--data; by --data full_integer_quant, integer_quant_with_int16_act, full_integer_quant_with_int16_act",
    )
    _add_signatures(parser)
    group = parser.add_argument_group(".tflite files")
    for option, what in (("--allow-flex", "TensorFlow's operators"), ("--allow-custom-ops", "custom operators")):
        group.add_argument(option, action="store_true", help=f"write {what} into .tflite files where LiteRT has none")
    group.add_argument(
        "--float16-accumulation",
        action="store_true",
        help="let float16 files say that GPUs may add up in float16: faster there, and less exact",
    )
    group.add_argument(
        "--int64-as-int32",
        action="store_true",
        help="let .tflite files compute 64-bit integers in 32 bits where that is fewer operators; numbers must fit",
    )
    group.add_argument(
        "--nms",
        choices=("model", "padded"),
        default="model",
        help="padded: as many rows of boxes in .tflite files as there can be, and one more output with their number",
    )
    group.add_argument(
        "--target",
        default="litert",
        metavar="TARGET",
        help="what .tflite files are for: litert (default), litert-gpu, litert-micro, litert-js or ethos-u",
    )
    group.add_argument(
        "--dequantize",
        action="store_true",
        help="write quantised models in floats; without it their .tflite files compute with the model's own integers",
    )


def _add_signatures(parser: argparse.ArgumentParser) -> None:
    """Add what a SavedModel holds."""
    parser.add_argument(
        "--freeze",
        nargs="?",
        const=True,
        default=False,
        metavar="both",
        help="bake a SavedModel's weights into it as constants; 'both': those of serving_default, not those of train",
    )
    parser.add_argument(
        "--signatures",
        action="append",
        type=names,
        default=[],
        metavar="NAME,...",
        help="what a SavedModel has besides serving_default: train, with gradients; intermediate, values inside",
    )
    parser.add_argument(
        "--intermediate-names",
        action="append",
        type=names,
        default=[],
        metavar="NAME,...",
        help="the values that the signature intermediate gives (default: all)",
    )
