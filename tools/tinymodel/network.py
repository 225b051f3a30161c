"""The gemma3 decoder in PyTorch, over the tensors that go into the file (graph: llama.cpp `src/models/gemma3.cpp`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor

from tools.tinymodel.shapes import RMS_EPSILON, TextShape

__all__ = ["Batch", "hidden_states", "loss"]

Parameters = Mapping[str, Tensor]


class Batch(NamedTuple):
    """Packed samples: B rows of T positions; S answer positions are picked out of the flattened B * T."""

    tokens: Tensor
    """(B, T) token ids."""
    segment: Tensor
    """(B, T) number of the sample in its row, from 1; 0 is padding."""
    position: Tensor
    """(B, T) place in the sample, from 0."""
    image: Tensor
    """(B, T) number of the image that a soft token belongs to; 0 is text."""
    soft: Tensor
    """(number of soft tokens, width) vectors of the soft tokens, in the order of their places."""
    answer: Tensor
    """(S,) flat positions whose next token is taught."""
    target: Tensor
    """(S,) that token."""
    weight: Tensor
    """(S,) its share of the loss."""


def _rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    return F.rms_norm(x, (x.shape[-1],), weight, RMS_EPSILON)


def _turns(shape: TextShape, base: float, position: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the rotary angles, (B, T, 1, channels / 2)."""
    half = shape.head_width // 2
    frequency = base ** (-torch.arange(half, device=position.device) / half)
    angle = position[..., None, None] * frequency
    return angle.cos(), angle.sin()


def _rotate(x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary positions in llama.cpp's NEOX order: channel i turns with channel i + half. `x` is (B, T, heads,
    channels).
    """
    cosine, sine = turns
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)


def _masks(shape: TextShape, batch: Batch) -> tuple[Tensor, Tensor]:
    """What a global and a local block may see, (B, 1, T, T): earlier tokens of the sample, and all of the own image."""
    place = torch.arange(batch.tokens.shape[1], device=batch.tokens.device)
    distance = place[:, None] - place[None, :]
    same_sample = batch.segment[:, :, None] == batch.segment[:, None, :]
    same_image = (batch.image[:, :, None] == batch.image[:, None, :]) & (batch.image[:, :, None] > 0)
    everywhere = same_sample & ((distance >= 0)[None] | same_image)
    nearby = everywhere & (distance < shape.window)[None] if len(place) > shape.window else everywhere
    return _additive(everywhere), _additive(nearby)


def _additive(mask: Tensor) -> Tensor:
    return torch.zeros(mask.shape, device=mask.device).masked_fill_(~mask, float("-inf"))[:, None]


def hidden_states(shape: TextShape, parameters: Parameters, batch: Batch) -> Tensor:
    """Normalised outputs of the last block, (B, T, width); their product with the embedding rows gives the logits."""
    rows, length = batch.tokens.shape
    x = F.embedding(batch.tokens, parameters["token_embd.weight"]) * shape.width**0.5
    if batch.soft.numel():
        x = x.masked_scatter((batch.image > 0)[..., None], batch.soft)
    everywhere, nearby = _masks(shape, batch)
    far, near = (_turns(shape, base, batch.position) for base in (shape.rope_base, shape.rope_base_local))
    inner = shape.heads * shape.head_width
    for block in range(shape.blocks):
        tensors = {
            name.removeprefix(f"blk.{block}.").removesuffix(".weight"): value
            for name, value in parameters.items()
            if name.startswith(f"blk.{block}.")
        }
        turns, mask = (far, everywhere) if shape.is_global(block) else (near, nearby)
        h = _rms_norm(x, tensors["attn_norm"])
        joined = F.linear(h, torch.cat([tensors["attn_q"], tensors["attn_k"], tensors["attn_v"]]))
        q, k, v = joined.view(rows, length, 3, shape.heads, shape.head_width).unbind(2)
        q = _rotate(_rms_norm(q, tensors["attn_q_norm"]), turns)
        k = _rotate(_rms_norm(k, tensors["attn_k_norm"]), turns)
        mixed = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), attn_mask=mask)
        mixed = F.linear(mixed.transpose(1, 2).reshape(rows, length, inner), tensors["attn_output"])
        x = x + _rms_norm(mixed, tensors["post_attention_norm"])
        h = _rms_norm(x, tensors["ffn_norm"])
        gate, up = F.linear(h, torch.cat([tensors["ffn_gate"], tensors["ffn_up"]])).chunk(2, dim=-1)
        h = F.linear(F.gelu(gate, approximate="tanh") * up, tensors["ffn_down"])
        x = x + _rms_norm(h, tensors["post_ffw_norm"])
    return _rms_norm(x, parameters["output_norm.weight"])


def loss(shape: TextShape, parameters: Parameters, batch: Batch) -> Tensor:
    """Weighted sum over the answer tokens of the cross entropy, in nats."""
    states = hidden_states(shape, parameters, batch).reshape(-1, shape.width)[batch.answer]
    logits = states @ parameters["token_embd.weight"].T
    return (F.cross_entropy(logits, batch.target, reduction="none") * batch.weight).sum()
