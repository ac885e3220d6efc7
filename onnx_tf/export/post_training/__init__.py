"""Files of floats made files of integers by data: TensorFlow's calibration and quantiser, and what they need.

``files`` starts ``process``, which calibrates (``calibrating``), puts finite numbers for infinite ones (``finite``),
quantises (``sixteen_bits`` for 16-bit activations), lets operators stay in floats (``kept``) and reads what has become
of them (``floats``).
"""
