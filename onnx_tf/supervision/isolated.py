"""``convert(..., isolated=True)``: the conversion in a process of its own, whose end is not that of this one."""

from __future__ import annotations

import pickle
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from onnx_tf.errors import CrashError, OptionError, UnsupportedError
from onnx_tf.registry import registry
from onnx_tf.supervision.child import supervised
from onnx_tf.supervision.journal import tell
from onnx_tf.supervision.limits import Limits, can_watch
from onnx_tf.supervision.watching import Watched

__all__ = ["NotHere", "in_own_process", "work"]

_WORK = "from onnx_tf.supervision.isolated import work; work()"


class NotHere:
    """What stands for the model of a conversion that was made in another process."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # what copies and debuggers look for
            raise AttributeError(name)
        raise OptionError(
            f"the conversion was isolated, and its rep ({name} was asked for) ended with its process: load what was "
            "written, call onnx_tf.prepare, or convert without isolated=True"
        )


def in_own_process(
    function: Callable[..., Any],
    arguments: Mapping[str, Any],
    limits: Limits,
    progress: Callable[[str], None],
) -> Any:
    """Call a function in another process and return what it returns, or raise what it raises.

    Functions that were registered for operators are known there if they lie in modules that can be imported.
    Warnings are those of this process.

    Args:
        function: a function of a module; it takes ``progress`` too.
        arguments: its arguments by name.
        limits: what the process may take.
        progress: called with what the function calls its own with.

    Raises:
        OptionError: an argument cannot be handed to another process, or this system has no way to watch one.
        CrashError: the process died.
        ProcessLimitError: it took more than it may.
    """
    if not can_watch():
        raise OptionError("isolated=True needs Linux, macOS or another system of POSIX: leave it out here")
    with tempfile.TemporaryDirectory(prefix="onnx-tf-") as name:
        folder = Path(name)
        content = {"function": function, "modules": _modules_of_handlers()}
        with (folder / "call").open("wb") as file:
            pickle.dump(content | {"arguments": _portable(arguments)}, file)
        code = Watched("the conversion", _WORK, [name], progress).wait(limits)
        if not (folder / "answer").exists():
            raise CrashError(f"the conversion ended without a result (exit code {code}): its standard error tells more")
        answer = pickle.loads((folder / "answer").read_bytes())
    for message, category in answer["warnings"]:
        warnings.warn(message, category, stacklevel=3)
    if "error" in answer:
        raise _explained(answer["error"])
    return answer["value"]


def work() -> NoReturn:
    """Be the other process: its argument is the folder of the call."""
    supervised(_answer)


def _answer() -> int:
    folder = Path(sys.argv[1])
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        answer: dict[str, Any] = {}
        try:
            answer["value"] = _called(folder)
        except KeyboardInterrupt:
            return 130
        except Exception as error:
            answer["error"] = error
    answer["warnings"] = [(str(warning.message), warning.category) for warning in warned]
    (folder / "answer").write_bytes(pickle.dumps(answer))
    return 0


def _called(folder: Path) -> Any:
    import tensorflow  # noqa: F401  (before onnx: the other order hangs on macOS arm64)

    call = pickle.loads((folder / "call").read_bytes())
    for module in call["modules"]:
        __import__(module)
    return call["function"](**call["arguments"], progress=lambda text: tell("progress", text))


def _portable(arguments: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in arguments.items():
        try:
            pickle.dumps(value)
        except Exception as error:
            raise OptionError(
                f"{name} cannot be handed to another process ({error}): pass arrays, files or bytes, or leave out "
                "isolated=True"
            ) from error
    return dict(arguments)


def _modules_of_handlers() -> list[str]:
    users = {handler.function.__module__ for handler in registry.handlers() if not handler.is_of_this_package}
    return sorted(users - {"__main__"})


def _explained(error: Exception) -> Exception:
    """Return an error that says so where functions of the main script would have been needed."""
    if not isinstance(error, UnsupportedError):
        return error
    known = {
        (handler.domain, handler.op_type): handler.described
        for handler in registry.handlers()
        if handler.function.__module__ == "__main__"
    }
    for node in error.nodes:
        if (node.domain, node.op_type) in known:
            place = known[node.domain, node.op_type]
            return OptionError(
                f"{place} is not there in the process of isolated=True, which converts node {node.name!r} "
                f"({node.op_type}): put the function into a module that can be imported"
            )
    return error
