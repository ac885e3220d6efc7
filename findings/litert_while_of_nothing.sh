#!/usr/bin/env bash
# LiteRT: a WHILE whose loop variable begins as a constant of no elements fails to invoke.
#
# A loop that collects numbers begins with an empty vector and concatenates one in each step. TensorFlow runs it, and
# its converter writes it; the interpreter allocates tensors and then fails in invoke, with and without the XNNPACK
# delegate. The same loop that begins with one number, which is cut off afterwards, runs.
#
# Seen with tensorflow 2.21.0 and ai-edge-litert 2.3.0 (Linux, x86-64, Python 3.11):
#   from nothing: Node number 0 (WHILE) failed to invoke.
#   from one number: [5, 10, 15]
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet tensorflow==2.21.0 ai-edge-litert==2.3.0

TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter, OpResolverType

PLAIN = {"experimental_op_resolver_type": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES}


def collected(start, options):
    @tf.function(input_signature=[tf.TensorSpec([], tf.int32)] * 2, autograph=False)
    def collect(count, step):
        def body(i, found, number):
            return i + 1, tf.concat([found, [number]], 0), number + step

        invariants = [tf.TensorShape([]), tf.TensorShape([None]), tf.TensorShape([])]
        loop = tf.while_loop(lambda i, *_: i < count, body, [0, tf.zeros([start], tf.int32), step], invariants)
        return loop[1][start:]

    content = tf.lite.TFLiteConverter.from_concrete_functions([collect.get_concrete_function()]).convert()
    interpreter = Interpreter(model_content=content, **options)
    interpreter.allocate_tensors()
    for detail, value in zip(interpreter.get_input_details(), (3, 5)):
        interpreter.set_tensor(detail["index"], np.int32(value))
    try:
        interpreter.invoke()
    except RuntimeError as error:
        return str(error)
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).tolist()


for options in ({}, PLAIN):
    nothing, number = collected(0, options), collected(1, options)
    print(f"from nothing: {nothing}\nfrom one number: {number}")
    assert number == [5, 10, 15], number
    assert "failed to invoke" in nothing, nothing
PYTHON
