"""The options of a conversion, handed down as one frozen value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from onnx_tf.budget import MAX_CONSTANT_BYTES, MAX_NODES, Budget
from onnx_tf.errors import OptionError, option
from onnx_tf.overrides import Overrides, overrides_of
from onnx_tf.rewriting import AS_IT_IS, Rewriting
from onnx_tf.targets import SAVED_MODEL, Target

__all__ = ["Layout", "Options"]

Layout = Literal["auto", "keep"]


@dataclass(frozen=True)
class Options:
    """How a model is converted.

    Attributes:
        layout: ``"auto"`` chooses the memory order of each operation so that the fewest
            bytes are transposed; ``"keep"`` computes everything in the ONNX order.
        channels_last_inputs: names of graph inputs to be taken as N, spatial..., C, or ``"all"``.
        channels_last_outputs: names of graph outputs to be given as N, spatial..., C, or ``"all"``.
        training: keep what training needs: nothing is folded, equal weights stay apart, all float
            weights are variables, and Dropouts that do not say otherwise drop.
        batch_size: the leading dimension of every input that leaves it open.
        input_shapes: shapes of inputs, as (name, dimensions): a number fixes an open dimension.
        values: inputs that become constants, as (name, value).
        input_names: values of the main graph to begin at, instead of the model's inputs.
        output_names: values of the main graph to end at, instead of the model's outputs.
        max_constant_bytes: how many bytes of constants may be made besides those of the file.
        max_nodes: how many nodes may be made besides those of the file.
        overrides: what is changed of single nodes, before all other edits.
        rewriting: which other forms operators take.
        target: what the model is for; exporters choose it.
    """

    layout: Layout = "auto"
    channels_last_inputs: tuple[str, ...] | Literal["all"] = ()
    channels_last_outputs: tuple[str, ...] | Literal["all"] = ()
    training: bool = False
    batch_size: int | None = None
    input_shapes: tuple[tuple[str, tuple[int | str | None, ...]], ...] = ()
    values: tuple[tuple[str, Any], ...] = field(default=(), compare=False)
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    max_constant_bytes: int = MAX_CONSTANT_BYTES
    max_nodes: int = MAX_NODES
    overrides: Overrides | None = None
    rewriting: Rewriting = AS_IT_IS
    target: Target = SAVED_MODEL

    def __post_init__(self) -> None:
        if self.layout not in ("auto", "keep"):
            raise OptionError(f"{option('layout')} must be 'auto' or 'keep', not {self.layout!r}")
        self.budget()

    def budget(self) -> Budget:
        """Return what one conversion may make.

        Raises:
            OptionError: a limit is no number.
        """
        return Budget(self.max_constant_bytes, self.max_nodes)

    @property
    def adapted_target(self) -> Target:
        """The target, with the passes and handlers of the forms that are asked for."""
        return self.rewriting.of_target(self.target)

    @classmethod
    def of(cls, **settings: Any) -> Options:
        """Return options from lists, mappings and ``None`` as users pass them: tuples are kept of them."""
        for key in ("channels_last_inputs", "channels_last_outputs", "input_names", "output_names"):
            if settings.get(key) != "all" or not key.startswith("channels_last"):
                settings[key] = _names(key, settings.get(key))
        shapes = settings.pop("input_shapes", None) or {}
        if not isinstance(shapes, Mapping):
            raise OptionError(f"input_shapes must be a dict of shapes by input name, not {shapes!r}")
        settings["overrides"] = overrides_of(settings.get("overrides"))
        forms = {key: settings.pop(key) for key in _FORMS if key in settings}
        if "decompose" in forms:
            forms["decompose"] = _names("decompose", forms["decompose"])
        if forms:
            settings["rewriting"] = Rewriting(**forms)
        values = settings.pop("values", None) or {}
        if not isinstance(values, Mapping):
            raise OptionError(f"{option('values')} must be a dict of values by input name, not {values!r}")
        settings["values"] = tuple(values.items())
        return cls(input_shapes=tuple((name, _dims(dims)) for name, dims in shapes.items()), **settings)


_FORMS = tuple(field.name for field in fields(Rewriting))


def _names(option: str, names: Any) -> tuple[str, ...]:
    if names is None or isinstance(names, str):
        return () if names is None else (names,)
    found = tuple(names) if isinstance(names, Iterable) else (names,)
    if not all(isinstance(name, str) for name in found):
        raise OptionError(f"{option} must be a list of names, not {names!r}")
    return found


def _dims(dims: Any) -> Any:
    # What is no list is refused where the input's own shape is at hand to be shown.
    return tuple(dims) if isinstance(dims, Iterable) and not isinstance(dims, str) else dims
