"""Passes from IR to IR, one a file; :mod:`onnx_tf.pipeline` says in which order they run. None imports TensorFlow."""
