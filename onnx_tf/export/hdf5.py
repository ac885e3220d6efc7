"""HDF5 files as small as the format allows, and errors of h5py as those of the operating system."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py

__all__ = ["system_errors", "write_compact_copy"]


def write_compact_copy(source: Path, target: Path) -> None:
    """Copy a HDF5 file into the compact form of groups, which HDF5 reads since 1.8 and h5py writes only when told to.

    Keras makes three groups for each layer, of a kilobyte each as h5py writes them. No moments are kept, so that equal
    files have equal bytes.

    Raises:
        OSError: the copy cannot be written.
    """
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_libver_bounds(h5py.h5f.LIBVER_V18, h5py.h5f.LIBVER_V18)
    with system_errors():
        identity = h5py.h5f.create(os.fsencode(target), h5py.h5f.ACC_TRUNC, _timeless(h5py.h5p.FILE_CREATE), access)
        with h5py.File(source, "r") as old, h5py.File(identity) as new:
            _copy(old, new)


def _timeless(kind: Any) -> Any:
    properties = h5py.h5p.create(kind)
    properties.set_obj_track_times(False)
    return properties


def _copy(old: Any, new: Any) -> None:
    for name, attribute in old.attrs.items():
        new.attrs[name] = attribute
    for name, part in old.items():
        if isinstance(part, h5py.Group):
            made = h5py.h5g.create(new.id, name.encode(), gcpl=_timeless(h5py.h5p.GROUP_CREATE))
            _copy(part, h5py.Group(made))
        else:
            old.copy(part, new, name=name)


@contextlib.contextmanager
def system_errors() -> Iterator[None]:
    """Raise what the operating system refused as an OSError with its number, which h5py tells in a text alone."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        number = re.search(r"errno = (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1]))) from error
