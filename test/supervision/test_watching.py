"""A process is watched: how it ends is told in a line, and what it leaves is settled."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from onnx_tf import CrashError, OptionError, ProcessLimitError
from onnx_tf.cli import main, supervisor
from onnx_tf.supervision import process_tree
from onnx_tf.supervision.limits import Limits, memory_size
from onnx_tf.supervision.watching import Watched
from test.cli.test_cli import ROOT
from test.models import relu_model

RUN = "import os, signal, sys, time\nfrom onnx_tf.supervision.child import supervised\n"
TELL = "from onnx_tf.supervision.journal import tell\n"
CRASH = RUN + TELL + "def run():\n    tell('progress', 'Writing x')\n    {}\nsupervised(run)"
NO_LIMITS = Limits()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.onnx").write_bytes(relu_model().SerializeToString())
    return tmp_path


@pytest.mark.parametrize("code", [0, 1, 2, 130])
def test_exit_codes_are_those_that_it_meant(code):
    assert Watched("it", f"{RUN}supervised(lambda: {code})", []).wait(NO_LIMITS) == code


def test_arguments_and_exits_of_its_own(capfd):
    assert Watched("it", f"{RUN}supervised(lambda: print(sys.argv[1:]) or 0)", ["a", "ü b"]).wait(NO_LIMITS) == 0
    assert Watched("it", f"{RUN}supervised(lambda: sys.exit('a text'))", []).wait(NO_LIMITS) == 1
    assert Watched("it", f"{RUN}supervised(lambda: 1 / 0)", []).wait(NO_LIMITS) == 1
    printed = capfd.readouterr()
    assert printed.out == "['a', 'ü b']\n"
    assert "a text" in printed.err
    assert "ZeroDivisionError" in printed.err


CRASHES = {
    "os.kill(os.getpid(), signal.SIGSEGV)": "ended inside a library (SIGSEGV) while it was writing x: nothing is writ",
    "os.kill(os.getpid(), signal.SIGKILL)": "from outside (SIGKILL), most often because the system has too little me",
    "os._exit(0)": "ended inside a library (exit code 0)",
    "os._exit(77)": "ended inside a library (exit code 77)",
}


@pytest.mark.parametrize("crash", CRASHES)
def test_a_crash_is_an_error(crash):
    with pytest.raises(CrashError) as caught:
        Watched("it", CRASH.format(crash), []).wait(NO_LIMITS)
    assert CRASHES[crash] in str(caught.value)


def test_a_crash_after_the_work_is_done_changes_nothing():
    code = "import atexit, os, signal\natexit.register(lambda: os.kill(os.getpid(), signal.SIGSEGV))\n"
    assert Watched("it", f"{RUN}{code}supervised(lambda: 0)", []).wait(NO_LIMITS) == 0


def test_what_a_crash_leaves_goes_away(folder):
    code = """
from pathlib import Path
import tempfile
from onnx_tf.export.writing import written_file, written_whole
def run():
    with written_whole(Path("new/folder")) as folder, written_file(Path("file")) as file:
        (folder / "part").write_text("half")
        print(tempfile.mkdtemp(), flush=True)
        with written_file(Path("before")):
            pass
        os.kill(os.getpid(), signal.SIGKILL)
supervised(run)
"""
    with pytest.raises(CrashError, match=r"only .*before is written"):
        Watched("it", RUN + code, []).wait(NO_LIMITS)
    assert sorted(os.listdir(folder)) == ["before", "model.onnx"]


def test_its_temporary_files_go_away(capfd):
    code = "import tempfile\nsupervised(lambda: print(tempfile.mkdtemp(), flush=True) or {})"
    for end in ("0", "os.kill(os.getpid(), signal.SIGKILL)"):
        watched = Watched("it", RUN + code.format(end), [])
        if end == "0":
            watched.wait(NO_LIMITS)
        else:
            with pytest.raises(CrashError):
                watched.wait(NO_LIMITS)
        made = Path(capfd.readouterr().out.strip())
        assert made.parent.name.startswith("onnx-tf-")
        assert not made.parent.exists()


GRANDCHILD = "import subprocess\nchild = subprocess.Popen([sys.executable, '-c', {!r}], stdout=subprocess.PIPE)\n"
HOLD = "import time; held = bytes(range(256)) * 400_000; print(1, flush=True); time.sleep(600)"


def test_memory_is_that_of_all_that_it_starts():
    code = GRANDCHILD.format(HOLD) + "supervised(lambda: print(child.pid, flush=True) or time.sleep(600) or 0)"
    with pytest.raises(ProcessLimitError, match=r"took 1\d\d.\d MB of memory, max_memory allows 100.0 MB") as caught:
        Watched("it", RUN + code, []).wait(Limits(memory=100_000_000))
    assert "nothing is written; give it more memory, or leave out max_memory" in str(caught.value)
    assert "--max-memory allows" in caught.value.for_command_line()


def test_time_is_limited_and_all_that_it_started_ends(capfd):
    code = GRANDCHILD.format(HOLD) + "print(child.pid, flush=True)\nsupervised(lambda: time.sleep(600) or 0)"
    with pytest.raises(ProcessLimitError, match=r"took longer than timeout allows \(2 s\)"):
        Watched("it", RUN + code, []).wait(Limits(seconds=2))
    pid = int(capfd.readouterr().out)
    assert is_gone(pid)


def is_gone(pid: int) -> bool:
    """Return whether a process ends soon."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.1)
    return False


def test_both_ways_to_measure_agree(monkeypatch):
    of_linux = process_tree.resident(os.getpid())
    monkeypatch.setattr(process_tree, "_PROC", Path("none"))
    assert process_tree.can_measure()
    assert process_tree.resident(os.getpid()) == pytest.approx(of_linux, rel=0.2)
    monkeypatch.setenv("PATH", "")
    assert not process_tree.can_measure()
    with pytest.raises(OptionError, match="this system does not tell what memory processes hold"):
        Limits.of("1G", None)
    assert Limits.of(None, 3).seconds == 3


@pytest.mark.parametrize(
    ("text", "size"),
    [("4G", 4e9), ("1.5 GB", 1.5e9), ("512MiB", 512 << 20), ("2kb", 2000), ("10", 10), (".5t", 5e11)],
)
def test_sizes(text, size):
    assert memory_size(text) == size


@pytest.mark.parametrize("limits", [("4X", None), ("-1G", None), (0, None), (None, 0), (None, float("nan"))])
def test_what_is_no_limit(limits):
    with pytest.raises(OptionError):
        Limits.of(*limits)


class TestCommandLine:
    def test_a_command_that_takes_too_much(self, capfd):
        assert main(["convert", "model.onnx", "-o", "out", "--max-memory", "50M", "--json"]) == 1
        printed = capfd.readouterr()
        assert printed.err.startswith("onnx-tf: convert took ")
        assert printed.err.count("\n") == 1
        error = json.loads(printed.out)["error"]
        assert error["type"] == "ProcessLimitError"
        assert "--max-memory allows 50.0 MB" in error["message"]
        assert os.listdir() == ["model.onnx"]

    def test_a_library_that_dies(self, capfd, monkeypatch):
        monkeypatch.setattr(supervisor, "_WORK", CRASH.format("os.kill(os.getpid(), signal.SIGABRT)"))
        assert main(["convert", "model.onnx", "-o", "out", "--timeout", "60", "--json"]) == 1
        printed = capfd.readouterr()
        assert printed.err == (
            "onnx-tf: convert ended inside a library (SIGABRT) while it was writing x: nothing is written; --verbose "
            "shows what the library writes\n"
        )
        assert json.loads(printed.out)["error"]["type"] == "CrashError"

    @pytest.mark.parametrize("option", [["--max-memory", "4X"], ["--timeout", "soon"]])
    def test_wrong_usage(self, option, capsys):
        with pytest.raises(SystemExit) as end:
            main(["info", "model.onnx", *option])
        assert end.value.code == 2
        assert main(["info", "model.onnx", "--timeout", "0"]) == 2
        assert "--timeout must be a positive number of seconds" in capsys.readouterr().err

    def test_results_are_those_of_the_process(self):
        np.save("x.npy", np.array([[-1, 0, 2]], np.float32))
        with onnx_tf("run", "model.onnx", "--input", "x.npy") as process:
            assert process.communicate() == ("y: float32[1, 3]\n[[0. 0. 2.]]\n", "")
        with onnx_tf("info", "none.onnx") as process:
            assert process.communicate()[1].startswith("onnx-tf: none.onnx does not exist")
        assert process.returncode == 2

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
    def test_a_signal_ends_both(self, number, folder):
        with onnx_tf("convert", "model.onnx", "-o", "out") as process:
            child = the_child_of(process)
            process.send_signal(number)
            assert process.wait(60) == -number
        assert is_gone(child)
        assert os.listdir(folder) == ["model.onnx"]

    def test_a_process_that_is_killed_from_outside_is_a_line(self, folder):
        with onnx_tf("convert", "model.onnx", "-o", "out") as process:
            os.kill(the_child_of(process), signal.SIGKILL)
            output, errors = process.communicate(timeout=60)
        assert (process.returncode, output, errors.count("\n")) == (1, "", 1)
        assert errors.startswith("onnx-tf: convert was ended from outside (SIGKILL), most often because")
        assert os.listdir(folder) == ["model.onnx"]

    def test_the_process_ends_with_the_one_that_watches(self, folder):
        with onnx_tf("convert", "model.onnx", "-o", "out") as process:
            child = the_child_of(process)
            time.sleep(1)
            process.kill()
        assert is_gone(child)
        assert os.listdir(folder) == ["model.onnx"]

    def test_a_second_interrupt_is_not_waited_for(self):
        stubborn = RUN + "supervised(lambda: signal.signal(signal.SIGINT, signal.SIG_IGN) and time.sleep(600) or 0)"
        code = f"from onnx_tf.cli import main, supervisor; supervisor._WORK = {stubborn!r}; raise SystemExit(main())"
        with onnx_tf("convert", "model.onnx", "-o", "out", program=["-c", code]) as process:
            child = the_child_of(process)
            time.sleep(1)
            for _ in range(2):
                process.send_signal(signal.SIGINT)
                time.sleep(0.3)
            assert process.communicate(timeout=60) == ("", "onnx-tf: interrupted\n")
        assert process.returncode == 130
        assert is_gone(child)


def onnx_tf(*arguments: str, program: list[str] | None = None) -> subprocess.Popen[str]:
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [sys.executable, *(program or ["-m", "onnx_tf"]), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": ROOT},
            text=True,
            preexec_fn=functools.partial(signal.signal, signal.SIGHUP, signal.SIG_DFL),  # nohup ignores it
        )
    finally:
        signal.signal(signal.SIGINT, inherited)


def the_child_of(process: subprocess.Popen[str]) -> int:
    while True:
        found = process_tree._tree(process.pid, process_tree._processes()) - {process.pid}
        if found:
            return found.pop()
        assert process.poll() is None
        time.sleep(0.02)
