"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from onnx_tf.errors import PathError, WriteError, either
from onnx_tf.export.replacing import beside, put, removed
from onnx_tf.supervision.journal import tell

__all__ = ["check_target", "refused", "written_file", "written_files", "written_whole"]


@contextmanager
def refused(target: Path) -> Iterator[None]:
    """Say what to do where the operating system refuses to write to the target.

    Raises:
        WriteError: it does.
    """
    try:
        yield
    except Exception as error:
        if not isinstance(error, OSError) and not type(error).__module__.startswith("tensorflow."):
            raise
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise WriteError(f"{target} cannot be written: {reason}; choose a folder with room and write access") from error


@contextmanager
def written_whole(target: Path) -> Iterator[Path]:
    """Yield a folder beside the target that becomes the target when the block ends without error.

    What was at the target stays there until then, and stays for good if the block fails.
    """
    target = target.absolute()
    with _parents(target):
        folder = beside(target)
        try:
            folder.mkdir()
            yield folder
            put([(folder, target)])
        finally:
            removed(folder)


@contextmanager
def written_file(target: Path) -> Iterator[Path]:
    """Yield a file beside the target that becomes the target when the block ends without error.

    Raises:
        WriteError: the operating system refuses it.
    """
    with written_files([target]) as (file,):
        yield file


@contextmanager
def written_files(targets: Sequence[Path]) -> Iterator[list[Path]]:
    """Yield a file beside each target; together they become the targets when the block ends without error.

    Raises:
        WriteError: the operating system refuses it.
    """
    files = []
    with contextlib.ExitStack() as stack:
        for target in targets:
            path = target.absolute()
            with refused(target):
                stack.enter_context(_parents(path))
                file = beside(path)
                stack.callback(removed, file)  # before it is there: an interrupt may come at any time
                file.touch(exist_ok=False)
                files.append(file)
        yield files
        with refused(targets[0]):
            put([(file, target.absolute()) for file, target in zip(files, targets, strict=True)])


@contextmanager
def _parents(target: Path) -> Iterator[None]:
    """Make the folders that a target lies in; if the block fails, those that were made go again."""
    missing = list(itertools.takewhile(lambda folder: not folder.exists(), target.parents))
    tell("folder", *reversed(missing))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # another program may have put something there
            for folder in missing:
                folder.rmdir()
        raise


def _check_place(target: Path) -> None:
    """Raise what the operating system would, where the nearest folder that exists is none or takes no files."""
    folder = next(folder for folder in target.absolute().parents if folder.exists())
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if not os.access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    limit = os.pathconf(folder, "PC_NAME_MAX") if hasattr(os, "pathconf") else 255
    if any(len(os.fsencode(part)) > limit for part in target.parts):
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))


def check_target(target: Path, overwrite: bool, *, is_folder: bool = True) -> None:
    """Refuse a path that holds something else than what is to be written there.

    Args:
        target: a SavedModel's folder, or a file.
        overwrite: whether a SavedModel or file that is there may be replaced.
        is_folder: whether a SavedModel is to be written.

    Raises:
        PathError: the path holds something else, or ``overwrite`` is false and it exists.
        WriteError: the operating system refuses to look there, or has no folder there that can be written to.
    """
    with refused(target):
        _check_place(target)
        if not target.exists():
            return
        if target.is_dir() != is_folder:
            kind = ("a file", "a SavedModel is a folder") if is_folder else ("a folder", "a file is to be written")
            raise PathError(f"{target} is {kind[0]}: {kind[1]}; choose another path")
        if is_folder and not any(target.iterdir()):
            return
        if is_folder and not (target / "saved_model.pb").exists():
            raise PathError(f"{target} holds files that are no SavedModel: choose an empty or new folder")
        if not overwrite:
            step = either("pass overwrite=True", "drop --no-overwrite")
            raise PathError(f"{target} exists already: choose another path or {step}")
