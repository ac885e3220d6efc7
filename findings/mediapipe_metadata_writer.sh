#!/bin/sh
# mediapipe 1.2.3 carries the writers of metadata for .tflite files, and none of them can be imported: a module in C++ that
# they need is not in its wheels (0.10.21 has it). Seen:
#     ModuleNotFoundError: No module named 'mediapipe.tasks.cc'
# Exits with 0 while this is so.
set -eu
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install -q mediapipe==1.2.3
"$venv/bin/python" - <<'PYTHON'
try:
    from mediapipe.tasks.python.metadata.metadata_writers import image_classifier
except ModuleNotFoundError as error:
    print(f"{type(error).__name__}: {error}")
    raise SystemExit(error.name != "mediapipe.tasks.cc")
raise SystemExit(f"{image_classifier} is imported")
PYTHON
