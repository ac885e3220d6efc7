"""Conversion, quantisation, activations, products of matrices, losses and normalization of any shape."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
from hypothesis import assume, given
from hypothesis import strategies as st

from test.handlers.check import check_op, make_op_model, run_reference
from test.handlers.strategies import FLOATS, INTEGERS, a_way, arrays, broadcastable, few, normal, one_of, shapes

FLOATS8 = [getattr(ml_dtypes, f"float8_{n}") for n in ("e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz", "e8m0fnu")]
NARROW_INTEGERS = [getattr(ml_dtypes, name) for name in ("int4", "uint4", "int2", "uint2")]
DTYPES = [
    *(*FLOATS, ml_dtypes.bfloat16, *FLOATS8, ml_dtypes.float4_e2m1fn),
    *(*INTEGERS, *NARROW_INTEGERS, np.bool_),
]
NUMBERS = [0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, 3.75, 6.0, 100.0, -300.0, 448.0, 464.0, 7e4, -1e30, 1e-9]
SPECIAL = [np.inf, -np.inf, np.nan]


def onnx_type(dtype) -> int:
    return onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def is_integer(dtype) -> bool:
    return dtype in NARROW_INTEGERS or np.dtype(dtype).kind in "iu"


@few
@given(data=st.data())
def test_casting(data):
    source, target = one_of(data, *DTYPES), one_of(data, *DTYPES)
    shape = data.draw(shapes(0, 2))
    if is_integer(source) or source is np.bool_:
        x = data.draw(arrays(np.int64, shape)).astype(source)
    else:
        with np.errstate(all="ignore"):
            numbers = NUMBERS + ([] if is_integer(target) else SPECIAL)
            x = np.array(data.draw(st.lists(st.sampled_from(numbers), min_size=int(np.prod(shape)))))
            x = x[: int(np.prod(shape))].reshape(shape).astype(source)
        if is_integer(target):
            # What does not fit has no value that the operator states, nor has a float8e8m0's own zero.
            limits = ml_dtypes.iinfo(target)
            values = x.astype(np.float64)
            assume(np.isfinite(values).all())
            assume((np.trunc(values) >= int(limits.min)).all() and (np.trunc(values) <= int(limits.max)).all())
    attributes = {"to": onnx_type(target)}
    if target in FLOATS8:
        attributes["saturate"] = data.draw(st.integers(0, 1))
    if target is ml_dtypes.float8_e8m0fnu:
        attributes["round_mode"] = one_of(data, "up", "down", "nearest")
    with np.errstate(all="ignore"):
        check_op("Cast", [x], attributes, opset=25, reference="onnx", through=a_way(data), rtol=0, atol=0)


@few
@given(data=st.data())
def test_casting_of_strings(data):
    dtype = one_of(data, np.float32, np.float64, np.int32, np.int64, np.uint8, np.bool_)
    x = data.draw(arrays(dtype, shapes(0, 2)))
    check_op("Cast", [x], {"to": onnx.TensorProto.STRING}, opset=21, through=a_way(data))


@few
@given(data=st.data())
def test_quantization(data):
    dtype = one_of(data, np.int8, np.uint8, np.int16, np.uint16, *NARROW_INTEGERS, *FLOATS8[:4])
    shape = data.draw(shapes(0, 3))
    form = one_of(data, "tensor", *(["axis", "blocks"] if shape else []))
    attributes, parameters = {}, ()
    if form != "tensor":
        axis = data.draw(st.integers(-len(shape), len(shape) - 1))
        attributes["axis"] = axis
        parameters = (shape[axis],)
    if form == "blocks":
        size = attributes["block_size"] = data.draw(st.integers(1, 3))
        parameters = list(shape)
        parameters[axis] = -(-shape[axis] // size)
    scale = np.array(np.abs(normal(data, *parameters)) + 0.1, np.float32)
    x = np.asarray(normal(data, *shape) * 10, np.float32)
    x[np.abs(normal(data, *shape)) > 1.5] = one_of(data, 1e6, -1e6, -0.0)
    zero = np.zeros(parameters, dtype)
    if dtype not in FLOATS8:
        zero = np.array(np.abs(normal(data, *parameters)).astype(np.int32) % 2).astype(dtype)
    through = a_way(data)
    constants = one_of(data, (), (1, 2))
    settings = {"opset": 25, "through": through, "constants": constants, "reference": "onnx"}
    check_op("QuantizeLinear", [x, scale, zero], attributes, **settings)
    q = np.asarray(np.abs(normal(data, *shape) * 3)).astype(dtype)
    check_op("DequantizeLinear", [q, scale, zero], attributes, **settings)


@few
@given(data=st.data())
def test_quantized_products(data):
    a_type, b_type = one_of(data, (np.uint8, np.uint8), (np.uint8, np.int8), (np.int8, np.int8))
    rows, depth, columns = (data.draw(st.integers(0, 4)) for _ in range(3))
    a_shape = one_of(data, (rows, depth), (2, rows, depth), (1, 2, rows, depth))
    b_shape = one_of(data, (depth, columns), (2, depth, columns))
    a, b = data.draw(arrays(a_type, a_shape)), data.draw(arrays(b_type, b_shape))
    zeros = [data.draw(arrays(a_type, ())), data.draw(arrays(b_type, one_of(data, (), (columns,))))]
    constants, through = one_of(data, (), (1, 3)), a_way(data)
    expected = (a.astype(np.int64) - zeros[0]) @ (b.astype(np.int64) - zeros[1])
    settings = {"constants": constants, "through": through, "reference": [expected.astype(np.int32)]}
    check_op("MatMulInteger", [a, b, *zeros], opset=10, **settings)


@few
@given(data=st.data())
def test_quantized_convolution(data):
    dims = [data.draw(st.integers(1, 4)) for _ in range(data.draw(st.integers(1, 2)))]
    group = data.draw(st.integers(1, 2))
    kernel = [data.draw(st.integers(1, n)) for n in dims]
    pads = [data.draw(st.integers(0, k - 1)) for k in kernel * 2]
    b_type = one_of(data, np.uint8, np.int8)
    x = data.draw(arrays(np.uint8, (data.draw(st.integers(0, 2)), 2, *dims)))
    w = data.draw(arrays(b_type, (2, 2 // group, *kernel)))
    zeros = [data.draw(arrays(np.uint8, ())), data.draw(arrays(b_type, ()))]
    attributes = {"pads": pads, "group": group, "kernel_shape": kernel}
    wide = [x.astype(np.float64) - zeros[0], w.astype(np.float64) - zeros[1]]
    model = make_op_model("Conv", [t.astype(np.float32) for t in wide], attributes)
    (expected,) = run_reference(model, {f"x{i}": t.astype(np.float32) for i, t in enumerate(wide)}, "ort")
    settings = {"constants": one_of(data, (), (1, 3)), "through": a_way(data)}
    check_op(
        "ConvInteger", [x, w, *zeros], attributes, opset=10, reference=[np.rint(expected).astype(np.int32)], **settings
    )


@few
@given(data=st.data())
def test_activations(data):
    op_type, attributes = one_of(
        data,
        ("Relu", {}),
        ("LeakyRelu", {"alpha": 0.3}),
        ("Elu", {"alpha": 0.7}),
        ("Selu", {}),
        ("Celu", {"alpha": 0.7}),
        ("ThresholdedRelu", {"alpha": 0.5}),
        ("HardSigmoid", {}),
        ("HardSwish", {}),
        ("Softplus", {}),
        ("Softsign", {}),
        ("Mish", {}),
        ("Gelu", {}),
        ("Gelu", {"approximate": "tanh"}),
        ("Swish", {}),
        ("Shrink", {"bias": 0.5, "lambd": 1.0}),
    )
    x = data.draw(arrays(one_of(data, np.float32, np.float64), shapes(0, 3)))
    with np.errstate(all="ignore"):
        check_op(op_type, [x], attributes, reference="onnx", through=a_way(data))


@few
@given(data=st.data())
def test_softmaxes(data):
    op_type, opset = one_of(data, "Softmax", "LogSoftmax", "Hardmax"), one_of(data, 11, 13)
    x = data.draw(arrays(np.float32, shapes(1, 3), finite=True))
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    check_op(op_type, [x], {"axis": axis}, opset=opset, through=a_way(data))


@few
@given(data=st.data())
def test_prelu(data):
    shape = data.draw(shapes(1, 3))
    slope = tuple(one_of(data, 1, n) for n in shape)[data.draw(st.integers(0, len(shape))) :]
    dtype = one_of(data, np.float32, np.int32)
    inputs = [data.draw(arrays(dtype, s, finite=True)) for s in (shape, slope)]
    expected = np.where(inputs[0] < 0, inputs[0] * inputs[1], inputs[0])
    check_op("PRelu", inputs, reference=[expected], through=a_way(data))


@few
@given(data=st.data())
def test_matrix_product(data):
    n, k, m = (data.draw(st.integers(0, 3)) for _ in range(3))
    batches = data.draw(broadcastable())
    a_shape, b_shape = (*batches[0], n, k), (*batches[1], k, m)
    a_shape, b_shape = one_of(data, (a_shape, b_shape), ((k,), b_shape), (a_shape, (k,)), ((k,), (k,)))
    dtype = one_of(data, np.float32, np.float64, np.int32, np.int64, np.uint32)
    a, b = data.draw(arrays(dtype, a_shape, finite=True)), data.draw(arrays(dtype, b_shape, finite=True))
    constants = one_of(data, (), (1,))
    check_op("MatMul", [a, b], reference=[np.matmul(a, b)], constants=constants, through=a_way(data))


@few
@given(data=st.data())
def test_gemm(data):
    n, k, m = (data.draw(st.integers(0, 3)) for _ in range(3))
    across, down = data.draw(st.integers(0, 1)), data.draw(st.integers(0, 1))
    dtype = one_of(data, np.float32, np.float64, np.int32)
    a = data.draw(arrays(dtype, (k, n) if across else (n, k), finite=True))
    b = data.draw(arrays(dtype, (m, k) if down else (k, m), finite=True))
    c_shape = one_of(data, None, (), (1,), (m,), (1, m), (n, 1), (n, m))
    c = None if c_shape is None else data.draw(arrays(dtype, c_shape, finite=True))
    alpha, beta = one_of(data, 1.0, 0.5, 0.0), one_of(data, 1.0, 2.0, 0.0)
    assume(dtype is not np.int32 or (alpha == 1 and beta == 1))
    expected = alpha * ((a.T if across else a) @ (b.T if down else b)) + (0 if c is None else beta * c)
    attributes = {"transA": across, "transB": down, "alpha": alpha, "beta": beta}
    inputs = [a, b] if c is None else [a, b, c]
    constants = one_of(data, (), range(1, len(inputs)))
    check_op("Gemm", inputs, attributes, reference=[expected.astype(dtype)], constants=constants, through=a_way(data))


@few
@given(data=st.data())
def test_einsum(data):
    equation = one_of(
        data,
        *("ij,jk->ik", "ij,jk", "i,i", "ii->i", "ii", "ij->ji", "...ij,...jk->...ik", "b...,b...->..."),
        *("i->", "ij,ik,il->jkl", "bij, bjk -> bik", ",ij->ij", "i,j->ij", "...->...", "ijk->k", "a b,b c"),
    )
    sizes = {letter: data.draw(st.integers(0, 3)) for letter in "ijklabc"}
    dots = data.draw(shapes(0, 2))
    tensors = []
    for term in equation.split("->")[0].replace(" ", "").split(","):
        shape = []
        for part in term.replace("...", "."):
            shape += list(dots) if part == "." else [sizes[part]]
        tensors.append(normal(data, *shape))
    expected = np.asarray(np.einsum(equation, *tensors))
    check_op("Einsum", tensors, {"equation": equation}, reference=[expected], through=a_way(data))


@few
@given(data=st.data())
def test_determinant(data):
    size = data.draw(st.integers(1, 3))
    x = normal(data, *data.draw(shapes(0, 2)), size, size)
    check_op("Det", [x], reference=[np.asarray(np.linalg.det(x))], through=a_way(data))


@few
@given(data=st.data())
def test_losses(data):
    shape = [data.draw(st.integers(0, 3)), data.draw(st.integers(1, 3)), *data.draw(shapes(0, 2))]
    reduction = one_of(data, "none", "sum", "mean")
    count = shape[0] * int(np.prod(shape[2:]))
    labels = data.draw(st.lists(st.integers(0, shape[1] - 1), min_size=count, max_size=count))
    target = np.array(labels, one_of(data, np.int64, np.int32)).reshape([shape[0], *shape[2:]])
    weight = one_of(data, None, np.abs(normal(data, shape[1])) + np.float32(0.1))
    attributes = {"reduction": reduction}
    ignore = one_of(data, None, 0, -1)
    if ignore is not None:
        attributes["ignore_index"] = ignore
        target[target == shape[1] - 1] = ignore
    kept = np.ones(target.shape, bool) if ignore is None else target != ignore
    assume(reduction != "mean" or kept.any())
    scores = normal(data, *shape)
    op_type = one_of(data, "NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss")
    logs = scores
    if op_type.startswith("Softmax"):
        logs = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    scale = kept.astype(np.float32) * (1 if weight is None else weight[np.where(kept, target, 0)])
    each = -np.take_along_axis(logs, np.where(kept, target, 0)[:, None], 1)[:, 0] * scale
    loss = {"none": each, "sum": each.sum(), "mean": each.sum() / scale.sum() if kept.any() else 0}[reduction]
    expected = [np.asarray(loss, np.float32), logs] if op_type.startswith("Softmax") else [np.asarray(loss, np.float32)]
    inputs = [scores, target] if weight is None else [scores, target, weight]
    check_op(op_type, inputs, attributes, outputs=len(expected), reference=expected, through=a_way(data))


@few
@given(data=st.data())
def test_normalization(data):
    dims = [data.draw(st.integers(1, 3)) for _ in range(data.draw(st.integers(0, 3)))]
    x = normal(data, data.draw(st.integers(0, 3)), 4, *dims)
    wide, by_channel = x.astype(np.float64), (slice(None), *[None] * len(dims))
    scale, b, mean = (normal(data, 4) for _ in range(3))
    op_type = one_of(data, "BatchNormalization", *(["InstanceNormalization", "GroupNormalization"] if dims else []))
    if op_type == "BatchNormalization":
        var, attributes = np.abs(normal(data, 4)), {"epsilon": 1e-3}
        inputs, centred, factor = [x, scale, b, mean, var], wide - mean[by_channel], np.sqrt(var + 1e-3)[by_channel]
    else:
        groups = 4 if op_type == "InstanceNormalization" else one_of(data, 1, 2, 4)
        inputs, attributes = [x, scale, b], {"epsilon": 1e-2}
        if op_type == "GroupNormalization":
            attributes["num_groups"] = groups
        grouped = wide.reshape([len(x), groups, 4 // groups, *dims])
        axes = tuple(range(2, grouped.ndim))
        centred = (grouped - grouped.mean(axes, keepdims=True)).reshape(x.shape)
        factor = np.repeat(np.sqrt(grouped.var(axes) + 1e-2), 4 // groups, 1).reshape([len(x), 4, *[1] * len(dims)])
    expected = centred / factor * scale[by_channel] + b[by_channel]
    settings = {"through": a_way(data), "constants": one_of(data, (), range(1, len(inputs)))}
    reference = [expected.astype(np.float32)]
    check_op(op_type, inputs, attributes, reference=reference, opset=22, rtol=1e-3, atol=1e-4, **settings)


@few
@given(data=st.data())
def test_normalization_along_axes(data):
    x = data.draw(arrays(np.float32, shapes(2, 4, 1), finite=True))
    wide, attributes = x.astype(np.float64), {}
    op_type = one_of(data, "LRN", "LpNormalization", "MeanVarianceNormalization")
    if op_type == "LRN":
        size = data.draw(st.integers(1, 5))
        attributes, before = {"size": size, "alpha": 0.5, "bias": 1.5}, (size - 1) // 2
        squares = np.pad(wide**2, [(0, 0), (before, size - 1 - before), *[(0, 0)] * (x.ndim - 2)])
        expected = wide / (1.5 + 0.5 / size * sum(squares[:, i : i + x.shape[1]] for i in range(size))) ** 0.75
    elif op_type == "LpNormalization":
        # The evaluator forgets the magnitude of the norm for p = 1.
        axis, p = data.draw(st.integers(-x.ndim, x.ndim - 1)), one_of(data, 1, 2)
        norm = (np.abs(wide) ** p).sum(axis, keepdims=True) ** (1 / p)
        attributes, expected = {"axis": axis, "p": p}, wide / np.where(norm == 0, 1, norm)
    else:
        axes = data.draw(st.lists(st.integers(-x.ndim, x.ndim - 1), min_size=1, unique_by=lambda a: a % x.ndim))
        attributes, along = {"axes": axes}, tuple(axes)
        expected = (wide - wide.mean(along, keepdims=True)) / (wide.std(along, keepdims=True) + 1e-9)
        assume((wide.std(along) > 1e-3).all())
    settings = {"through": a_way(data), "rtol": 1e-3, "atol": 1e-4}
    check_op(op_type, [x], attributes, reference=[expected.astype(np.float32)], opset=22, **settings)


@few
@given(data=st.data())
def test_normalization_of_layers(data):
    shape = data.draw(shapes(1, 3, 1))
    shape = (data.draw(st.integers(0, 2)), *shape)
    axis = data.draw(st.integers(1 - len(shape), len(shape) - 1).filter(lambda a: a != 0))
    x = normal(data, *shape)
    own = [one_of(data, n, n, 1) for n in shape[axis:]]
    inputs = [x, normal(data, *own)]
    wide = x.astype(np.float64)
    axes = tuple(range(axis % len(shape), len(shape)))
    if data.draw(st.booleans()):
        mean = wide.mean(axes, keepdims=True)
        factor = 1 / np.sqrt(wide.var(axes, keepdims=True) + 1e-3)
        b = one_of(data, None, normal(data, *own))
        expected = (wide - mean) * factor * inputs[1] + (0 if b is None else b)
        inputs, results, op_type = (
            [*inputs, *([] if b is None else [b])],
            [expected, mean, factor],
            "LayerNormalization",
        )
    else:
        expected = wide / np.sqrt((wide**2).mean(axes, keepdims=True) + 1e-3) * inputs[1]
        results, op_type = [expected], "RMSNormalization"
    reference = [r.astype(np.float32) for r in results]
    attributes = {"axis": axis, "epsilon": 1e-3}
    check_op(
        op_type,
        inputs,
        attributes,
        opset=23,
        outputs=len(results),
        reference=reference,
        through=a_way(data),
        rtol=1e-3,
        atol=1e-4,
    )
