# /// script
# requires-python = ">=3.10"
# dependencies = ["ethos-u-vela"]
# [tool.consumer]
# title = "Vela, for Ethos-U"
# artefacts = ["int8"]
# told = ["ethos-u-vela"]
# how = '''
# `vela model.tflite --accelerator-config ethos-u55-256`; what it makes runs on a device alone
# '''
# ///
"""Vela compiles a .tflite file of integers for Arm's NPUs, and tells what stays on the CPU."""

from __future__ import annotations

import collections
import re
import subprocess
import sys
from pathlib import Path

from test.consumers.readers.reading import Job, read

COUNT = re.compile(r"^(CPU|NPU) operators = (\d+) \(([\d.]+)%\)", re.MULTILINE)
STAYS = re.compile(r"^Warning \(supported operators\) operator: (\w+), ofm: .*\nReason: (.*)$", re.MULTILINE)


def outputs(job: Job) -> None:
    vela = Path(sys.executable).with_name("vela")
    command = [str(vela), str(job.artefact), "--output-dir", str(job.folder), "--accelerator-config", "ethos-u55-256"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    counts = {where: (int(count), share) for where, count, share in COUNT.findall(said)}
    if done.returncode or not counts:
        raise RuntimeError(said.strip().splitlines()[-1])
    job.notes.append(f"{counts['NPU'][1]} % of {sum(count for count, _ in counts.values())} operators on the NPU")
    staying = collections.Counter(f"{name} ({reason.strip(' .')})" for name, reason in STAYS.findall(said))
    if staying:
        job.notes.append("on the CPU " + ", ".join(f"{count} {name}" for name, count in sorted(staying.items())))


if __name__ == "__main__":
    read(outputs)
