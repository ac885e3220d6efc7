"""The path of a model with what was read from it, so that who looks at a model and converts it reads it once."""

from __future__ import annotations

import os

import onnx_ir as ir

__all__ = ["OpenedFile"]


class OpenedFile(os.PathLike[str]):
    """A path like any other, but for its model: the first :func:`~onnx_tf.model.loading.load_model` takes it away.

    Attributes:
        model: what was read, for those who leave it as it is; ``None`` when it is taken.
    """

    def __init__(self, path: str | os.PathLike[str], model: ir.Model) -> None:
        self._path = os.fspath(path)
        self.model: ir.Model | None = model

    def __fspath__(self) -> str:
        return self._path

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (self._path,)

    def take(self) -> ir.Model | None:
        """Return the model, which is that of the caller from then on; ``None`` when it was taken before."""
        taken, self.model = self.model, None
        return taken
