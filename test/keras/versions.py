"""Ten sources on Keras 3.8 and the newest, each in an environment of its own: ``python -m test.keras.versions``."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from test.keras.sources import write_sources

ENVIRONMENTS = {
    "keras==3.8.*": {"jax": "jax[cpu]"},
    "keras": {"jax": "jax[cpu]", "torch": "torch"},
}
"""What is installed, and by backend what that needs; TensorFlow's runs in the tests."""


def main() -> int:
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        sources = Path(folder) / "sources"
        sources.mkdir()
        write_sources(sources)
        for number, (requirement, backends) in enumerate(ENVIRONMENTS.items()):
            place = Path(folder) / str(number)
            venv.create(place, with_pip=True)
            python = place / ("Scripts" if sys.platform == "win32" else "bin") / "python"
            install = [str(python), "-m", "pip", "install", "--quiet", requirement, *backends.values()]
            subprocess.run(install, check=True)
            script = str(Path(__file__).with_name("run_sources.py"))
            for backend in backends:
                environment = os.environ | {"KERAS_BACKEND": backend}
                failed += bool(subprocess.run([str(python), script, str(sources)], env=environment).returncode)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
