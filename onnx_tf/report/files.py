"""Write a report and the data beside it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from onnx_tf.errors import OptionError, PathError, WriteError, either
from onnx_tf.export.writing import check_target, refused, written_file
from onnx_tf.report.content import Report
from onnx_tf.report.node_data import node_data
from onnx_tf.report.page import page

__all__ = ["check_report", "data_path", "write_report"]


def check_report(path: str | os.PathLike[str]) -> Path:
    """Return where a report goes, found to be writable, before anything is computed for it.

    Raises:
        OptionError: it is no path.
        PathError: the name does not end in ``.html``, or it is a folder.
        WriteError: the operating system refuses to write there.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise OptionError(f"report={path!r}: the path of an .html file is expected")
    target = Path(path)
    if target.suffix.lower() not in (".html", ".htm"):
        raise PathError(f"{either(f'report={os.fspath(path)!r}', f'--report {path}')}: the name must end in .html")
    for file in (target, data_path(target)):
        check_target(file, overwrite=True, is_folder=False)
    if not target.absolute().parent.exists():
        missing = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        raise WriteError(f"{target} cannot be written: the folder {target.parent} does not exist") from missing
    return target


def data_path(path: Path) -> Path:
    """Return where the data of nodes go that belong to a report."""
    return path.with_name(f"{path.stem}_node_data.json")


def write_report(path: Path, report: Report) -> None:
    """Write a report and, if values were compared, the data of nodes beside it.

    Raises:
        WriteError: the operating system refuses it.
    """
    data = data_path(path)
    contents = {data: node_data(report.values)} if report.values is not None else {}
    contents[path] = page(report, data.name if contents else "")
    for target, text in contents.items():
        with refused(target), written_file(target) as file:
            file.write_bytes(text.encode("utf-8", errors="xmlcharrefreplace"))
