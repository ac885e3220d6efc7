"""Keep TensorFlow's log off the screen of the tests."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
