"""What all tests share: TensorFlow's log stays off the screen, and its kernels are the same on every processor."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# By default the processor decides; test_onednn.py has the others.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
