"""``python -m onnx_tf``: the command line."""

from onnx_tf.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
