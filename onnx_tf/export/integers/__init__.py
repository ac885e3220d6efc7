"""Quantised .tflite files with the integers of the model, in reading order.

``marks`` carry quantisations through TensorFlow's converter, ``pairs`` makes QUANTIZE and DEQUANTIZE of them,
``constants`` and ``additions`` prepare weights and biases, ``moves`` lets what only moves numbers work on integers,
``layers`` and ``kernels`` compute between a pair with integer kernels, and ``file`` does all of it, and says what stays
in floats. ``export/file_graph.py`` is what they edit.
"""
