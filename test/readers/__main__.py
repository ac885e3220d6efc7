"""Write the tables of what readers of .tflite files have, out of their packages: ``python -m test.readers FOLDER``.

The folder gets a virtual environment with tflite-micro and ethos-u-vela (the network).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

TABLES = Path(__file__).parents[2] / "onnx_tf" / "export" / "readers"
PACKAGES = ("tflite-micro", "ethos-u-vela", "flatbuffers")


def main(folder: Path) -> None:
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    script = Path(__file__).with_name("micro_operators.py")
    done = subprocess.run(
        [str(python), str(script), str(folder / "log.txt")], check=True, capture_output=True, text=True
    )
    _write("litert_micro.json", json.loads(done.stdout))
    subprocess.run([str(python.with_name("vela")), "--supported-ops-report"], check=True, cwd=folder)
    _write("ethos_u.json", of_report((folder / "SUPPORTED_OPS.md").read_text(encoding="utf-8")))


def of_report(text: str) -> dict[str, Any]:
    """Return what Vela's report names for Ethos-U55 and U65, its smallest common ground."""
    version = re.search(r"Vela version: `([^`]+)`", text)
    assert version is not None
    section = text.split("## Ethos-U55 and Ethos-U65 TFLite Summary Table")[1].split("\n## ")[0]
    found = re.findall(r"^\| ([A-Z0-9_]+) \|", section, re.MULTILINE)
    return {"source": f"ethos-u-vela {version[1]}", "operators": sorted(set(found))}


def _write(name: str, table: dict[str, Any]) -> None:
    text = json.dumps(table, indent=2)
    short = re.sub(r"\[\s+((?:\"[a-z0-9]+\",?\s*)+)\]", lambda found: f"[{' '.join(found[1].split())}]", text)
    (TABLES / name).write_text(f"{short}\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
