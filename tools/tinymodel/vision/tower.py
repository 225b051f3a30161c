"""The vision tower and the gemma3 projector in PyTorch, computed as llama.cpp's graph does
(`tools/mtmd/models/siglip.cpp`). Weights go by their names and shapes in the GGUF file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from tools.tinymodel.shapes import RMS_EPSILON

if TYPE_CHECKING:
    from tools.tinymodel.shapes import VisionShape

__all__ = ["Weights", "soft_tokens"]

Weights = Mapping[str, torch.Tensor]
"""Tensor name -> tensor, as in the GGUF file."""


def _norm(x: torch.Tensor, weights: Weights, name: str) -> torch.Tensor:
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    return functional.layer_norm(x, weight.shape, weight, bias, RMS_EPSILON)


def _linear(x: torch.Tensor, weights: Weights, name: str) -> torch.Tensor:
    return functional.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])


def _attention(x: torch.Tensor, weights: Weights, prefix: str, heads: int) -> torch.Tensor:
    batch, patches, width = x.shape
    names = [f"{prefix}attn_{part}" for part in "qkv"]
    matrix = torch.cat([weights[f"{name}.weight"] for name in names])
    bias = torch.cat([weights[f"{name}.bias"] for name in names])
    parts = functional.linear(x, matrix, bias).view(batch, patches, 3, heads, width // heads)
    query, key, value = parts.permute(2, 0, 3, 1, 4)
    mixed = functional.scaled_dot_product_attention(query, key, value)
    return _linear(mixed.transpose(1, 2).reshape(batch, patches, width), weights, f"{prefix}attn_out")


def soft_tokens(pixels: torch.Tensor, weights: Weights, shape: VisionShape) -> torch.Tensor:
    """Pixels (batch, 3, side, side) from -1 to 1 become soft tokens (batch, `shape.tokens`, text width)."""
    patches = functional.unfold(pixels, shape.patch, stride=shape.patch).transpose(1, 2)
    x = functional.linear(patches, weights["v.patch_embd.weight"].flatten(1), weights["v.patch_embd.bias"])
    x = x + weights["v.position_embd.weight"]
    for block in range(shape.blocks):
        prefix = f"v.blk.{block}."
        x = x + _attention(_norm(x, weights, f"{prefix}ln1"), weights, prefix, shape.heads)
        inner = _linear(_norm(x, weights, f"{prefix}ln2"), weights, f"{prefix}ffn_up")
        x = x + _linear(functional.gelu(inner, approximate="tanh"), weights, f"{prefix}ffn_down")
    x = _norm(x, weights, "v.post_ln")
    side = shape.patches_per_side
    grid = x.transpose(1, 2).reshape(len(x), shape.width, side, side)
    pooled = functional.avg_pool2d(grid, shape.pooling).flatten(2).transpose(1, 2)
    normed = functional.rms_norm(pooled, (shape.width,), weights["mm.soft_emb_norm.weight"], RMS_EPSILON)
    return normed @ weights["mm.input_projection.weight"]
