"""Quantised operators of com.microsoft: integers equal to ONNX Runtime's."""

from __future__ import annotations

import numpy as np

from test.handlers.com_microsoft.case import case, each

RNG = np.random.default_rng(11)


def scalar(value, dtype=np.float32):
    return np.array(value, dtype)


def integers(dtype, *shape):
    limits = np.iinfo(dtype)
    return RNG.integers(limits.min, limits.max + 1, shape).astype(dtype)


def zero_of(dtype, value=0):
    return scalar(value + (128 if dtype == np.uint8 else 0), dtype)


@each("op_type", ["QLinearAdd", "QLinearMul"])
@each("dtype", [np.uint8, np.int8])
def sums_and_products(op_type, dtype):
    for a_shape, b_shape in [((2, 3, 300), (2, 3, 300)), ((3, 4), (3, 1)), ((5,), ())]:
        a, b = integers(dtype, *a_shape), np.asarray(integers(dtype, *b_shape))
        inputs = [a, scalar(0.031), zero_of(dtype, 5), b, scalar(0.017), zero_of(dtype, -7)]
        inputs += [scalar(0.04 if op_type == "QLinearAdd" else 0.03), zero_of(dtype, 3)]
        yield case(op_type, inputs, through=["static", "export"] if a.ndim == 2 else ["dynamic"])
        yield case(op_type, inputs[:7], constants=range(1, 3), through=["dynamic"])


@each("op_type attributes", [("QLinearSigmoid", {}), ("QLinearLeakyRelu", {"alpha": 0.3})])
@each("dtype", [np.uint8, np.int8])
def activations_of_every_value(op_type, attributes, dtype):
    limits = np.iinfo(dtype)
    x = np.arange(limits.min, limits.max + 1).astype(dtype)
    y_scale = 1 / 256 if op_type == "QLinearSigmoid" else 0.03
    inputs = [x, scalar(0.04), zero_of(dtype, 9), scalar(y_scale), zero_of(dtype, -20)]
    yield case(op_type, inputs, attributes)
    yield case(op_type, [*inputs[:2], None, inputs[3], None], attributes, through=["dynamic", "export"])


@each("dtype", [np.uint8, np.int8])
@each("opset axis", [(13, -1), (13, 1), (12, 1), (11, 2)])
def softmax(dtype, opset, axis):
    x = integers(dtype, 3, 4, 10)
    inputs = [x, scalar(0.02), zero_of(dtype, 3), scalar(1 / 256), scalar(np.iinfo(dtype).min, dtype)]
    attributes = {"opset": opset, "axis": axis}
    # ONNX Runtime builds tables from constant scales.
    yield case("QLinearSoftmax", inputs, attributes, constants=[1, 2, 3, 4])
    inputs[2] = None
    yield case("QLinearSoftmax", inputs, attributes, constants=[1, 3, 4], through=["dynamic"])


@each("dtype", [np.uint8, np.int8])
def concat_and_where(dtype):
    a, b = integers(dtype, 2, 3, 4), integers(dtype, 2, 2, 4)
    triples = [a, scalar(0.1), zero_of(dtype, 1), b, scalar(0.03), zero_of(dtype, -9)]
    yield case("QLinearConcat", [scalar(0.07), zero_of(dtype, 4), *triples], {"axis": 1})
    yield case("QLinearConcat", [scalar(0.07), zero_of(dtype, 4), *triples], {"axis": -2}, constants=[0, 1, 3, 4, 6, 7])
    condition = RNG.integers(0, 2, (2, 1, 4)).astype(bool)
    inputs = [condition, *triples[:3], b[:, :1], *triples[4:], scalar(0.05), zero_of(dtype, 2)]
    yield case("QLinearWhere", inputs, constants=[2, 3, 5, 6, 7, 8])
    inputs[0], inputs[4] = condition[:1], b[0, :1]
    yield case("QLinearWhere", inputs, constants=[2, 3, 5, 6, 7, 8], through=["dynamic"])


POOLS = [
    ((1, 3, 8, 9), {"kernel_shape": [2, 3], "strides": [2, 2], "pads": [1, 1, 0, 1]}),
    ((2, 2, 7, 7), {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    ((1, 4, 7, 7), {"kernel_shape": [7, 7]}),
]


@each("shape attributes", POOLS)
@each("channels_last", [0, 1])
def average_pools(shape, attributes, channels_last):
    for dtype in (np.uint8, np.int8):
        x = integers(dtype, *shape)
        x = x.transpose(0, 2, 3, 1).copy() if channels_last else x
        inputs = [x, scalar(0.05), zero_of(dtype, 3), scalar(0.02), zero_of(dtype, -1)]
        last = {"channels_last": channels_last}
        yield case("QLinearAveragePool", inputs, attributes | last)
        yield case("QLinearGlobalAveragePool", inputs, last)
        yield case("QLinearAveragePool", inputs[:4], attributes | last, through=["dynamic"])


@each("a_type b_type", [(np.uint8, np.uint8), (np.int8, np.int8)])
@each("columns", [False, True])
def gemm(a_type, b_type, columns):
    a, b = integers(a_type, 5, 40), integers(b_type, 40, 6)
    count = (6,) if columns else ()
    b_scale = np.asarray(RNG.uniform(0.01, 0.1, count), np.float32)
    b_zero = np.asarray(RNG.integers(0, 20, count), b_type)
    c = RNG.integers(-5000, 5000, 6).astype(np.int32)
    y = [scalar(2.3), zero_of(a_type, 1)]
    inputs = [a, scalar(0.02), zero_of(a_type, 3), b, b_scale, b_zero]
    yield case("QGemm", [*inputs, c, *y], constants=range(3, 9))
    yield case("QGemm", [*inputs, None, *y], {"alpha": 0.7})
    yield case("QGemm", [*inputs, c[None]], constants=range(3, 7))
    transposed = [a.T.copy(), *inputs[1:3], b.T.copy(), b_scale, b_zero]
    yield case("QGemm", [*transposed, c, *y], {"transA": 1, "transB": 1}, constants=range(3, 9), through=["dynamic"])
    yield case("QGemm", [*transposed, None], {"transA": 1, "transB": 1}, through=["dynamic", "export"])


@each("columns", [False, True])
def matrix_products_to_float(columns):
    a, b = integers(np.uint8, 2, 5, 40), integers(np.uint8, 40, 6)
    count = (6,) if columns else ()
    b_scale = np.asarray(RNG.uniform(0.01, 0.1, count), np.float32)
    b_zero = np.asarray(RNG.integers(0, 20, count), np.uint8)
    bias = RNG.normal(size=6).astype(np.float32)
    inputs = [a, b, scalar(0.02), b_scale, scalar(7, np.uint8), b_zero, bias]
    yield case("MatMulIntegerToFloat", inputs, constants=[1, 5])
    yield case("MatMulIntegerToFloat", [*inputs[:4], None, None, bias], through=["dynamic", "export"])
    yield case("MatMulIntegerToFloat", inputs[:4])
    x = RNG.normal(size=(2, 5, 40)).astype(np.float32)
    for optional in ([], [b_zero], [None, bias], [b_zero, bias]):
        yield case("DynamicQuantizeMatMul", [x, b, b_scale, *optional], constants=[1])


def linear():
    x = RNG.normal(0, 3, (3, 4)).astype(np.float32)
    for dtype in (np.uint8, np.int8, np.uint16, np.int16):
        q = integers(dtype, 3, 4)
        yield case("QuantizeLinear", [x, scalar(0.1), zero_of(dtype)], through=["dynamic"])
        yield case("DequantizeLinear", [q, scalar(0.1), zero_of(dtype)], through=["dynamic"])
    scale, zero = RNG.uniform(0.1, 1, 3).astype(np.float32), integers(np.int8, 3)
    yield case("QuantizeLinear", [x, scale, zero], {"axis": 0})
    yield case("DequantizeLinear", [integers(np.int8, 3, 4), scale, zero], {"axis": -2})
    yield case("QuantizeLinear", [x, scalar(0.1)], through=["export"])
    yield case("DequantizeLinear", [integers(np.uint8, 3, 4), scalar(0.1)], through=["export"])


@each("channels_last", [0, 1])
@each("group", [1, 2])
def conv(channels_last, group):
    x, w = integers(np.uint8, 1, 4, 6, 7), integers(np.uint8, 4, 4 // group, 3, 3)
    x = x.transpose(0, 2, 3, 1).copy() if channels_last else x
    bias = RNG.integers(-5000, 5000, 4).astype(np.int32)
    inputs = [x, scalar(0.02), scalar(120, np.uint8), w, scalar(0.01), scalar(99, np.uint8), scalar(0.5)]
    attributes = {"channels_last": channels_last, "group": group, "pads": [1, 0, 1, 1], "strides": [2, 1]}
    yield case("QLinearConv", [*inputs, scalar(90, np.uint8), bias], attributes, constants=range(1, 9))
    yield case("QLinearConv", [*inputs, scalar(90, np.uint8)], attributes, constants=range(1, 8), through=["static"])


def products_of_16_bits():
    for a_shape, b_shape in [((3, 4), (4, 5)), ((2, 3, 4), (2, 4, 5)), ((2, 3, 4), (4, 1))]:
        operands = [RNG.integers(-20000, 20000, shape).astype(np.int16) for shape in (a_shape, b_shape)]
        yield case("MatMulInteger16", operands)


@each("dtype by_gate", [(np.uint8, False), (np.int8, False), (np.int8, True)])
@each("direction", ["forward", "reverse", "bidirectional"])
def lstm(dtype, by_gate, direction):
    count, size = 2 if direction == "bidirectional" else 1, 5
    shape = (count, 4 * size) if by_gate else (count,)
    weights = [integers(dtype, count, rows, 4 * size) for rows in (4, size)]
    scales = [RNG.uniform(0.002, 0.01, shape).astype(np.float32) for _ in range(2)]
    zeros = [np.full(shape, 0 if dtype == np.int8 else 120, dtype) for _ in range(2)]
    quantized = [scales[0], zeros[0], scales[1], zeros[1]]
    settings = {"outputs": 3, "constants": [1, 2, 8, 9, 10, 11], "rtol": 1e-3}
    attributes = {"hidden_size": size, "direction": direction}

    def normal(*dims):
        return RNG.normal(size=dims).astype(np.float32)

    # Of one sequence: how ONNX Runtime quantises the states of several depends on its threads.
    inputs = [normal(6, 1, 4), *weights, None, None, None, None, None, *quantized]
    yield case("DynamicQuantizeLSTM", inputs, attributes, **settings, through=["dynamic"])
    states = [normal(count, 8 * size), np.array([4], np.int32), normal(count, 1, size), normal(count, 1, size)]
    inputs[3:8] = [*states, normal(count, 3 * size)]
    yield case("DynamicQuantizeLSTM", inputs, attributes, **settings, through=["static"])


@each("axes keepdims", [([1], 1), ([2, 3], 0), ([0, 1, 2, 3], 1)])
def reduce_mean(axes, keepdims):
    x, scale = integers(np.uint8, 2, 3, 4, 5), 0.0517
    mean = ((x.astype(np.float64) - 120) * 0.1).mean(tuple(axes), keepdims=bool(keepdims))
    for zero in (None, scalar(7, np.uint8)):
        expected = np.clip(np.rint(mean / scale) + (0 if zero is None else 7), 0, 255).astype(np.uint8)
        inputs = [x, scalar(0.1), scalar(120, np.uint8), scalar(scale), zero]
        # ONNX Runtime knows the operator, but has no kernel: the formula is the one it documents.
        yield case("QLinearReduceMean", inputs, {"axes": axes, "keepdims": keepdims}, reference=[expected])
    mean = (x.astype(np.float64) * 0.1).mean(tuple(axes), keepdims=bool(keepdims))
    expected = np.clip(np.rint(mean / 0.2017), 0, 255).astype(np.uint8)
    inputs = [x, scalar(0.1), None, scalar(0.2017)]
    yield case(
        "QLinearReduceMean", inputs, {"axes": axes, "keepdims": keepdims}, reference=[expected], through=["dynamic"]
    )
