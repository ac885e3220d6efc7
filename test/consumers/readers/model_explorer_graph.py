# /// script
# requires-python = ">=3.10"
# dependencies = ["ai-edge-model-explorer-adapter", "numpy"]
# [tool.consumer]
# title = "Model Explorer"
# artefacts = ["tflite", "int8"]
# told = ["ai-edge-model-explorer-adapter"]
# how = '''
# `model-explorer model.tflite`; it draws and runs nothing
# '''
# ///
"""Model Explorer reads a .tflite file into the graph that it draws."""

from __future__ import annotations

import json

import ai_edge_model_explorer_adapter as adapter

from test.consumers.readers.reading import Job, read


def outputs(job: Job) -> None:
    content = json.loads(adapter.ConvertFlatbufferDirectlyToJson(adapter.VisualizeConfig(), str(job.artefact)))
    graphs = [graph for collection in content for graph in collection["subgraphs"]]
    named = {
        attribute["value"]
        for node in graphs[0]["nodes"]
        for metadata in (*node["inputsMetadata"], *node["outputsMetadata"])
        for attribute in metadata["attrs"]
        if attribute["key"] == "signature_name"
    }
    missing = {*job.inputs, *job.outputs} - named
    if missing:
        raise ValueError(f"the graph does not name {sorted(missing)}")
    operators = sum(node["label"] not in ("GraphInputs", "GraphOutputs") for graph in graphs for node in graph["nodes"])
    job.notes.append(f"{operators} nodes of {len(graphs)} graphs drawn, with the ONNX names of inputs and outputs")


if __name__ == "__main__":
    read(outputs)
