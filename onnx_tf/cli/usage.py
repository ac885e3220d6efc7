"""The error of a command that is called wrongly."""

from onnx_tf.errors import OnnxTfError


class UsageError(OnnxTfError):
    """The arguments do not fit the model or each other."""

    code = "wrong-usage"
    next_step = "onnx-tf COMMAND --help shows the options"
