#!/bin/sh
# TensorFlow 2.21.0 and Keras 3.15.1.
#
# In a tf.function, and so in Keras's predict, constants of a chain of sums or of products are merged into one,
# whatever rounds or overflows between them: (x + 1e8) - 1e8 becomes x + 0, and (x * 1e30) * 1e30 becomes x * inf,
# which is NaN at 0. Called op by op the numbers are those of float32. Seen:
#     (x + 1e8) - 1e8    called [0. 0. 0.]    traced [0. 1. 2.5]    predict [0. 1. 2.5]
#     (x * 1e30) * 1e30  called [0. inf inf]  traced [nan inf inf]  predict [nan inf inf]
# Exits with 0 while this is so.
set -eu
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install -q tensorflow==2.21.0 keras==3.15.1
TF_CPP_MIN_LOG_LEVEL=3 "$venv/bin/python" - <<'PYTHON'
import keras
import numpy as np
import tensorflow as tf

x = np.array([0, 1, 2.5], np.float32)
chains = {
    "(x + 1e8) - 1e8": (lambda x: (x + 1e8) - 1e8, [0, 1, 2.5]),
    "(x * 1e30) * 1e30": (lambda x: (x * 1e30) * 1e30, [np.nan, np.inf, np.inf]),
}
so = True
for text, (chain, merged) in chains.items():
    given = keras.Input((3,))
    model = keras.Model(given, chain(given))
    called = chain(tf.constant(x)).numpy()
    traced = tf.function(chain, autograph=False)(tf.constant(x)).numpy()
    predicted = model.predict_on_batch(x[None])[0]
    print(text, "called", called, "traced", traced, "predict", predicted)
    so &= np.array_equal(traced, merged, True) and np.array_equal(predicted, merged, True)
    so &= not np.array_equal(called, merged, True) and not np.isnan(called).any()
raise SystemExit(not so)
PYTHON
