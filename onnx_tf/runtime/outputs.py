"""``Outputs``: what ``run`` returns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from onnx_tf.telling import did_you_mean

__all__ = ["Outputs"]


class Outputs(NDArrayOperatorsMixin, tuple[Any, ...]):
    """The outputs of a run, by index, by ONNX name and as attributes.

    With a single output it also stands for that array: ``np.asarray(outputs)``,
    ``outputs.shape`` and the other attributes, methods and operators of ``numpy.ndarray`` work.
    Indexing and iteration always go over the outputs.
    """

    names: tuple[str, ...]

    def __new__(cls, items: Iterable[tuple[str, Any]]) -> Outputs:
        """Take (name, value) pairs in graph order."""
        pairs = list(items)
        return cls.of(tuple(name for name, _ in pairs), [value for _, value in pairs])

    @classmethod
    def of(cls, names: tuple[str, ...], values: Iterable[Any]) -> Outputs:
        """Return values by names, both in graph order."""
        self = super().__new__(cls, values)
        self.names = names
        return self

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            if key not in self.names:
                raise KeyError(f"no output {key!r}{did_you_mean(key, self.names)}; the outputs are {list(self.names)}")
            return super().__getitem__(self.names.index(key))
        try:
            return super().__getitem__(key)
        except (IndexError, TypeError) as error:
            count = "1 output" if len(self) == 1 else f"{len(self)} outputs"
            raise type(error)(
                f"indices go over the {count} {list(self.names)}: outputs[0] is the first array, index that: "
                "outputs[0][...]"
            ) from error

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        names = self.__dict__.get("names", ())
        if name in names:
            return self[name]
        if len(self) == 1 and hasattr(self[0], name):
            return getattr(self[0], name)
        raise AttributeError(f"no output {name!r}; the outputs are {list(names)}")

    def _single(self) -> Any:
        if len(self) != 1:
            raise TypeError(f"{len(self)} outputs are not one array: index by position or name {list(self.names)}")
        return self[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = np.asarray(self._single(), dtype=dtype)
        return array.copy() if copy else array

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        arrays = [item._single() if isinstance(item, Outputs) else item for item in inputs]
        return getattr(ufunc, method)(*arrays, **kwargs)

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> Any:
        import tensorflow as tf

        return tf.convert_to_tensor(self._single(), dtype, name=name)

    def __float__(self) -> float:
        return float(self._single())

    def __int__(self) -> int:
        return int(self._single())

    def keys(self) -> tuple[str, ...]:
        """Return the output names, so that ``dict(outputs)`` works."""
        return self.names

    def items(self) -> list[tuple[str, Any]]:
        """Return (name, value) pairs in graph order."""
        return list(zip(self.names, self, strict=True))

    def _asdict(self) -> dict[str, Any]:
        return dict(self.items())

    def __repr__(self) -> str:
        return f"Outputs({', '.join(f'{name}={value!r}' for name, value in self.items())})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Outputs, (self.items(),)
