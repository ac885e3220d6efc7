"""Convolutions, pools, padding and resizing: every rank, stride, dilation, padding and empty dimension."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from test.handlers.check import check_op
from test.handlers.strategies import a_way, few, normal, one_of


def placed(data, dims, *, pads=True):
    """Return the attributes that place windows over dims, and the size of a window."""
    rank = len(dims)

    def draw(low, high, count):
        return data.draw(st.lists(st.integers(low, high), min_size=count, max_size=count))

    kernel, strides, dilations = draw(1, 3, rank), draw(1, 3, rank), draw(1, 2, rank)
    attributes = {"strides": strides, "dilations": dilations}
    auto_pad = one_of(data, "NOTSET", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER") if pads else "NOTSET"
    total = [0] * 2 * rank
    if auto_pad.startswith("SAME"):
        attributes["dilations"] = dilations = [1] * rank  # ONNX Runtime refuses others
    if auto_pad == "NOTSET":
        total = draw(0, 2, 2 * rank)
        total = [min(p, k - 1) for p, k in zip(total, kernel * 2, strict=True)]
        attributes["pads"] = total
    else:
        attributes["auto_pad"] = auto_pad
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    if not auto_pad.startswith("SAME"):
        assume(all(n + total[i] + total[i + rank] >= e for i, (n, e) in enumerate(zip(dims, extents, strict=True))))
    return attributes, kernel


@few
@given(data=st.data())
def test_convolution(data):
    rank, groups = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    dims = [data.draw(st.integers(1, 6)) for _ in range(rank)]
    own, results = data.draw(st.integers(1, 2)), groups * data.draw(st.integers(1, 2))
    attributes, kernel = placed(data, dims)
    x = normal(data, data.draw(st.integers(0, 2)), own * groups, *dims)
    w = normal(data, results, own, *kernel)
    b = one_of(data, None, normal(data, results))
    constants = one_of(data, (), (1,))
    inputs = [x, w] if b is None else [x, w, b]
    attributes |= {"group": groups, "kernel_shape": kernel}
    check_op("Conv", inputs, attributes, constants=constants, through=a_way(data))


@few
@given(data=st.data())
def test_transposed_convolution(data):
    rank, groups = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    dims = [data.draw(st.integers(1, 5)) for _ in range(rank)]
    own, results = data.draw(st.integers(1, 2)), data.draw(st.integers(1, 2))
    kernel = [data.draw(st.integers(1, 3)) for _ in dims]
    strides = [data.draw(st.integers(1, 3)) for _ in dims]
    dilations = [data.draw(st.integers(1, 2)) for _ in dims]
    extra = [data.draw(st.integers(0, s - 1)) for s in strides]
    attributes = {"strides": strides, "dilations": dilations, "group": groups, "kernel_shape": kernel}
    attributes["output_padding"] = extra
    fulls = [
        (n - 1) * s + (k - 1) * d + 1 + e for n, s, k, d, e in zip(dims, strides, kernel, dilations, extra, strict=True)
    ]
    how = one_of(data, "pads", "auto_pad", "output_shape")
    if how == "pads":
        pads = [data.draw(st.integers(0, 2)) for _ in range(2 * rank)]
        assume(all(f - pads[i] - pads[i + rank] > 0 for i, f in enumerate(fulls)))
        attributes["pads"] = pads
    elif how == "auto_pad":
        attributes["auto_pad"] = one_of(data, "SAME_UPPER", "SAME_LOWER", "VALID")
        # Of windows shorter than the stride ONNX Runtime makes less than the size that the operator states.
        assume(all(f >= n * s for f, n, s in zip(fulls, dims, strides, strict=True)))
    else:
        attributes["output_shape"] = [max(1, f - data.draw(st.integers(0, 3))) for f in fulls]
        attributes["auto_pad"] = one_of(data, "NOTSET", "SAME_UPPER", "SAME_LOWER")
    x = normal(data, data.draw(st.integers(0, 2)), own * groups, *dims)
    w = normal(data, own * groups, results, *kernel)
    b = one_of(data, None, normal(data, groups * results))
    inputs = [x, w] if b is None else [x, w, b]
    check_op("ConvTranspose", inputs, attributes, constants=one_of(data, (), (1,)), through=a_way(data))


@few
@given(data=st.data())
def test_deformable_convolution(data):
    groups, offset_groups = data.draw(st.integers(1, 2)), data.draw(st.integers(1, 2))
    dims = [data.draw(st.integers(1, 5)) for _ in range(2)]
    attributes, kernel = placed(data, dims, pads=False)
    outs = [
        (n + attributes["pads"][i] + attributes["pads"][i + 2] - (k - 1) * d - 1) // s + 1
        for i, (n, k, d, s) in enumerate(zip(dims, kernel, attributes["dilations"], attributes["strides"], strict=True))
    ]
    batch, count = data.draw(st.integers(1, 2)), int(np.prod(kernel))
    x, w = normal(data, batch, 4, *dims), normal(data, 2 * groups, 4 // groups, *kernel)
    offset = normal(data, batch, offset_groups * count * 2, *outs) * np.float32(2)
    mask = one_of(data, None, normal(data, batch, offset_groups * count, *outs))
    b = one_of(data, None, normal(data, 2 * groups))
    attributes |= {"group": groups, "offset_group": offset_groups, "kernel_shape": kernel}
    check_op("DeformConv", [x, w, offset, b, mask], attributes, opset=22, through=a_way(data))


@few
@given(data=st.data())
def test_pooling(data):
    op_type = one_of(data, "MaxPool", "MaxPool", "AveragePool", "AveragePool", "LpPool")
    dims = [data.draw(st.integers(1, 6)) for _ in range(data.draw(st.integers(1, 3)))]
    attributes, kernel = placed(data, dims)
    attributes["kernel_shape"] = kernel
    # ONNX Runtime takes no pools of SAME padding that leave elements out.
    assume("auto_pad" not in attributes or all(s <= k for s, k in zip(attributes["strides"], kernel, strict=True)))
    # By ONNX Runtime ceil_mode means something beside VALID, by the operator's formula it does not.
    attributes["ceil_mode"] = 0 if attributes.get("auto_pad") == "VALID" else data.draw(st.integers(0, 1))
    if op_type == "AveragePool":
        attributes["count_include_pad"] = data.draw(st.integers(0, 1))
    if op_type == "LpPool":
        attributes["p"] = data.draw(st.integers(1, 3))
    outputs = data.draw(st.integers(1, 2)) if op_type == "MaxPool" else 1
    x = normal(data, data.draw(st.integers(0, 2)), data.draw(st.integers(1, 2)), *dims)
    if op_type == "MaxPool":
        x[normal(data, *x.shape) > 1.5] = one_of(data, np.inf, -np.inf)
    check_op(op_type, [x], attributes, opset=22, outputs=outputs, through=a_way(data))


@few
@given(data=st.data())
def test_global_pooling(data):
    op_type = one_of(data, "GlobalMaxPool", "GlobalAveragePool", "GlobalLpPool")
    dims = [data.draw(st.integers(1, 4)) for _ in range(data.draw(st.integers(1, 3)))]
    x = normal(data, data.draw(st.integers(0, 2)), data.draw(st.integers(1, 3)), *dims)
    attributes = {"p": data.draw(st.integers(1, 3))} if op_type == "GlobalLpPool" else {}
    check_op(op_type, [x], attributes, opset=21, through=a_way(data))


@few
@given(data=st.data())
def test_padding(data):
    mode = one_of(data, "constant", "reflect", "edge", "wrap")
    rank = data.draw(st.integers(1, 4))
    dims = [data.draw(st.integers(0 if mode == "constant" else 1, 4)) for _ in range(rank)]
    axes = one_of(data, None, data.draw(st.lists(st.integers(-rank, rank - 1), unique_by=lambda a: a % rank)))
    over = range(rank) if axes is None else axes
    before = [data.draw(st.integers(-dims[a], 4)) for a in over]
    after = [data.draw(st.integers(-dims[a] - min(b, 0), 4)) for a, b in zip(over, before, strict=True)]
    dtype = one_of(data, np.float32, np.int64, np.uint8, np.bool_)
    x = (normal(data, *dims) * 3).astype(np.int8).astype(dtype)
    value = one_of(data, None, np.array(1, dtype)) if mode == "constant" else None
    names = None if axes is None else np.array(axes, np.int64)
    inputs = [x, np.array([*before, *after], np.int64), value, names]
    constants = one_of(data, (), (1,), (1, 3))
    constants = [i for i in constants if inputs[i] is not None]
    pairs = [(0, 0)] * rank
    for a, b, c in zip(over, before, after, strict=True):
        pairs[a % rank] = (b, c)
    left = x[tuple(slice(max(-b, 0), n - max(-c, 0)) for n, (b, c) in zip(dims, pairs, strict=True))]
    grown = [(max(b, 0), max(c, 0)) for b, c in pairs]
    assume(mode == "constant" or left.size)
    options = {"constant_values": 0 if value is None else value} if mode == "constant" else {}
    expected = np.pad(left, grown, mode, **options)
    check_op("Pad", inputs, {"mode": mode}, constants=constants, through=a_way(data), reference=[expected])


@few
@given(data=st.data())
def test_resizing(data):
    mode = one_of(data, "nearest", "linear", "cubic")
    coordinates = one_of(
        data,
        *("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"),
        "tf_crop_and_resize",
    )
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinates}
    roi = None
    if mode == "nearest":
        attributes["nearest_mode"] = one_of(data, "round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    elif coordinates != "tf_crop_and_resize":
        attributes["antialias"] = data.draw(st.integers(0, 1))
    if mode == "cubic":
        attributes["exclude_outside"] = data.draw(st.integers(0, 1))
        attributes["cubic_coeff_a"] = one_of(data, -0.75, -0.5)
    dims = [1, data.draw(st.integers(1, 2)), data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5))]
    x = normal(data, *dims)
    axes = one_of(data, None, [2, 3], [3, 2])
    over = range(4) if axes is None else axes
    if axes is not None:
        attributes["axes"] = axes
    if coordinates == "tf_crop_and_resize":
        attributes["extrapolation_value"] = 2.5
        starts = [0.0 if a < 2 else one_of(data, 0.0, 0.25, -0.3) for a in over]
        ends = [1.0 if a < 2 else one_of(data, 1.0, 0.7, 1.4) for a in over]
        roi = np.array(starts + ends, np.float32)
    if data.draw(st.booleans()) or roi is not None:
        sizes = np.array([dims[a] if a < 2 and axes is None else data.draw(st.integers(1, 9)) for a in over])
        scales = None
        # ONNX Runtime forgets the region where the size stays.
        assume(roi is None or all(n != dims[a] for a, n in zip(over, sizes, strict=True) if a >= 2))
        if axes is not None and coordinates != "tf_crop_and_resize":
            attributes["keep_aspect_ratio_policy"] = one_of(data, "stretch", "not_larger", "not_smaller")
    else:
        sizes = None
        factors = [1.0 if a < 2 else one_of(data, 0.5, 0.6, 1.0, 1.3, 2.0, 2.5, 3.0) for a in over]
        factors = [max(f, 1.0) if dims[a] == 1 else f for f, a in zip(factors, over, strict=True)]
        scales = np.array(factors, np.float32)
    constants = one_of(data, (), [i for i, t in enumerate([None, roi, scales, sizes]) if t is not None])
    way = a_way(data)
    inputs = [x, roi, scales, sizes] if sizes is not None else [x, roi, scales]
    check_op("Resize", inputs, attributes, opset=19, constants=constants, through=way, rtol=1e-4, atol=1e-4)
