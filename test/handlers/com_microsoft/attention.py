"""Attention and rotary embedding of com.microsoft, against ONNX Runtime."""

from __future__ import annotations

import functools

import numpy as np

from test.handlers.com_microsoft.case import case, each, of_kernel

RNG = np.random.default_rng(9)
check = functools.partial(case, rtol=1e-3, atol=1e-4)
HEADS = {"num_heads": 2}


def normal(*shape, dtype=np.float32):
    return np.asarray(RNG.normal(size=shape), dtype)


def lengths(*values):
    return np.array(values, np.int32)


MASKS = {
    "none": None,
    "ends": lengths(3, 5),
    "ends and starts": lengths(5, 4, 1, 0),
    "keys": np.array([[1, 1, 0, 1, 0], [1, 1, 1, 1, 1]], np.int32),
    "queries and keys": RNG.integers(0, 2, (2, 5, 5)).astype(np.int32),
}


@each("name", MASKS)
@each("unidirectional", [0, 1])
def attention(name, unidirectional):
    x, weights, bias = normal(2, 5, 6), normal(6, 24), normal(24)
    attributes = HEADS | {"unidirectional": unidirectional}
    yield check("Attention", [x, weights, bias, MASKS[name]], attributes, constants=[1, 2])


def attention_with_past_and_biases():
    x, weights, bias, past = normal(2, 3, 6), normal(6, 24), normal(24), normal(2, 2, 2, 4, 4)
    yield check("Attention", [x, weights, bias, None, past], HEADS | {"unidirectional": 1}, outputs=2)
    mask = np.array([[1] * 7, [0, 1, 1, 1, 1, 1, 1]], np.int32)
    yield check("Attention", [x, weights, bias, mask, past], HEADS | {"scale": 0.3}, outputs=2, through=["export"])
    added = normal(1, 2, 3, 3)
    yield check("Attention", [x, weights, bias, None, None, added], HEADS, through=["dynamic"])
    sizes = {"qkv_hidden_sizes": [8, 8, 12], "mask_filter_value": -5.0}
    some = np.array([[1, 0, 1], [1, 1, 0]], np.int32)
    yield check("Attention", [x, normal(6, 28), normal(28), some], HEADS | sizes)


def q_attention():
    x = RNG.integers(0, 256, (2, 5, 6)).astype(np.uint8)
    weights = RNG.integers(0, 256, (6, 24)).astype(np.uint8)
    inputs = [x, weights, normal(24), np.array(0.01, np.float32), np.array(0.02, np.float32)]
    zeros = [np.array(120, np.uint8), np.array(130, np.uint8)]
    yield check("QAttention", [*inputs, MASKS["ends"], *zeros], HEADS, constants=[1])
    yield check("QAttention", [*inputs, None, *zeros], HEADS | {"unidirectional": 1}, through=["dynamic"])
    yield check("QAttention", inputs, HEADS, constants=[1], through=["dynamic"])
    columns = [x, weights.view(np.int8), normal(24), inputs[3], RNG.uniform(0.01, 0.1, 24).astype(np.float32)]
    yield check("QAttention", columns, HEADS, constants=[1], through=["static"])
    past = normal(2, 2, 2, 4, 4)
    yield check(
        "QAttention", [*inputs, None, *zeros, past], HEADS | {"unidirectional": 1}, outputs=2, through=["dynamic"]
    )


def multi_head_attention():
    q, k, v = normal(2, 3, 8), normal(2, 5, 8), normal(2, 5, 12)
    yield check("MultiHeadAttention", [q, k, v], HEADS)
    yield check("MultiHeadAttention", [q, k, v, normal(28)], HEADS | {"scale": 0.2}, through=["dynamic", "export"])
    mask = np.array([[1, 1, 0, 1, 0], [1, 1, 1, 1, 1]], np.int32)
    yield check("MultiHeadAttention", [q, k, v, None, mask, normal(1, 2, 3, 5)], HEADS)
    yield check("MultiHeadAttention", [q, k, v, None, lengths(2, 5)], HEADS | {"mask_filter_value": -3.0})
    yield check("MultiHeadAttention", [q, normal(2, 2, 5, 4), normal(2, 2, 5, 4)], HEADS, through=["dynamic"])


def multi_head_attention_with_past():
    q, k, v = normal(2, 3, 8), normal(2, 3, 8), normal(2, 3, 8)
    past = [normal(2, 2, 4, 4), normal(2, 2, 4, 4)]
    yield check("MultiHeadAttention", [q, k, v, None, None, None, *past], HEADS, outputs=3)
    causal = HEADS | {"unidirectional": 1}
    yield check("MultiHeadAttention", [q, k, v, normal(24), None, None, *past], causal, outputs=3)
    yield check("MultiHeadAttention", [q, k, v], causal, outputs=3, through=["export"])
    buffer = [normal(2, 2, 8, 4), normal(2, 2, 8, 4)]
    shared = [q, k, v, None, None, None, *buffer, lengths(3)]
    yield check("MultiHeadAttention", shared, causal, outputs=3, through=["dynamic", "export"])
    yield check("MultiHeadAttention", [q, k, v, normal(24), *shared[4:]], HEADS, outputs=3, through=["static"])


def decoder_masked_multi_head_attention():
    q, k, v = normal(2, 1, 8), normal(2, 1, 8), normal(2, 1, 8)
    buffer, start = [normal(2, 2, 6, 4), normal(2, 2, 6, 4)], lengths(3)
    yield check("DecoderMaskedMultiHeadAttention", [q, k, v], HEADS)
    yield check("DecoderMaskedMultiHeadAttention", [q, *buffer], HEADS, through=["dynamic"])  # of another sequence
    shared = HEADS | {"past_present_share_buffer": 1}
    inputs = [q, k, v, None, None, *buffer, start]
    yield check("DecoderMaskedMultiHeadAttention", inputs, shared | {"scale": 0.3}, outputs=3)
    mask = np.array([[1, 1, 1, 1], [0, 1, 1, 1]], np.int32)
    inputs = [q, k, v, mask, normal(1, 2, 1, 4), *buffer, start, None, None, normal(24)]
    yield check("DecoderMaskedMultiHeadAttention", inputs, shared, outputs=3, through=["dynamic", "export"])


CACHES = [normal(16, 2), normal(16, 2)]


@each("interleaved", [0, 1])
def rotary_embedding(interleaved):
    attributes = {"interleaved": interleaved}
    positions = RNG.integers(0, 16, (2, 3)).astype(np.int64)
    yield check("RotaryEmbedding", [normal(2, 3, 8), positions, *CACHES], attributes)
    yield check("RotaryEmbedding", [normal(2, 3, 8), np.array([4]), *CACHES], attributes)
    yield check("RotaryEmbedding", [normal(2, 2, 3, 4), positions, *CACHES], attributes, through=["dynamic", "export"])
    partial = attributes | {"num_heads": 2, "rotary_embedding_dim": 4}
    yield check("RotaryEmbedding", [normal(2, 3, 12), positions, *CACHES], partial)


GROUPS = {"num_heads": 4, "kv_num_heads": 2}


def grouped(length, past, ends):
    """Return the inputs of GroupQueryAttention for heads of size 16."""
    query, key, value = normal(2, length, 64), normal(2, length, 32), normal(2, length, 32)
    cache = [normal(2, 2, past, 16), normal(2, 2, past, 16)]
    return [query, key, value, *cache, lengths(*ends) - 1, np.array(max(ends), np.int32)]


ROTATIONS = [normal(32, 8), normal(32, 8)]
VARIANTS = [{}, {"softcap": 2.0}, {"scale": 0.1}, {"local_window_size": 3}, {"smooth_softmax": 1}]


@each("attributes", VARIANTS)
def group_query_attention_of_prompts(attributes):
    inputs = grouped(6, 0, (6, 6))
    yield check("GroupQueryAttention", inputs, GROUPS | attributes, outputs=3, through=["static"])
    rotated = GROUPS | attributes | {"do_rotary": 1}
    yield check("GroupQueryAttention", [*inputs, *ROTATIONS], rotated, outputs=3, through=["dynamic"])
    yield check("GroupQueryAttention", [*inputs, *ROTATIONS], rotated | {"rotary_interleaved": 1}, outputs=3)


@each("attributes", VARIANTS)
def group_query_attention_of_tokens(attributes):
    inputs = grouped(1, 6, (7, 7))
    yield check("GroupQueryAttention", inputs, GROUPS | attributes, outputs=3, through=["dynamic"])
    rotated = GROUPS | attributes | {"do_rotary": 1}
    yield check("GroupQueryAttention", [*inputs, *ROTATIONS], rotated, outputs=3, constants=[6])


def group_query_attention_packed_and_without_past():
    query, key, value, *_ = grouped(5, 0, (5, 5))
    rest = [None, None, lengths(4, 4), np.array(5, np.int32)]
    yield check("GroupQueryAttention", [query, key, value, *rest], GROUPS, outputs=3, through=["dynamic"])
    packed = np.concatenate([query, key, value], -1)
    yield check("GroupQueryAttention", [packed, None, None, *rest, *ROTATIONS], GROUPS | {"do_rotary": 1}, outputs=3)
    sink = normal(4)
    inputs = [query, key, value, *rest, None, None, None, normal(1, 4, 5, 5), sink]
    yield check("GroupQueryAttention", inputs, GROUPS, outputs=3, through=["export"])


def group_query_attention_of_unequal_lengths():
    prompts = grouped(3, 0, (3, 2))
    yield check("GroupQueryAttention", prompts, GROUPS, outputs=3, through=["dynamic"])
    for capacity in (6, 9):  # the cache grows, or has room
        tokens = grouped(1, capacity, (7, 5))
        yield check("GroupQueryAttention", tokens, GROUPS, outputs=3, through=["dynamic"])
        positions = np.array([[3], [9]])
        rotated = [*tokens, *ROTATIONS, positions]
        yield check("GroupQueryAttention", rotated, GROUPS | {"do_rotary": 1}, outputs=3, through=["static"])
    longer = [*grouped(3, 5, (8,))]
    longer[:5] = [x[:1] for x in longer[:5]]
    for positions in (None, np.array([[9, 3, 5]])):
        inputs = [*longer, *ROTATIONS, positions]
        yield check("GroupQueryAttention", inputs, GROUPS | {"do_rotary": 1}, outputs=3, through=["dynamic"])


def group_query_attention_shows_its_scores():
    inputs = grouped(3, 0, (3, 3))
    for shown in (1, 2):
        attributes = GROUPS | {"qk_output": shown, "softcap": 2.0}
        yield check("GroupQueryAttention", inputs, attributes, outputs=4, through=["dynamic"])
    yield check("GroupQueryAttention", inputs, GROUPS | {"causal": 0}, outputs=3, through=["static"])
    first = [*inputs, *ROTATIONS, np.array([[2, 0, 1], [4, 4, 4]])]
    yield check("GroupQueryAttention", first, GROUPS | {"do_rotary": 1}, outputs=3, through=["dynamic"])


@each("kind shape", [("PER_TENSOR", (1,)), ("PER_CHANNEL", (1, 2, 1, 16)), ("PER_CHANNEL", (32,))])
def group_query_attention_with_a_quantized_cache(kind, shape):
    attributes = GROUPS | {"k_quant_type": kind, "v_quant_type": kind, "kv_cache_bit_width": 8}
    scales = [RNG.uniform(0.01, 0.05, shape).astype(np.float32) for _ in range(2)]
    inputs = grouped(1, 6, (7, 7))
    inputs[3:5] = [RNG.integers(-128, 128, (2, 2, 6, 16)).astype(np.int8) for _ in range(2)]
    inputs += [None] * 5 + scales
    yield check("GroupQueryAttention", inputs, attributes, outputs=3, through=["dynamic"])


GATES = [-np.abs(normal(2, 3, 8)), np.abs(normal(2, 3, 2))]


def linear_attention():
    q, k, v = normal(2, 3, 8), normal(2, 3, 8), normal(2, 3, 6)
    heads = {"q_num_heads": 2, "kv_num_heads": 2}
    yield check("LinearAttention", [q, k, v], heads | {"update_rule": "linear"}, outputs=2, through=["static"])
    yield check("LinearAttention", [q, k, v, normal(2, 2, 4, 3), *GATES], heads, outputs=2, through=["dynamic"])
    more = {"q_num_heads": 4, "kv_num_heads": 2, "update_rule": "gated", "scale": 0.4}
    inputs = [normal(2, 3, 16), k, v, None, GATES[0][..., :2].copy()]
    yield check("LinearAttention", inputs, more, outputs=2, through=["static"])
    fewer = {"q_num_heads": 2, "kv_num_heads": 4, "update_rule": "delta"}
    inputs = [q, normal(2, 3, 16), normal(2, 3, 12), None, None, np.abs(normal(2, 3, 4))]
    yield check("LinearAttention", inputs, fewer, outputs=2, through=["dynamic"])


def linear_attention_gates():
    a, bias, scale = normal(2, 3, 4), normal(4), -np.abs(normal(4))
    yield check("LinearAttentionGate", [a, bias, scale])
    yield check("LinearAttentionGate", [a, bias, scale, normal(2, 3, 4)], outputs=2)
    half = [a.astype(np.float16), bias, scale, a.astype(np.float16)]
    yield check("LinearAttentionGate", half, outputs=2, through=["dynamic"], rtol=1e-2)


def causal_convolution():
    x, weight, bias = normal(2, 4, 5), normal(4, 1, 3), normal(4)
    settings = {"constants": [1], "outputs": 2}
    yield check("CausalConvWithState", [x, weight], **settings)
    yield check("CausalConvWithState", [x, weight, bias, normal(2, 4, 2)], {"activation": "silu"}, **settings)
    yield check("CausalConvWithState", [x, weight, bias], {"dilation": 2}, **settings, through=["dynamic"])
    last = [normal(2, 5, 2, 2), weight, bias, normal(2, 2, 2, 2)]
    yield check("CausalConvWithState", last, {"channels_last": 1}, **settings, through=["dynamic"])


@each("layout", [0, 1])
@each("interleaved", [0, 1])
def m_rotary_embedding(layout, interleaved):
    caches, positions = [normal(16, 8), normal(16, 8)], RNG.integers(0, 16, (3, 2, 3)).astype(np.int64)
    attributes = {"mrope_section": [4, 2, 2], "mrope_layout": layout, "interleaved": interleaved}
    yield check("MRotaryEmbedding", [normal(2, 3, 32), positions, *caches], attributes | {"num_heads": 2})
    yield check("MRotaryEmbedding", [normal(2, 2, 3, 16), positions, *caches], attributes, through=["dynamic"])
    partial = attributes | {"num_heads": 2, "rotary_embedding_dim": 16}
    yield check("MRotaryEmbedding", [normal(2, 3, 48), positions, *caches], partial, through=["static"])


def extended_causal_convolution(x, weight, bias, past, offset, dilation):
    """Return the output and what was seen, [batch, positions, channels], by the schema's text."""
    channels, _, taps = weight.shape
    seen = np.concatenate([past, x[..., offset : offset + channels]], 1)
    first = past.shape[1] - (taps - 1) * dilation
    y = bias + sum(seen[:, first + j * dilation :][:, : x.shape[1]] * weight[:, 0, j] for j in range(taps))
    return y, seen


@each("length", [1, 5])
def causal_convolution_with_a_state_of_its_own(length):
    # ONNX Runtime has these attributes on GPUs alone.
    x, weight, bias, past = normal(2, length, 6), normal(3, 1, 3), normal(3), normal(2, 7, 3)
    chosen = {"channels_last": 1, "input_channels": 3, "input_channel_offset": 2}
    y, seen = extended_causal_convolution(x, weight, bias, past, 2, 2)
    longer = chosen | {"dilation": 2, "state_length": 7, "state_update_capacity": 4}
    first = np.zeros((2, 4, 3), np.float32)
    first[:, :length] = x[:, :4, 2:5]
    settings = {"constants": [1], "outputs": 3, "reference": [y, seen[:, -7:], first]}
    through = ["static", "dynamic", "export"]
    yield check("CausalConvWithState", [x, weight, bias, past], longer, **settings, through=through)
    turned = {"state_channels_last": 0}
    settings["reference"] = [y, seen[:, -7:].transpose(0, 2, 1), first]
    inputs = [x, weight, bias, past.transpose(0, 2, 1).copy()]
    yield check("CausalConvWithState", inputs, longer | turned, **settings)
    y, seen = extended_causal_convolution(x, weight, bias, 0 * past[:, :2], 2, 1)
    settings = {"constants": [1], "outputs": 2, "reference": [y, seen[:, -2:]]}
    yield check("CausalConvWithState", [x, weight, bias], chosen | {"state_channels_last": 1}, **settings)


def rms(x, weight, epsilon):
    heads = x.reshape(*x.shape[:2], -1, weight.size)
    heads = heads / np.sqrt(np.mean(heads**2, -1, keepdims=True) + epsilon) * weight
    return heads.reshape(x.shape).astype(np.float32)


@each(
    "epsilons", [{}, {"qk_norm_epsilon": 0.3}, {"qk_norm_epsilon": 0.3, "k_norm_epsilon": 0.1, "q_norm_epsilon": 2.0}]
)
def group_query_attention_with_norms(epsilons):
    inputs, weights = [*grouped(3, 0, (3, 3)), *ROTATIONS], [normal(16), normal(16)]
    attributes = GROUPS | {"do_rotary": 1}
    both = epsilons.get("qk_norm_epsilon", 1e-6)
    unit = [
        rms(x, w, epsilons.get(f"{n}_norm_epsilon", both)) for x, w, n in zip(inputs[:2], weights, "qk", strict=True)
    ]
    expected = of_kernel("GroupQueryAttention", [*unit, *inputs[2:]], attributes, 3)
    inputs = [*inputs, *[None] * 5, *weights]
    yield check("GroupQueryAttention", inputs, attributes | epsilons, outputs=3, reference=expected)


def without_padding(inputs, attributes):
    """Return what ONNX Runtime computes, zero in the rows of padding, which it leaves as they were."""
    y, *caches = of_kernel("GroupQueryAttention", inputs, attributes, 3)
    for row, count in zip(y, inputs[16], strict=True):
        row[count:] = 0
    return [y, *caches]


CHUNKS = [(4, 8, (5, 3), (3, 2)), (4, 4, (5, 3), (3, 2)), (4, 0, (3, 2), (3, 2)), (4, 9, (8, 3), (4, 3))]


@each("length past ends counts", [*CHUNKS, (1, 6, (5, 3), (1, 0))])
def group_query_attention_of_chunks(length, past, ends, counts):
    for attributes in ({}, {"do_rotary": 1}, {"local_window_size": 2, "smooth_softmax": 1, "softcap": 2.0}):
        inputs = grouped(length, past, ends)
        total = 8 if past != 0 else 4
        inputs[6] = np.array(total, np.int32)
        attributes = GROUPS | attributes
        inputs += [*(ROTATIONS if "do_rotary" in attributes else [None, None]), None]
        inputs += [normal(1, 4, length, total) if "softcap" in attributes else None, *[None] * 5, lengths(*counts)]
        expected = functools.partial(without_padding, inputs, attributes)
        through = ["static", "dynamic", "export"] if length == 1 and "softcap" in attributes else ["dynamic"]
        yield check("GroupQueryAttention", inputs, attributes, outputs=3, reference=expected, through=through)


def group_query_attention_of_chunks_at_given_positions():
    # The first prompt's positions count too where its length is given.
    inputs = [*grouped(4, 8, (3, 2)), *ROTATIONS, RNG.integers(0, 32, (2, 4)).astype(np.int64)]
    inputs[6] = np.array(8, np.int32)
    inputs += [*[None] * 6, lengths(3, 2)]
    attributes = GROUPS | {"do_rotary": 1}
    expected = functools.partial(without_padding, inputs, attributes)
    yield check("GroupQueryAttention", inputs, attributes, outputs=3, reference=expected, through=["static"])
