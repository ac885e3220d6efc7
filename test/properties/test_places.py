"""What moves elements by index or place: scattering, one-hot, ranges, sampling, detection, blocks, signals."""

from __future__ import annotations

import numpy as np
import onnx
from hypothesis import assume, given
from hypothesis import strategies as st

from test.handlers.check import check_op
from test.handlers.strategies import a_way, arrays, few, normal, one_of, shapes


def ints(*values) -> np.ndarray:
    return np.array(values, np.int64)


@few
@given(data=st.data())
def test_range(data):
    dtype = one_of(data, np.float32, np.float64, np.int16, np.int32, np.int64)
    start, limit = (np.array(data.draw(st.integers(-5, 5)), dtype) for _ in range(2))
    step = np.array(one_of(data, 1, -1, 2, -3, *((0.1, -0.75) if dtype in (np.float32, np.float64) else ())), dtype)
    count = max(int(np.ceil((limit - start) / step)), 0)
    expected = (start + np.arange(count).astype(dtype) * step).astype(dtype)
    constants = one_of(data, (), (0, 1, 2), (2,))
    check_op("Range", [start, limit, step], reference=[expected], constants=constants, through=["static"])


@few
@given(data=st.data())
def test_constant_of_shape(data):
    shape = data.draw(shapes(0, 4))
    dtype = one_of(data, np.float32, np.float16, np.int64, np.uint8, np.bool_)
    value = onnx.numpy_helper.from_array(np.array([one_of(data, 0, 1)], dtype))
    expected = np.full(shape, onnx.numpy_helper.to_array(value)[0])
    constants = one_of(data, (), (0,))
    through = ["static"]
    check_op(
        "ConstantOfShape", [ints(*shape)], {"value": value}, reference=[expected], constants=constants, through=through
    )


@few
@given(data=st.data())
def test_eye_like(data):
    x = np.zeros([data.draw(st.integers(0, 4)) for _ in range(2)], one_of(data, np.float32, np.int32, np.uint8))
    k = data.draw(st.integers(-5, 5))
    attributes, dtype = {"k": k}, x.dtype
    if data.draw(st.booleans()):
        dtype = np.dtype(one_of(data, np.float64, np.bool_, np.int64))
        attributes["dtype"] = onnx.helper.np_dtype_to_tensor_dtype(dtype)
    expected = [np.eye(*x.shape, k=k, dtype=dtype)]
    check_op("EyeLike", [x], attributes, reference=expected, through=a_way(data))


@few
@given(data=st.data())
def test_one_hot(data):
    shape, depth = data.draw(shapes(0, 3)), data.draw(st.integers(0, 4))
    count = int(np.prod(shape))
    dtype = one_of(data, np.int64, np.int32, np.float32, np.uint8)
    low = 0 if dtype is np.uint8 else -6
    indices = np.array(data.draw(st.lists(st.integers(low, 6), min_size=count, max_size=count)), dtype).reshape(shape)
    values = np.array(one_of(data, (0, 1), (5, -2)), one_of(data, np.float32, np.int64, np.int8))
    axis = data.draw(st.integers(-len(shape) - 1, len(shape)))
    # What lies beyond the depth is off everywhere.
    known = np.where((indices >= -depth) & (indices < depth), indices.astype(np.int64) % max(depth, 1), -1)
    expected = np.moveaxis(values[(known[..., None] == np.arange(depth)).astype(int)], -1, axis)
    inputs = [indices, np.array(depth, np.int64), values]
    constants = one_of(data, (), (1,), (1, 2))
    check_op("OneHot", inputs, {"axis": axis}, reference=[expected], constants=constants, through=a_way(data))


@few
@given(data=st.data())
def test_scatter_and_gather_nd(data):
    x = data.draw(arrays(np.float32, shapes(1, 3), finite=True))
    depth = data.draw(st.integers(1, x.ndim))
    rows = data.draw(st.integers(0, 3))
    assume(rows == 0 or all(x.shape[:depth]))
    places = [[data.draw(st.integers(-n, n - 1)) for n in x.shape[:depth]] for _ in range(rows)]
    places = np.array(places, np.int64).reshape(rows, depth)
    expected = np.stack([x[tuple(p)] for p in places]) if rows else np.zeros((0, *x.shape[depth:]), np.float32)
    way = a_way(data)
    # The length of an index must be known.
    settings = {"through": way if way == ["static"] else ["static"], "constants": one_of(data, (), (1,))}
    check_op("GatherND", [x, places], reference=[expected], **settings)
    updates = data.draw(arrays(np.float32, expected.shape, finite=True))
    reduction = one_of(data, "add", "max", "min")
    function = {"add": np.add, "max": np.maximum, "min": np.minimum}[reduction]
    result = x.copy()
    for at, update in zip(places, updates, strict=True):
        result[tuple(at)] = function(result[tuple(at)], update)
    check_op("ScatterND", [x, places, updates], {"reduction": reduction}, reference=[result], **settings)


@few
@given(data=st.data())
def test_tensor_scatter(data):
    batch, length, size = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 4)), data.draw(st.integers(0, 2))
    count = data.draw(st.integers(0, length))
    axis = one_of(data, 1, 2, -1)
    past, update = normal(data, batch, length, size), normal(data, batch, count, size)
    mode = one_of(data, "linear", "circular")
    starts = ints(*[data.draw(st.integers(0, length - count if mode == "linear" else 5)) for _ in range(batch)])
    expected = past.copy()
    for i in range(batch):
        for j in range(count):
            expected[i, (starts[i] + j) % length] = update[i, j]
    if axis != 1:
        past, update, expected = (t.swapaxes(1, 2) for t in (past, update, expected))
    inputs, attributes = [past, update, starts], {"axis": axis, "mode": mode}
    check_op("TensorScatter", inputs, attributes, opset=24, reference=[expected], through=a_way(data))


@few
@given(data=st.data())
def test_grid_sample(data):
    rank = data.draw(st.integers(1, 3))
    dims, outs = ([data.draw(st.integers(1, 4)) for _ in range(rank)] for _ in range(2))
    x = normal(data, data.draw(st.integers(1, 2)), data.draw(st.integers(1, 2)), *dims)
    grid = (normal(data, len(x), *outs, rank) * 1.5).astype(np.float32)
    mode = one_of(data, "linear", "nearest", *(["cubic"] if rank == 2 else []))
    padding, aligned = one_of(data, "zeros", "border", "reflection"), data.draw(st.integers(0, 1))
    attributes = {"mode": mode, "padding_mode": padding, "align_corners": aligned}
    # Half way the nearest element is a matter of the last bit.
    sizes = np.array(dims[::-1])
    places = (grid + 1) / 2 * (sizes - 1) if aligned else ((grid + 1) * sizes - 1) / 2
    assume(mode != "nearest" or (np.abs(np.abs(places % 1) - 0.5) > 1e-4).all())
    reference = "ort" if rank > 1 else "onnx"
    check_op("GridSample", [x, grid], attributes, opset=20, reference=reference, through=a_way(data))


@few
@given(data=st.data())
def test_roi_align(data):
    x = normal(data, data.draw(st.integers(1, 2)), 2, data.draw(st.integers(1, 6)), data.draw(st.integers(1, 6)))
    count = data.draw(st.integers(0, 3))
    rois = (normal(data, count, 4) * 3).astype(np.float32)
    rois[:, 2:] = rois[:, :2] + np.abs(rois[:, 2:])  # of others ONNX Runtime counts no samples, or too many
    attributes = {
        "mode": one_of(data, "avg", "max"),
        "coordinate_transformation_mode": one_of(data, "half_pixel", "output_half_pixel"),
        "output_height": data.draw(st.integers(1, 3)),
        "output_width": data.draw(st.integers(1, 3)),
        "sampling_ratio": data.draw(st.integers(0, 2)),
        "spatial_scale": one_of(data, 1.0, 0.5),
    }
    batches = ints(*[data.draw(st.integers(0, len(x) - 1)) for _ in range(count)])
    check_op("RoiAlign", [x, rois, batches], attributes, opset=16, through=a_way(data))


@few
@given(data=st.data())
def test_non_max_suppression(data):
    batch, classes, boxes = data.draw(st.integers(1, 2)), data.draw(st.integers(1, 2)), data.draw(st.integers(0, 6))
    centred = data.draw(st.integers(0, 1))
    places = np.abs(normal(data, batch, boxes, 4))
    if not centred and data.draw(st.booleans()):
        places = places[..., [2, 3, 0, 1]]
    scores = normal(data, batch, classes, boxes)
    scores = np.round(scores, one_of(data, 0, 3))
    inputs = [
        places,
        scores,
        one_of(data, None, ints(0), ints(2), ints(9)),
        np.array([one_of(data, 0.0, 0.3, 1.0)], np.float32),
        one_of(data, None, np.array([-0.5], np.float32), np.array([0.5], np.float32)),
    ]
    attributes = {"center_point_box": centred}
    check_op("NonMaxSuppression", inputs[: 5 if inputs[4] is not None else 4], attributes, through=a_way(data))


@few
@given(data=st.data())
def test_col2im(data):
    rank = data.draw(st.integers(1, 3))
    draw = lambda low, high, n=rank: [data.draw(st.integers(low, high)) for _ in range(n)]  # noqa: E731
    image, block, dilations, strides, pads = draw(1, 5), draw(1, 2), draw(1, 2), draw(1, 2), draw(0, 1, 2 * rank)
    counts = [
        (n + pads[i] + pads[i + rank] - d * (b - 1) - 1) // s + 1
        for i, (n, b, d, s) in enumerate(zip(image, block, dilations, strides, strict=True))
    ]
    assume(min(counts) > 0)
    batch, channels = data.draw(st.integers(1, 2)), data.draw(st.integers(1, 2))
    x = normal(data, batch, channels * int(np.prod(block)), int(np.prod(counts)))
    attributes = {"dilations": dilations, "strides": strides, "pads": pads}
    constants = one_of(data, (), (1, 2))
    padded = np.zeros([batch, channels, *[n + pads[i] + pads[i + rank] for i, n in enumerate(image)]], np.float32)
    columns = x.reshape([batch, channels, *block, *counts])
    for element in np.ndindex(*block):
        where = [
            slice(e * d, e * d + (c - 1) * s + 1, s)
            for e, d, c, s in zip(element, dilations, counts, strides, strict=True)
        ]
        padded[(slice(None), slice(None), *where)] += columns[(slice(None), slice(None), *element)]
    inner = [slice(pads[i], pads[i] + n) for i, n in enumerate(image)]
    # ONNX Runtime forgets the strides of three axes.
    settings = {
        "reference": [padded[(slice(None), slice(None), *inner)]],
        "constants": constants,
        "through": ["static"],
    }
    check_op("Col2Im", [x, ints(*image), ints(*block)], attributes, opset=18, **settings)


@few
@given(data=st.data())
def test_max_unpool(data):
    rank = data.draw(st.integers(1, 3))
    pooled = [data.draw(st.integers(1, 3)) for _ in range(rank)]
    strides, kernel = [data.draw(st.integers(1, 2)) for _ in pooled], [data.draw(st.integers(1, 2)) for _ in pooled]
    dims = [(n - 1) * s + k for n, s, k in zip(pooled, strides, kernel, strict=True)]
    x = normal(data, data.draw(st.integers(0, 2)), data.draw(st.integers(1, 2)), *pooled)
    total = len(x) * x.shape[1] * int(np.prod(dims))
    places = np.random.default_rng(data.draw(st.integers(0, 9))).permutation(total)[: x.size].reshape(x.shape)
    expected = np.zeros(total, np.float32)
    expected[places] = x
    expected = expected.reshape([*x.shape[:2], *dims])
    inputs, attributes = [x, places], {"kernel_shape": kernel, "strides": strides}
    check_op("MaxUnpool", inputs, attributes, reference=[expected], through=a_way(data))


@few
@given(data=st.data())
def test_blocks(data):
    size, mode = data.draw(st.integers(1, 3)), one_of(data, "DCR", "CRD")
    batch, channels, height, width = (data.draw(st.integers(0, 3)) for _ in range(4))
    x = data.draw(arrays(np.float32, (batch, channels * size * size, height, width), finite=True))
    if mode == "DCR":
        parts = x.reshape(batch, size, size, channels, height, width).transpose(0, 3, 4, 1, 5, 2)
    else:
        parts = x.reshape(batch, channels, size, size, height, width).transpose(0, 1, 4, 2, 5, 3)
    y = parts.reshape(batch, channels, height * size, width * size)
    attributes, through = {"blocksize": size, "mode": mode}, a_way(data)
    check_op("DepthToSpace", [x], attributes, reference=[y], through=through)
    check_op("SpaceToDepth", [y], attributes, opset=28, reference=[x], through=through)


@few
@given(data=st.data())
def test_affine_grid(data):
    rank, batch = one_of(data, 2, 3), data.draw(st.integers(0, 2))
    size = ints(batch, 2, *[data.draw(st.integers(2, 4)) for _ in range(rank)])
    theta, aligned = normal(data, batch, rank, rank + 1), data.draw(st.integers(0, 1))
    attributes, constants = {"align_corners": aligned}, one_of(data, (), (1,))
    check_op("AffineGrid", [theta, size], attributes, opset=20, constants=constants, through=["static"])


@few
@given(data=st.data())
def test_dft(data):
    dims = [data.draw(st.integers(1, 6)) for _ in range(data.draw(st.integers(1, 3)))]
    axis = (
        data.draw(st.integers(-len(dims) - 1, -2))
        if data.draw(st.booleans())
        else data.draw(st.integers(0, len(dims) - 1))
    )
    inverse, onesided = one_of(data, (0, 0), (0, 1), (1, 0))
    parts = 1 if onesided else one_of(data, 1, 2)
    x = normal(data, *dims, parts)
    length = one_of(data, None, np.array(data.draw(st.integers(1, 7)), np.int64))
    signal = x[..., 0] + (1j * x[..., 1] if parts == 2 else 0)
    along = axis if axis >= 0 else axis + 1
    n = None if length is None else int(length)
    function = np.fft.ifft if inverse else np.fft.rfft if onesided else np.fft.fft
    result = function(signal, n, along)
    expected = np.stack([result.real, result.imag], -1).astype(np.float32)
    attributes = {"inverse": inverse, "onesided": onesided}
    inputs = [x, length, np.array(axis, np.int64)]
    constants = one_of(data, (2,), (1, 2) if length is not None else (2,))
    check_op("DFT", inputs, attributes, opset=20, reference=[expected], constants=constants, through=a_way(data))
