# /// script
# requires-python = ">=3.10"
# dependencies = ["tensorflow-serving-api", "tensorflow"]
# [tool.consumer]
# title = "TensorFlow Serving's requests"
# artefacts = ["saved_model", "frozen"]
# told = ["tensorflow-serving-api", "tensorflow"]
# how = '''
# a `PredictRequest` and the REST API's row and column JSON, read against the signature, computed by a session
# that loads the tag `serve`, as the server does
# '''
# ///
"""What TensorFlow Serving does with a request: it is read against a SavedModel's signature and run by a session."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from test.consumers.readers.reading import Job, read
from test.consumers.readers.serving_session import KEY, computed, signature_of


def outputs(job: Job) -> dict[str, np.ndarray]:
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        signature = signature_of(session, job)
        answer = _answered(session, signature, _request(job))
        for form, given in _rest(job).items():
            feeds = _decoded(json.loads(given), signature)
            for name, array in computed(session, signature, feeds).items():
                np.testing.assert_allclose(array, answer[name], rtol=1e-5, atol=1e-5, err_msg=form)
    if "row" not in _rest(job):
        job.notes.append("REST in the column format alone: the first dimensions of its inputs differ")
    return answer


def _request(job: Job) -> bytes:
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = job.model, KEY
    for name, array in job.inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
    content: bytes = request.SerializeToString()
    return content


def _answered(session: Any, signature: Any, content: bytes) -> dict[str, np.ndarray]:
    request = predict_pb2.PredictRequest.FromString(content)
    feeds = {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()}
    response = predict_pb2.PredictResponse()
    for name, array in computed(session, signature, feeds).items():
        response.outputs[name].CopyFrom(tf.make_tensor_proto(array))
    received = predict_pb2.PredictResponse.FromString(response.SerializeToString())
    return {name: tf.make_ndarray(proto) for name, proto in received.outputs.items()}


def _rest(job: Job) -> dict[str, str]:
    """Return the REST API's forms of a request: rows only where all inputs have one first dimension."""
    lists = {name: array.tolist() for name, array in job.inputs.items()}
    forms = {"column": json.dumps({"signature_name": KEY, "inputs": lists})}
    if all(array.ndim for array in job.inputs.values()) and len({len(array) for array in job.inputs.values()}) == 1:
        rows = [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]
        forms["row"] = json.dumps({"signature_name": KEY, "instances": rows})
    return forms


def _decoded(request: Mapping[str, Any], signature: Any) -> dict[str, np.ndarray]:
    dtypes = {name: tf.as_dtype(info.dtype).as_numpy_dtype for name, info in signature.inputs.items()}
    if "inputs" in request:
        return {name: np.array(value, dtypes[name]) for name, value in request["inputs"].items()}
    rows = request["instances"]
    return {name: np.array([row[name] for row in rows], dtype) for name, dtype in dtypes.items()}


if __name__ == "__main__":
    read(outputs)
