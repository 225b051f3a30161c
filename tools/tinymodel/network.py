"""The gemma3 decoder in JAX, over the tensors that go into the GGUF file (graph: llama.cpp `src/models/gemma3.cpp`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from tools.tinymodel.shapes import RMS_EPSILON, TextShape

__all__ = ["Batch", "hidden_states", "loss"]

Parameters = Mapping[str, jax.Array]

_MASKED = -1e30


class Batch(NamedTuple):
    """Packed samples. B rows of T positions; S answer positions are picked out of the flattened B * T.

    `segment` numbers the samples of a row from 1 (0 is padding); `image` numbers the image that a soft token belongs to
    (0: none); `soft` holds the vectors of soft tokens and zeros elsewhere. `answer` are positions whose next token is
    `target`, `weight` its share.
    """

    tokens: jax.Array
    segment: jax.Array
    image: jax.Array
    soft: jax.Array
    answer: jax.Array
    target: jax.Array
    weight: jax.Array


def _rms_norm(x: jax.Array, weight: jax.Array) -> jax.Array:
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + RMS_EPSILON) * weight


def _rotate(x: jax.Array, base: float) -> jax.Array:
    """Rotary positions in llama.cpp's NEOX order: channel i turns with channel i + half.

    `x` is (B, T, heads, channels).
    """
    half = x.shape[-1] // 2
    frequency = base ** (-jnp.arange(half) / half)
    angle = jnp.arange(x.shape[1])[:, None] * frequency
    cosine, sine = jnp.cos(angle)[None, :, None], jnp.sin(angle)[None, :, None]
    first, second = x[..., :half], x[..., half:]
    return jnp.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)


def _masks(shape: TextShape, batch: Batch) -> tuple[jax.Array, jax.Array]:
    """What a global and a local block may see, (B, 1, T, T): earlier tokens of the sample, and all of the own image."""
    position = jnp.arange(batch.tokens.shape[1])
    distance = position[:, None] - position[None, :]
    same_sample = batch.segment[:, :, None] == batch.segment[:, None, :]
    same_image = (batch.image[:, :, None] == batch.image[:, None, :]) & (batch.image[:, :, None] > 0)
    everywhere = same_sample & ((distance >= 0)[None] | same_image)
    return everywhere[:, None], (everywhere & (distance < shape.window)[None])[:, None]


def hidden_states(shape: TextShape, parameters: Parameters, batch: Batch) -> jax.Array:
    """Normalised outputs of the last block, (B, T, width); their product with the embedding rows gives the logits."""
    rows, length = batch.tokens.shape
    is_soft = (batch.image > 0)[..., None]
    x = jnp.where(is_soft, batch.soft, parameters["token_embd.weight"][batch.tokens] * shape.width**0.5)
    everywhere, nearby = _masks(shape, batch)
    for block in range(shape.blocks):

        def tensor(name: str, block: int = block) -> jax.Array:
            return parameters[f"blk.{block}.{name}.weight"]

        base = shape.rope_base if shape.is_global(block) else shape.rope_base_local
        h = _rms_norm(x, tensor("attn_norm"))
        q, k, v = (
            (h @ tensor(name).T).reshape(rows, length, shape.heads, shape.head_width)
            for name in ("attn_q", "attn_k", "attn_v")
        )
        q = _rotate(_rms_norm(q, tensor("attn_q_norm")), base)
        k = _rotate(_rms_norm(k, tensor("attn_k_norm")), base)
        scores = jnp.einsum("bqhc,bkhc->bhqk", q, k) * shape.head_width**-0.5
        scores = jnp.where(everywhere if shape.is_global(block) else nearby, scores, _MASKED)
        mixed = jnp.einsum("bhqk,bkhc->bqhc", jax.nn.softmax(scores, axis=-1), v).reshape(rows, length, -1)
        x = x + _rms_norm(mixed @ tensor("attn_output").T, tensor("post_attention_norm"))
        h = _rms_norm(x, tensor("ffn_norm"))
        h = (jax.nn.gelu(h @ tensor("ffn_gate").T, approximate=True) * (h @ tensor("ffn_up").T)) @ tensor("ffn_down").T
        x = x + _rms_norm(h, tensor("post_ffw_norm"))
    return _rms_norm(x, parameters["output_norm.weight"])


def loss(shape: TextShape, parameters: Parameters, batch: Batch) -> jax.Array:
    """Weighted mean cross entropy, in nats, of the answer tokens."""
    states = hidden_states(shape, parameters, batch).reshape(-1, shape.width)[batch.answer]
    logits = states @ parameters["token_embd.weight"].T
    log_probability = jnp.take_along_axis(jax.nn.log_softmax(logits), batch.target[:, None], axis=-1)[:, 0]
    return -jnp.sum(log_probability * batch.weight) / jnp.maximum(jnp.sum(batch.weight), 1.0)
