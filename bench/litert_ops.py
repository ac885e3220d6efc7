"""Say where the time of .tflite files goes: ``python -m bench.litert_ops NAME...`` prints a Markdown table each.

Every operator is cut out as a file of its own and timed alone with XNNPACK and two threads, so that its inputs lie in
cold memory and nothing is fused: the sum is more than the file takes. Beside it stands what ONNX Runtime's own profile
says, by ONNX operator.
"""

from __future__ import annotations

import collections
import copy
import json
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from tensorflow.lite.python import schema_py_generated as schema

from bench.litert import THREADS, named, parser_of
from bench.measure import timed
from onnx_tf import OnnxTfError, convert
from onnx_tf.check.interface import Interface
from onnx_tf.export.file_graph import BUILTINS
from onnx_tf.export.packing import packed

SHOWN = 12
RUNS = 15


def main() -> None:
    """Print the operators that take the most time, of the file and of ONNX Runtime."""
    arguments = parser_of("litert_ops", __doc__).parse_args()
    for name in arguments.names:
        try:
            model, feed = named(arguments.folder, name)
        except OnnxTfError as error:
            print(f"\n## {name}: {error}")
            continue
        with tempfile.TemporaryDirectory() as temporary:
            onnx.save(model, f"{temporary}/model.onnx")
            done = convert(f"{temporary}/model.onnx", f"{temporary}/model.tflite", check=False)
            tensors = {key: value.numpy() for key, value in Interface.of(done.rep).flat(feed).items()}
            rows = sorted(operator_times(done.path.read_bytes(), tensors), reverse=True)
            of_onnx = onnx_runtime_times(f"{temporary}/model.onnx", feed)
        _print(name, rows, of_onnx)


def _print(name: str, rows: list[tuple[float, str, str]], of_onnx: Mapping[str, float]) -> None:
    by_type: collections.Counter[str] = collections.Counter()
    for milliseconds, kind, _ in rows:
        by_type[kind] += milliseconds
    print(f"\n## {name}: LiteRT {sum(by_type.values()):.2f} ms, ONNX Runtime {sum(of_onnx.values()):.2f} ms\n")
    print("| LiteRT operator | ms |\n|---|--:|")
    for kind, milliseconds in by_type.most_common(SHOWN):
        print(f"| {kind} | {milliseconds:.2f} |")
    print("\n| the slowest alone | shapes | ms |\n|---|---|--:|")
    for milliseconds, kind, shapes in rows[:SHOWN]:
        print(f"| {kind} | {shapes} | {milliseconds:.3f} |")
    print("\n| ONNX Runtime operator | ms |\n|---|--:|")
    for kind, milliseconds in collections.Counter(of_onnx).most_common(SHOWN):
        print(f"| {kind} | {milliseconds:.2f} |")


def operator_times(content: bytes, feed: Mapping[str, np.ndarray]) -> Iterator[tuple[float, str, str]]:
    """Yield the milliseconds, name and shapes of each operator of a .tflite file's main graph."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    interpreter = Interpreter(
        model_content=content,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.get_signature_runner()(**feed)
    for operator in graph.operators:
        code = BUILTINS[model.operatorCodes[operator.opcodeIndex].builtinCode]
        alone, given = _alone(model, graph, operator)
        if code in ("WHILE", "IF") or not given:
            continue
        try:
            values = [interpreter.get_tensor(index) for index in given]
        except ValueError:  # a tensor of no elements, which the interpreter does not hand out
            continue
        for tensor, value in zip(alone.subgraphs[0].inputs, values, strict=True):
            alone.subgraphs[0].tensors[tensor].shape = np.array(value.shape, np.int32)
        named = [interpreter.get_tensor(i) for i in [*operator.inputs, *operator.outputs] if i >= 0]
        shapes = " ".join("x".join(map(str, value.shape)) or "1" for value in named)
        yield _time(packed(alone, 1 << 20), values), code, shapes


def _alone(model: Any, graph: Any, operator: Any) -> tuple[Any, list[int]]:
    """Return a model of one operator, and which of its inputs are fed."""
    alone, part, copied = copy.copy(model), copy.copy(graph), copy.copy(operator)
    tensors = {index: copy.copy(graph.tensors[index]) for index in [*operator.inputs, *operator.outputs] if index >= 0}
    numbers = {index: place for place, index in enumerate(tensors)} | {-1: -1}
    buffers = [model.buffers[0]]
    for tensor in tensors.values():
        data = model.buffers[tensor.buffer]
        has_data = data.data is not None and len(data.data)
        buffers += [data] if has_data else []
        tensor.buffer, tensor.shapeSignature = len(buffers) - 1 if has_data else 0, None
    given = [i for i in dict.fromkeys(operator.inputs.tolist()) if i >= 0 and not tensors[i].buffer]
    copied.inputs, copied.outputs = (
        np.array([numbers[index] for index in side.tolist()], np.int32) for side in (operator.inputs, operator.outputs)
    )
    part.tensors, part.operators = list(tensors.values()), [copied]
    part.inputs, part.outputs = np.array([numbers[index] for index in given], np.int32), copied.outputs
    alone.subgraphs, alone.buffers, alone.signatureDefs, alone.metadata = [part], buffers, None, None
    return alone, given


def _time(content: bytes, values: Sequence[np.ndarray]) -> float:
    interpreter = Interpreter(model_content=content, num_threads=THREADS)
    interpreter.allocate_tensors()
    for detail, value in zip(interpreter.get_input_details(), values, strict=True):
        interpreter.set_tensor(detail["index"], value)
    call = timed(interpreter.invoke)
    return statistics.median([call() for _ in range(RUNS)][2:])


def onnx_runtime_times(path: str, feed: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the milliseconds of a call in ONNX Runtime, by operator."""
    options = onnxruntime.SessionOptions()
    options.enable_profiling, options.intra_op_num_threads = True, THREADS
    options.profile_file_prefix = f"{path}_profile"
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    for _ in range(RUNS):
        session.run(None, dict(feed))
    times: dict[str, float] = collections.defaultdict(float)
    for event in json.loads(Path(session.end_profiling()).read_text()):
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            times[event["args"]["op_name"]] += event["dur"] / 1000 / RUNS
    return times


if __name__ == "__main__":
    main()
