# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["mediapipe<0.10.22"]
# [tool.consumer]
# title = "MediaPipe's image classifier"
# artefacts = ["fixed"]
# models = ["resnet18", "mobilevitv2"]
# options = {fixed = {channels_last_inputs = "all"}}
# told = ["mediapipe"]
# how = '''
# `convert` with `--channels-last-inputs all`; metadata (normalisation and labels) by
# `mediapipe.tasks.python.metadata.metadata_writers.image_classifier`, then `ImageClassifier.classify` on an image of
# 8 bits. The writer of mediapipe 0.10.35 and 1.2.3 does not start: `No module named 'mediapipe.tasks.cc'`
# '''
# ///
"""MediaPipe gives a .tflite file metadata and classifies an image with it."""

from __future__ import annotations

import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from mediapipe.tasks.python.metadata.metadata_writers import image_classifier, metadata_writer

from test.consumers.readers.reading import Job, read

MIDDLE = 127.5
"""Pixels minus this, over this, are what the models are fed."""
CLASSES = {"resnet18": 1000, "mobilevitv2": 100}


def outputs(job: Job) -> dict[str, np.ndarray]:
    (image,) = job.inputs.values()
    pixels = np.ascontiguousarray(np.round(np.moveaxis(image[0], 0, -1) * MIDDLE + MIDDLE).astype(np.uint8))
    content = bytearray(job.artefact.read_bytes())
    labels = metadata_writer.Labels().add([str(index) for index in range(CLASSES[job.model])])
    written, _ = image_classifier.MetadataWriter.create(content, [MIDDLE], [MIDDLE], labels).populate()
    options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_buffer=bytes(written)))
    classifier = vision.ImageClassifier.create_from_options(options)
    found = classifier.classify(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels))
    scores = np.full((1, CLASSES[job.model]), np.nan, np.float32)
    for category in found.classifications[0].categories:
        scores[0, int(category.category_name)] = category.score
    return {job.outputs[0]: scores}


if __name__ == "__main__":
    read(outputs)
