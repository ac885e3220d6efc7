"""Run the sources of a folder where nothing but Keras and numpy is: ``python run_sources.py FOLDER``.

Each ``NAME.py`` has its weights in ``NAME.npz``, inputs in ``NAME_inputs.npz`` and what they are to give in
``NAME_outputs.npz``, both in order.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import keras
import numpy as np

TOLERANCE = 1e-4


def arrays(path: Path) -> list[np.ndarray]:
    with np.load(path) as found:
        return [found[f"arr_{i}"] for i in range(len(found.files))]


def error(file: Path) -> float:
    """Return how far the outputs of a source are off, as a share of their scale."""
    source = runpy.run_path(str(file))
    model = source["build_model"]()
    source["load_weights"](model, file.with_suffix(".npz"))
    inputs = arrays(file.with_name(f"{file.stem}_inputs.npz"))
    outputs = model(inputs[0] if len(inputs) == 1 else inputs, training=False)
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    expected = arrays(file.with_name(f"{file.stem}_outputs.npz"))
    found = [np.asarray(keras.ops.convert_to_numpy(output)) for output in outputs]
    assert [y.shape for y in found] == [y.shape for y in expected]
    return max(float(abs(y - z).max() / max(abs(z).max(), 1e-9)) for y, z in zip(found, expected, strict=True))


def main(folder: Path) -> int:
    failed = 0
    for file in sorted(folder.glob("*.py")):
        try:
            off = error(file)
        except Exception as reason:
            off, text = float("inf"), f"{type(reason).__name__}: {reason}"
        else:
            text = f"{off:.1e}"
        failed += not off <= TOLERANCE
        print(f"{file.stem:30s} {'ok' if off <= TOLERANCE else 'FAIL'} {text}", flush=True)
    print(f"keras {keras.__version__} on {keras.backend.backend()}: {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.modules["onnx_tf"] = None  # type: ignore[assignment]
    raise SystemExit(main(Path(sys.argv[1])))
