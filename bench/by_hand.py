"""ResNet-50, MobileNetV2 and EfficientNet-B0 written by hand in channels-last TensorFlow.

They are the floor that a converted model is measured against: BatchNormalization is folded into
the convolutions, weights are random, and nothing is transposed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

MOBILENET_V2 = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
]
"""Expansion, channels, number and stride of the blocks."""

Activation = Callable[[tf.Tensor], tf.Tensor]


class Layers:
    """Layers whose weights are variables, or constants of the graph."""

    def __init__(self, variables: bool) -> None:
        self.rng = np.random.default_rng(0)
        self.variables = variables
        self.weights: list[tf.Variable | np.ndarray] = []
        self._next = 0

    def weight(self, *shape: int) -> tf.Variable | np.ndarray:
        """Return the next weight, made on the first call of the network."""
        if self._next == len(self.weights):
            value = self.rng.standard_normal(shape, dtype=np.float32) * np.float32(np.prod(shape[:-1]) ** -0.5)
            with tf.init_scope():
                self.weights.append(tf.Variable(value) if self.variables else value)
        self._next += 1
        return self.weights[self._next - 1]

    def conv(
        self, x: tf.Tensor, channels: int, size: int, stride: int = 1, activation: Activation = tf.nn.relu
    ) -> tf.Tensor:
        """Convolve with PyTorch's symmetric padding, add a bias and activate."""
        pad = size // 2
        padding = "SAME" if stride == 1 else [[0, 0], [pad, pad], [pad, pad], [0, 0]]
        if stride > 1 and size == 1:
            padding = "VALID"
        y = tf.nn.conv2d(x, self.weight(size, size, x.shape[-1], channels), stride, padding)
        return activation(tf.nn.bias_add(y, self.weight(channels)))

    def depthwise(self, x: tf.Tensor, size: int, stride: int, activation: Activation) -> tf.Tensor:
        """Convolve each channel on its own."""
        pad = size // 2
        if stride > 1:
            # As Keras does: explicit padding ends the process where oneDNN fuses the convolution with its bias.
            x = tf.pad(x, [[0, 0], [pad, pad], [pad, pad], [0, 0]])
        padding = "SAME" if stride == 1 else "VALID"
        y = tf.nn.depthwise_conv2d(x, self.weight(size, size, x.shape[-1], 1), [1, stride, stride, 1], padding)
        return activation(tf.nn.bias_add(y, self.weight(x.shape[-1])))

    def dense(self, x: tf.Tensor, units: int) -> tf.Tensor:
        """Multiply by a matrix and add a bias."""
        return tf.nn.bias_add(x @ self.weight(x.shape[-1], units), self.weight(units))

    def restart(self) -> None:
        """Begin a new pass over the same weights."""
        self._next = 0


def resnet50(layers: Layers, x: tf.Tensor) -> tf.Tensor:
    """ResNet-50 v1.5 (https://arxiv.org/abs/1512.03385); x is [N, 224, 224, 3]."""
    x = layers.conv(x, 64, 7, 2)
    x = tf.nn.max_pool2d(x, 3, 2, [[0, 0], [1, 1], [1, 1], [0, 0]])
    for width, blocks, stride in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)]:
        for index in range(blocks):
            step = stride if index == 0 else 1
            y = layers.conv(x, width, 1)
            y = layers.conv(y, width, 3, step)
            y = layers.conv(y, 4 * width, 1, activation=tf.identity)
            shortcut = layers.conv(x, 4 * width, 1, step, tf.identity) if index == 0 else x
            x = tf.nn.relu(y + shortcut)
    return layers.dense(tf.reduce_mean(x, [1, 2]), 1000)


def mobilenet_v2(layers: Layers, x: tf.Tensor) -> tf.Tensor:
    """MobileNetV2 (https://arxiv.org/abs/1801.04381); x is [N, 224, 224, 3]."""
    x = layers.conv(x, 32, 3, 2, tf.nn.relu6)
    for expansion, channels, blocks, stride in MOBILENET_V2:
        for index in range(blocks):
            y = layers.conv(x, expansion * x.shape[-1], 1, activation=tf.nn.relu6) if expansion > 1 else x
            y = layers.depthwise(y, 3, stride if index == 0 else 1, tf.nn.relu6)
            y = layers.conv(y, channels, 1, activation=tf.identity)
            x = y if index == 0 else x + y
    x = layers.conv(x, 1280, 1, activation=tf.nn.relu6)
    return layers.dense(tf.reduce_mean(x, [1, 2]), 1000)


def efficientnet_b0(layers: Layers, x: tf.Tensor) -> tf.Tensor:
    """EfficientNet-B0 (https://arxiv.org/abs/1905.11946); x is [N, 224, 224, 3]."""
    x = layers.conv(x, 32, 3, 2, tf.nn.silu)
    settings = [
        (1, 16, 1, 1, 3),
        (6, 24, 2, 2, 3),
        (6, 40, 2, 2, 5),
        (6, 80, 3, 2, 3),
        (6, 112, 3, 1, 5),
        (6, 192, 4, 2, 5),
        (6, 320, 1, 1, 3),
    ]
    for expansion, channels, blocks, stride, size in settings:
        for index in range(blocks):
            entry = x.shape[-1]
            y = layers.conv(x, expansion * entry, 1, activation=tf.nn.silu) if expansion > 1 else x
            y = layers.depthwise(y, size, stride if index == 0 else 1, tf.nn.silu)
            gate = layers.conv(tf.reduce_mean(y, [1, 2], keepdims=True), entry // 4, 1, activation=tf.nn.silu)
            y = y * layers.conv(gate, y.shape[-1], 1, activation=tf.sigmoid)
            y = layers.conv(y, channels, 1, activation=tf.identity)
            x = y if index == 0 else x + y
    x = layers.conv(x, 1280, 1, activation=tf.nn.silu)
    return layers.dense(tf.reduce_mean(x, [1, 2]), 1000)


NETWORKS = {"resnet50": resnet50, "mobilenet_v2": mobilenet_v2, "efficientnet_b0": efficientnet_b0}


def build(name: str, *, variables: bool) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return a traced network as a concrete function of a [1, 224, 224, 3] float32 tensor."""
    return _module(name, variables).serve.get_concrete_function()


def export(name: str, folder: str, *, variables: bool) -> None:
    """Write a network as a SavedModel with a signature of one ``image`` [1, 224, 224, 3] float32."""
    module = _module(name, variables)
    tf.saved_model.save(module, folder, signatures=module.serve.get_concrete_function())


def _module(name: str, variables: bool) -> tf.Module:
    layers, module = Layers(variables), tf.Module()

    def network(image: tf.Tensor) -> tf.Tensor:
        layers.restart()
        return NETWORKS[name](layers, image)

    specification = tf.TensorSpec([1, 224, 224, 3], tf.float32, name="image")
    module.serve = tf.function(network, input_signature=[specification], autograph=False)
    module.serve.get_concrete_function()  # makes the weights
    module.weights = list(layers.weights) if variables else []
    return module
