"""Quantise a file of floats by data, in a process of its own, and say what stays in floats."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from onnx_tf.errors import ConversionError, UnsupportedError, UnsupportedNode
from onnx_tf.export.flatbuffer import operators
from onnx_tf.export.integers.file import FloatOperator
from onnx_tf.export.post_training.floats import computing_floats
from onnx_tf.export.post_training.kept import kept_in_floats
from onnx_tf.export.post_training.kinds import Kind, Quantization
from onnx_tf.export.post_training.nodes import Nodes
from onnx_tf.own_process import ProcessDiedError, call_telling
from onnx_tf.runtime.graph import BoundGraph

__all__ = ["QuantizedFile", "Tuning", "floats_of_recipe", "quantized_files", "with_kept_weights"]

_RUN = """
import os, runpy
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
runpy.run_module("onnx_tf.export.post_training.process", run_name="__main__")
"""

REQUESTED = "it is to stay in floats"
LEFT = "the recipe leaves it in floats"
_MOVES = ("PAD", "RESHAPE", "TRANSPOSE")
"""What is told of a node only where it is nothing else."""
_LOOPS = ("WHILE", "IF", "CALL_ONCE")


@dataclass(frozen=True)
class Tuning:
    """What layers lose by integers, and which are worth staying in floats.

    Attributes:
        searched: whether such layers were looked for.
        before: how far the outputs' signal is above their noise without it, in decibels.
        after: the same with it.
        steps: the nodes that it keeps, one or two in each round, with the decibels that they bring.
        losses: node, decibels at its result, and how many fewer these are than at its operands, the worst first.
    """

    searched: bool
    before: float
    after: float
    steps: tuple[tuple[tuple[str, ...], float], ...]
    losses: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True)
class QuantizedFile:
    """A file as the quantiser made it.

    Attributes:
        kind: its kind.
        content: what it holds.
        floats: what computes with floats in it, and why; nothing of dynamic ranges, where everything does.
        coarse: what is computed by integer kernels that are far off.
        tuning: what the search found, if it was asked for.
    """

    kind: Kind
    content: bytes
    floats: tuple[FloatOperator, ...] = ()
    coarse: tuple[FloatOperator, ...] = ()
    tuning: Tuning | None = None


def quantized_files(
    content: bytes,
    kinds: Sequence[Kind],
    samples: Iterable[Mapping[str, np.ndarray]],
    quantization: Quantization,
    graph: BoundGraph,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[QuantizedFile]:
    """Yield a quantised file for each kind of ``CALIBRATED``.

    Args:
        content: the file of floats, as TensorFlow's converter wrote it.
        kinds: the kinds.
        samples: arrays by the names of the signature's inputs.
        quantization: how it is quantised.
        graph: the bound graph that the file comes from.
        progress: called as it goes on.

    Raises:
        UnsupportedError: a file that may hold no floats would; it lists all nodes that compute with them.
        OptionError: no node has a name that is to stay in floats.
        ConversionError: TensorFlow's quantiser fails, or ends its process.
    """
    nodes = Nodes(content, graph)
    keep = dict.fromkeys(nodes.labels(quantization.keep_float), REQUESTED) if quantization.keep_float else {}
    with tempfile.TemporaryDirectory() as name:
        folder, names, count = Path(name), list[str](), 0
        for count, sample in enumerate(samples, 1):
            names = list(sample)
            np.savez(folder / f"sample_{count - 1}.npz", *sample.values())
        (folder / "float.tflite").write_bytes(content)
        task = {"names": names, "count": count, "kinds": list(map(quantization.task, kinds)), "keep": keep}
        (folder / "task.json").write_text(json.dumps(task))
        try:
            call_telling("TensorFlow's quantiser", _RUN, name, told=progress)
        except ProcessDiedError as error:
            raise _died(error, content) from error
        done = json.loads((folder / "done.json").read_text())
        if done["error"]:
            told = f"{done['error'][:500]}{_of_loops(content)}"
            raise ConversionError(f"TensorFlow's quantiser fails: {told}", step="litert")
        if done["left"]:
            raise _refused(done["left"], nodes)
        for kind in kinds:
            yield _file(kind, (folder / f"{kind}.tflite").read_bytes(), done, nodes)


def with_kept_weights(content: bytes, floats: bytes, quantization: Quantization, graph: BoundGraph) -> bytes:
    """Return a file of dynamic ranges in which nodes have their weights in floats, see :class:`Quantization`."""
    if not quantization.keep_float:
        return content
    return kept_in_floats(content, floats, Nodes(floats, graph).labels(quantization.keep_float))


def floats_of_recipe(content: bytes, floats: bytes, graph: BoundGraph) -> tuple[FloatOperator, ...]:
    """Return what computes with floats in a file that a recipe made of one of floats, each node once."""
    return _floats(content, Nodes(floats, graph), lambda _: LEFT)


def _floats(content: bytes, nodes: Nodes, reason: Callable[[str], str]) -> tuple[FloatOperator, ...]:
    found = dict[str, FloatOperator]()
    for name, operator in sorted(computing_floats(content), key=lambda row: row[1] in _MOVES):
        if operator not in ("QUANTIZE", "DEQUANTIZE"):
            node = nodes.told(name) or name
            found.setdefault(node, FloatOperator(node, operator, reason(name)))
    return tuple(found.values())


def _file(kind: Kind, content: bytes, done: Mapping[str, Any], nodes: Nodes) -> QuantizedFile:
    kept = done["kept"][kind]

    def reason(name: str) -> str:
        return next((kept[key] for key in (name, name.removesuffix("1")) if key in kept), "has no integer kernel")

    floats = _floats(content, nodes, reason)
    coarse = {nodes.told(name): FloatOperator(nodes.told(name), "", why) for name, why in done["coarse"][kind].items()}
    tuned = done["tuned"].get(kind)
    tuning = None if tuned is None else _tuning(tuned, nodes)
    return QuantizedFile(kind, content, floats, tuple(coarse.values()), tuning)


def _tuning(told: Mapping[str, Any], nodes: Nodes) -> Tuning:
    steps = tuple((tuple(nodes.told(name) or name for name in names), gain) for names, gain in told["steps"])
    losses = tuple((nodes.told(name) or name, ratio, lost) for name, ratio, lost in told["losses"])
    return Tuning(told["searched"], told["before"], told["after"], steps, losses)


def _refused(left: Mapping[str, Sequence[Sequence[str]]], nodes: Nodes) -> UnsupportedError:
    """Return the error of files that would hold floats: each node once."""
    problems: dict[str, UnsupportedNode] = {}
    for kind, rows in left.items():
        for name, operator, reason in rows:
            found = nodes[name]
            if operator in ("QUANTIZE", "DEQUANTIZE") and not found:
                continue
            told = (
                f"{operator} {reason}, and {kind} holds no floats; {kind.removeprefix('full_')} lets it stay in floats"
            )
            context = found[0].context if found else None
            node = found[0].onnx_node if found else name
            problem = (
                UnsupportedNode(node, operator, "", None, told)
                if context is None
                else UnsupportedNode(node, context.op_type, context.onnx_domain, context.version, told)
            )
            problems.setdefault(node, problem)
    return UnsupportedError(list(problems.values()), step="litert")


def _died(error: ProcessDiedError, content: bytes) -> ConversionError:
    return ConversionError(
        f"{error}{_of_loops(content) or ': dynamic_range_quant needs no such process'}", step="litert"
    )


def _of_loops(content: bytes) -> str:
    """Return what is to be said of loops where the quantiser fails on a file that has some."""
    loops = [kind for kind in operators(content) if kind in _LOOPS]
    if not loops:
        return ""
    return (
        f": it does so on loops, and the file has {', '.join(loops)}; sequences of known and small length are unrolled "
        "(--input-shape), and dynamic_range_quant takes loops"
    )
