"""What runs .tflite files besides LiteRT's interpreter, and what each takes, as data."""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources

import onnx_ir as ir

from onnx_tf.errors import EditError, OptionError, either, option
from onnx_tf.export.precisions import FLOATS, Precision
from onnx_tf.telling import described, did_you_mean

__all__ = ["LITERT", "READERS", "Reader", "reader_named"]


@dataclass(frozen=True)
class Reader:
    """A runtime or compiler of .tflite files.

    Attributes:
        name: what users call it.
        what: what messages call it.
        table: the file of its operators beside ``export/readers``; all of LiteRT's without one.
        dtypes: the dtypes of tensors that it takes, in LiteRT's words; all without any.
        carriers: the dtypes that inputs and outputs of others get.
        interface: the dtypes that inputs and outputs may have then; all without any.
        max_rank: how many axes a tensor may have.
        narrows: whether it has no 64-bit integers: they become integers of 32 bits.
        kinds: the precisions of files that it takes; all without any.
        defaults: those that are written where none is asked for.
        rewritings: what is rewritten of operators, see :mod:`onnx_tf.export.readers.rewriting`.
        elsewhere: what computes operators that are not in its table; refused where nothing does.
    """

    name: str
    what: str
    table: str = ""
    dtypes: frozenset[str] = frozenset()
    carriers: Mapping[str, str] = field(default_factory=dict)
    interface: frozenset[str] = frozenset()
    max_rank: int = 0
    narrows: bool = False
    kinds: tuple[Precision, ...] = ()
    defaults: tuple[Precision, ...] = FLOATS
    rewritings: tuple[str, ...] = ()
    elsewhere: str = ""

    @functools.cached_property
    def operators(self) -> Mapping[str, object]:
        """Its table: ``source`` says of which release it is, ``operators`` names them."""
        text = resources.files("onnx_tf.export.readers").joinpath(self.table).read_text(encoding="utf-8")
        found: Mapping[str, object] = json.loads(text)
        return found

    @property
    def is_litert(self) -> bool:
        """Whether it is LiteRT's own interpreter, for which nothing is changed."""
        return self.name == "litert"

    @property
    def advice(self) -> str:
        """What to do about what it has no operator for."""
        if self.is_litert:
            return (
                f"allow it with {either('allow_flex=True', '--allow-flex')} (the runtime then needs TensorFlow's Flex "
                "delegate), or write a SavedModel"
            )
        cut = either("output_names", "--output-names")
        return f"{self.what} runs none but its own operators: end the model before it with {cut}"

    def check(self, kinds: Collection[str], *, allows_others: bool) -> None:
        """Refuse what is asked for of it.

        Args:
            kinds: the precisions of .tflite files that are asked for.
            allows_others: whether operators may be written that are not LiteRT's own.

        Raises:
            OptionError: no .tflite file is asked for, or one that it does not take.
        """
        if self.is_litert:
            return
        said = either(f"target={self.name!r}", f"--target {self.name}")
        if not kinds:
            step = either("formats=['tflite']", "--formats tflite")
            raise OptionError(f"{said} is for .tflite files, and none is asked for: add {step}, or leave it out")
        if allows_others:
            raise OptionError(
                f"{said}: it runs no operators but its own: leave out {option('allow_flex')} and the like"
            )
        for kind in kinds:
            if self.kinds and kind not in self.kinds:
                raise OptionError(f"{said}: {self.what} takes no {kind} files: choose {' or '.join(self.kinds)}")

    def check_inputs(self, inputs: Sequence[ir.Value]) -> None:
        """Refuse inputs that leave dimensions open.

        Raises:
            EditError: there are such; the error lists all of them.
        """
        if self.is_litert:
            return
        tensors = [value for value in inputs if isinstance(value.type, ir.TensorType)]
        opened = [v for v in tensors if v.shape is None or not all(isinstance(dim, int) for dim in v.shape)]
        if opened:
            step = either("batch_size or input_shapes", "--batch-size or --input-shape")
            told = "; ".join(map(described, opened))
            raise EditError(f"{self.what} takes fixed shapes, and dimensions are open in {told}: fix them with {step}")


LITERT = Reader("litert", "LiteRT")

_INTEGER_KINDS: tuple[Precision, ...] = ("integer_quant", "full_integer_quant", "full_integer_quant_with_int16_act")
_WIDE = dict.fromkeys(("FLOAT64", "FLOAT16", "BFLOAT16"), "FLOAT32")

GPU = Reader(
    "litert-gpu",
    "LiteRT's GPU delegate",
    table="litert_gpu.json",
    dtypes=frozenset({"FLOAT32", "FLOAT16", "INT32", "INT8", "UINT8", "BOOL"}),
    carriers=_WIDE,
    max_rank=4,
    narrows=True,
    kinds=("float32", "float16", "integer_quant", "full_integer_quant"),
    rewritings=("reshape", "keep axes", "split transposes", "join reshapes", "raise rank"),
)

MICRO = Reader(
    "litert-micro",
    "LiteRT for Microcontrollers",
    table="litert_micro.json",
    dtypes=frozenset({"FLOAT32", "INT32", "INT16", "INT8", "UINT8", "BOOL"}),
    carriers=_WIDE,
    narrows=True,
    kinds=("float32", *_INTEGER_KINDS, "integer_quant_with_int16_act"),
    defaults=("float32",),
    rewritings=("select", "choose integers", "any", "sign", "reshape", "split transposes", "join reshapes"),
)

JS = Reader(
    "litert-js",
    "LiteRT.js",
    carriers={**_WIDE, "BOOL": "UINT8", "INT8": "INT32", "INT16": "INT32"},
    interface=frozenset({"FLOAT32", "INT32", "UINT8"}),
    narrows=True,
)

ETHOS_U = Reader(
    "ethos-u",
    "Ethos-U's compiler",
    table="ethos_u.json",
    carriers={**_WIDE, "BOOL": "UINT8"},
    narrows=True,
    kinds=_INTEGER_KINDS,
    defaults=("full_integer_quant",),
    elsewhere="the CPU",
)

READERS = {reader.name: reader for reader in (LITERT, GPU, MICRO, JS, ETHOS_U)}
"""The readers that users can name."""


def reader_named(name: str) -> Reader:
    """Return the reader of a name.

    Raises:
        OptionError: there is none; the error names those that there are.
    """
    if name not in READERS:
        near = did_you_mean(str(name), READERS)
        raise OptionError(f"{option('target')}: {name!r} is not known{near}: choose one of {', '.join(READERS)}")
    return READERS[name]
