"""Recurrence, control flow, attention and sequences: zero trips, empty sequences, masks, caches."""

from __future__ import annotations

import numpy as np
import onnx
from hypothesis import given
from hypothesis import strategies as st

from onnx_tf import prepare
from test.handlers.check import check_op, compare, run_reference
from test.handlers.strategies import a_way, arrays, few, normal, one_of

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


@few
@given(data=st.data())
def test_recurrence(data):
    op_type = one_of(data, "RNN", "GRU", "LSTM")
    direction = one_of(data, "forward", "reverse", "bidirectional")
    directions, gates = 1 + (direction == "bidirectional"), GATES[op_type]
    time, batch = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 3))
    features, hidden = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    attributes = {"direction": direction, "hidden_size": hidden}
    maybe = lambda *shape: one_of(data, None, normal(data, *shape))  # noqa: E731
    lengths = one_of(data, None, np.array([data.draw(st.integers(0, time)) for _ in range(batch)], np.int32))
    inputs = [
        normal(data, time, batch, features),
        normal(data, directions, gates * hidden, features),
        normal(data, directions, gates * hidden, hidden),
        maybe(directions, 2 * gates * hidden),
        lengths,
        maybe(directions, batch, hidden),
    ]
    if op_type == "LSTM":
        inputs += [maybe(directions, batch, hidden), maybe(directions, 3 * hidden)]
        attributes["input_forget"] = data.draw(st.integers(0, 1))
    if op_type == "GRU":
        attributes["linear_before_reset"] = data.draw(st.integers(0, 1))
    if data.draw(st.booleans()):
        attributes["clip"] = 0.5
    outputs = 3 if op_type == "LSTM" else 2
    constants = one_of(data, (), [i for i in (1, 2, 3) if inputs[i] is not None])
    check_op(op_type, inputs, attributes, outputs=outputs, constants=constants, through=a_way(data), opset=14)


def parsed(body):
    return onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 21]> {body}')


def check_graph(body, feed):
    """Check the outputs of a graph's text against ONNX Runtime's."""
    model = parsed(body)
    compare(run_reference(model, feed, "ort"), list(prepare(model).run(feed)), rtol=1e-4, atol=1e-5)


@few
@given(data=st.data())
def test_if(data):
    n = data.draw(st.integers(0, 3))
    feed = {"x": normal(data, n, 2), "c": np.array(data.draw(st.booleans()))}
    shape = "n, 2" if data.draw(st.booleans()) else f"{n}, 2"
    check_graph(
        f"""g (float[{shape}] x, bool c) => (float[p, q] y, float[m] z) {{
            y, z = If (c) <then_branch = t () => (float[p, q] a, float[m] b) {{
                a = Neg(x) axes = Constant <value_ints = [1]> () b = ReduceSum <keepdims = 0> (x, axes)
            }}, else_branch = e () => (float[p, q] a, float[m] b) {{
                a = Transpose (x) axes = Constant <value_ints = [0]> () b = ReduceMax <keepdims = 0> (x, axes)
            }}> }}"""
        if n
        else f"""g (float[{shape}] x, bool c) => (float[p, q] y) {{
            y = If (c) <then_branch = t () => (float[p, q] a) {{ a = Neg(x) }},
                        else_branch = e () => (float[p, q] a) {{ a = Transpose (x) }}> }}""",
        feed,
    )


@few
@given(data=st.data())
def test_loop(data):
    trips, n = data.draw(st.integers(0, 5)), data.draw(st.integers(0, 3))
    feed = {"x": normal(data, n, 2), "limit": np.array(trips), "keep": np.array(data.draw(st.booleans()))}
    stop = data.draw(st.integers(0, 4))
    known = data.draw(st.booleans())
    grows = data.draw(st.booleans())
    update = "joined = Concat <axis = 0> (state, x)" if grows else "joined = Add (state, x)"
    # A scan output must have the same shape in each iteration.
    seen = "taken = ReduceSum <keepdims = 0> (state)"
    if known:
        feed.pop("limit")
        feed.pop("keep")
        inputs, start = (
            f"float[{n}, 2] x",
            f"limit = Constant <value_int = {trips}> () keep = Constant <value = bool {{1}}> ()",
        )
    else:
        inputs, start = "float[n, 2] x, int64 limit, bool keep", ""
    check_graph(
        f"""g ({inputs}) => (float[p, 2] y, float[t] sums, int64[t] numbers) {{
            {start}
            y, sums, numbers = Loop (limit, keep, x) <body = b (int64 i, bool go, float[q, 2] state)
                => (bool next, float[r, 2] joined, float taken, int64 j) {{
                last = Constant <value_int = {stop}> () next = Less (i, last)
                {update} {seen} j = Identity (i)
            }}> }}""",
        feed,
    )


@few
@given(data=st.data())
def test_scan(data):
    length, n = data.draw(st.integers(0, 4)), data.draw(st.integers(0, 3))
    axis = one_of(data, 0, 1, -1)
    rows, state = normal(data, length, n), normal(data, n)
    x = rows if axis == 0 else rows.T
    out_axis, backward, reversed_ = one_of(data, 0, 1, -1), data.draw(st.integers(0, 1)), data.draw(st.integers(0, 1))
    dims = ", ".join("ab" if data.draw(st.booleans()) else map(str, x.shape))
    model = parsed(
        f"""g (float[{dims}] x, float[{n}] s) => (float[n] y, float[t, u] rows) {{
            y, rows = Scan <num_scan_inputs = 1, scan_input_axes = [{axis}], scan_input_directions = [{backward}],
                scan_output_axes = [{out_axis}], scan_output_directions = [{reversed_}],
                body = b (float[n] state, float[n] row) => (float[n] next, float[n] shown) {{
                next = Add (state, row) shown = Sub (next, row)
            }}> (s, x) }}"""
    )
    # ONNX Runtime refuses to scan nothing.
    states = np.concatenate([state[None], state + np.cumsum(rows[::-1] if backward else rows, 0)])
    shown = states[:-1][::-1] if reversed_ else states[:-1]
    expected = [states[-1], shown if out_axis == 0 else shown.T]
    compare(expected, list(prepare(model).run({"x": x, "s": state})), rtol=1e-4, atol=1e-5)


def attention(q, k, v, mask, is_causal, scale, softcap, past, valid):
    """Return the attention of [batch, heads, length, size] arrays in float64, by the operator's formula."""
    q, k, v = (t.astype(np.float64) for t in (q, k, v))
    offset = 0
    if past is not None:
        offset = past[0].shape[2]
        k, v = np.concatenate([past[0], k], 2), np.concatenate([past[1], v], 2)
    groups = q.shape[1] // k.shape[1]
    scores = q @ np.repeat(k, groups, 1).swapaxes(2, 3) * (scale or q.shape[3] ** -0.5)
    if softcap:
        scores = softcap * np.tanh(scores / softcap)
    allowed = np.ones(scores.shape, bool)
    if valid is not None:
        allowed &= np.arange(k.shape[2]) < valid[:, None, None, None]
        offset = (valid - q.shape[2])[:, None, None, None] if past is None else offset
    if is_causal:
        allowed &= np.arange(k.shape[2]) <= np.arange(q.shape[2])[:, None] + offset
    if mask is not None and mask.dtype == bool:
        allowed &= mask
    elif mask is not None:
        scores = scores + mask
    scores = np.where(allowed, scores, -np.inf)
    top = np.max(scores, -1, keepdims=True, initial=-1e30)
    weights = np.exp(scores - top)
    total = weights.sum(-1, keepdims=True)
    return weights / np.where(total == 0, 1, total) @ np.repeat(v, groups, 1)


@few
@given(data=st.data())
def test_attention(data):
    batch, kv_heads, groups = (data.draw(st.integers(1, 2)) for _ in range(3))
    queries, keys, before = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 4)), data.draw(st.integers(0, 2))
    size, value_size = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    q = normal(data, batch, kv_heads * groups, queries, size)
    k, v = normal(data, batch, kv_heads, keys, size), normal(data, batch, kv_heads, keys, value_size)
    kind = one_of(data, "none", "past", "valid")
    past = valid = None
    if kind == "past":
        past = [normal(data, batch, kv_heads, before, size), normal(data, batch, kv_heads, before, value_size)]
    elif kind == "valid":
        valid = np.array([data.draw(st.integers(0, keys)) for _ in range(batch)], np.int64)
    total = keys + (before if past else 0)
    mask_shape = one_of(data, (queries, total), (batch, 1, queries, total), (1, kv_heads * groups, queries, total))
    mask = one_of(data, None, normal(data, *mask_shape), normal(data, *mask_shape) > 0)
    is_causal, scale, softcap = data.draw(st.integers(0, 1)), one_of(data, None, 0.7), one_of(data, 0.0, 2.0)
    expected = attention(q, k, v, mask, is_causal, scale, softcap, past, valid)
    attributes = {"is_causal": is_causal, "softcap": softcap, **({} if scale is None else {"scale": scale})}
    packed = past is None and valid is None and data.draw(st.booleans())
    if packed:
        q, k, v = (t.swapaxes(1, 2).reshape(batch, t.shape[2], -1) for t in (q, k, v))
        expected = expected.swapaxes(1, 2).reshape(batch, queries, -1)
        attributes |= {"q_num_heads": kv_heads * groups, "kv_num_heads": kv_heads}
    inputs = [q, k, v, mask, *(past or [None, None]), valid]
    while inputs[-1] is None:
        inputs.pop()
    check_op("Attention", inputs, attributes, opset=24, reference=[expected.astype(np.float32)], through=a_way(data))


@few
@given(data=st.data())
def test_rotary_embedding(data):
    batch, heads, length = (data.draw(st.integers(1, 3)) for _ in range(3))
    half = data.draw(st.integers(1, 2))
    rest = one_of(data, 0, 2)
    x = normal(data, batch, heads, length, 2 * half + rest)
    attributes = {"interleaved": data.draw(st.integers(0, 1))}
    if rest:
        attributes["rotary_embedding_dim"] = 2 * half
    if data.draw(st.booleans()):
        caches = [normal(data, 5, half), normal(data, 5, half)]
        inputs = [x, *caches, np.array(data.draw(arrays(np.int64, (batch, length), finite=True))) % 5]
    else:
        inputs = [x, normal(data, batch, length, half), normal(data, batch, length, half)]
    if data.draw(st.booleans()):
        inputs[0] = x.swapaxes(1, 2).reshape(batch, length, -1)
        attributes["num_heads"] = heads
    check_op("RotaryEmbedding", inputs, attributes, opset=23, reference="onnx", through=a_way(data))


@few
@given(data=st.data())
def test_sequences(data):
    """Split a tensor, insert, erase and look at parts, concatenate again."""
    axis, size = one_of(data, 0, 1, -1), data.draw(st.integers(1, 5))
    shape = [2, 2]
    shape[axis] = size
    x = normal(data, *shape)
    chunk = data.draw(st.integers(1, 3))
    count = -(-size // chunk)
    position = data.draw(st.integers(1 - count, count - 1))
    known = data.draw(st.booleans())
    inputs = "float[a, b] x" + ("" if known else ", int64 chunk, int64 at")
    constants = f"chunk = Constant <value_int = {chunk}> () at = Constant <value_int = {position}> ()" if known else ""
    feed = {"x": x} if known else {"x": x, "chunk": np.array(chunk), "at": np.array(position)}
    check_graph(
        f"""g ({inputs}) => (float[c, d] y, float[e, f] part, int64 n, float[g, h] z) {{
            {constants}
            s = SplitToSequence <axis = {axis}> (x, chunk)
            n = SequenceLength (s)
            part = SequenceAt (s, at)
            less = SequenceErase (s, at)
            more = SequenceInsert (less, part, at)
            y = ConcatFromSequence <axis = {axis}> (more)
            most = SequenceInsert (less, x)
            z = ConcatFromSequence <axis = {axis}> (most)
        }}""",
        feed,
    )


@few
@given(data=st.data())
def test_linear_attention(data):
    batch, length, heads, groups = (data.draw(st.integers(1, 3)) for _ in range(4))
    size, value_size = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    rule = one_of(data, "linear", "gated", "delta", "gated_delta")
    q, k = normal(data, batch, length, heads * groups * size), normal(data, batch, length, heads * size)
    inputs = [q, k, normal(data, batch, length, heads * value_size)]
    inputs.append(one_of(data, None, normal(data, batch, heads, size, value_size)))
    inputs.append(-np.abs(normal(data, batch, length, heads * size)) if rule.startswith("gated") else None)
    inputs.append(np.abs(normal(data, batch, length, heads)) if rule.endswith("delta") else None)
    attributes = {"update_rule": rule, "q_num_heads": heads * groups, "kv_num_heads": heads}
    settings = {"outputs": 2, "reference": "onnx", "through": a_way(data), "rtol": 1e-3, "atol": 1e-3}
    check_op("LinearAttention", inputs, attributes, opset=27, **settings)


@few
@given(data=st.data())
def test_optionals(data):
    x, given_one = normal(data, data.draw(st.integers(0, 3))), data.draw(st.booleans())
    model = parsed(
        """g (float[n] x, bool c) => (bool has, float[m] y) {
            o = If (c) <then_branch = t () => (optional(float[n]) a) { a = Optional (x) },
                        else_branch = e () => (optional(float[n]) b) { b = Optional <type = float[n]> () }>
            has = OptionalHasElement (o)
            y = If (has) <then_branch = f () => (float[m] v) { v = OptionalGetElement (o) },
                          else_branch = h () => (float[m] w) { w = Concat <axis = 0> (x, x) }>
        }"""
    )
    expected = [np.array(given_one), x if given_one else np.concatenate([x, x])]
    compare(expected, list(prepare(model).run({"x": x, "c": np.array(given_one)})), rtol=0, atol=0)
