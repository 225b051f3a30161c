"""Starting weights, named and shaped as in the GGUF files.

Shapes are in numpy order, output first. Norm weights hold 1 + w already.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tools.tinymodel.shapes import TextShape, VisionShape
from tools.tinymodel.vocabulary import CONTROL

__all__ = ["Tensors", "parameter_count", "text_weights", "vision_weights"]

Tensors = dict[str, NDArray[np.float32]]
"""Tensor name -> float32 array."""

_CONTROL_SCALE = 0.1
"""Control rows start small, so that an untrained model neither ends at once nor emits markers."""


class _Random:
    """Normal variates from numpy's PCG64, whose stream numpy keeps stable for `standard_normal` of one version."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))

    def normal(self, *shape: int, scale: float) -> NDArray[np.float32]:
        """An array of normal variates with the given standard deviation, rounded to float32 last."""
        return (self._generator.standard_normal(shape) * scale).astype(np.float32)

    def matrix(self, rows: int, columns: int) -> NDArray[np.float32]:
        """A projection from `columns` to `rows` channels that keeps the scale of its input."""
        return self.normal(rows, columns, scale=columns**-0.5)


def _ones(size: int) -> NDArray[np.float32]:
    return np.ones(size, dtype=np.float32)


def _zeros(size: int) -> NDArray[np.float32]:
    return np.zeros(size, dtype=np.float32)


def text_weights(shape: TextShape, seed: int) -> Tensors:
    """Random weights of a gemma3 decoder (tensor list: llama.cpp `src/models/gemma3.cpp`)."""
    random = _Random(seed)
    width, inner = shape.width, shape.heads * shape.head_width
    embedding = random.normal(shape.vocabulary, width, scale=width**-0.5)
    embedding[: len(CONTROL)] *= _CONTROL_SCALE
    tensors: Tensors = {"token_embd.weight": embedding, "output_norm.weight": _ones(width)}
    for block in range(shape.blocks):
        prefix = f"blk.{block}."
        for name in ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"):
            tensors[f"{prefix}{name}.weight"] = _ones(width)
        for name in ("attn_q_norm", "attn_k_norm"):
            tensors[f"{prefix}{name}.weight"] = _ones(shape.head_width)
        for name in ("attn_q", "attn_k", "attn_v"):
            tensors[f"{prefix}{name}.weight"] = random.matrix(inner, width)
        tensors[f"{prefix}attn_output.weight"] = random.matrix(width, inner)
        tensors[f"{prefix}ffn_gate.weight"] = random.matrix(shape.feed_forward, width)
        tensors[f"{prefix}ffn_up.weight"] = random.matrix(shape.feed_forward, width)
        tensors[f"{prefix}ffn_down.weight"] = random.matrix(width, shape.feed_forward)
    return tensors


def vision_weights(shape: VisionShape, text_width: int, seed: int) -> Tensors:
    """Random weights of a SigLIP tower with the gemma3 projector (llama.cpp `tools/mtmd/models/siglip.cpp`).

    `mm.input_projection.weight` is stored input-major, (vision width, text width), because the graph transposes it.
    """
    random = _Random(seed)
    width = shape.width
    tensors: Tensors = {
        "v.patch_embd.weight": random.normal(
            width, 3, shape.patch, shape.patch, scale=(3 * shape.patch * shape.patch) ** -0.5
        ),
        "v.patch_embd.bias": _zeros(width),
        "v.position_embd.weight": random.normal(shape.patches_per_side**2, width, scale=0.1),
        "v.post_ln.weight": _ones(width),
        "v.post_ln.bias": _zeros(width),
    }
    for block in range(shape.blocks):
        prefix = f"v.blk.{block}."
        for name in ("ln1", "ln2"):
            tensors[f"{prefix}{name}.weight"] = _ones(width)
            tensors[f"{prefix}{name}.bias"] = _zeros(width)
        for name, rows, columns in (
            ("attn_q", width, width),
            ("attn_k", width, width),
            ("attn_v", width, width),
            ("attn_out", width, width),
            ("ffn_up", shape.feed_forward, width),
            ("ffn_down", width, shape.feed_forward),
        ):
            tensors[f"{prefix}{name}.weight"] = random.matrix(rows, columns)
            tensors[f"{prefix}{name}.bias"] = _zeros(rows)
    tensors["mm.soft_emb_norm.weight"] = _ones(width)
    tensors["mm.input_projection.weight"] = random.normal(width, text_width, scale=width**-0.5)
    return tensors


def parameter_count(tensors: Mapping[str, NDArray[np.float32]]) -> int:
    """Number of scalars in all tensors."""
    return sum(tensor.size for tensor in tensors.values())
