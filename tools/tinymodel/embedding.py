"""The embedding model, built by construction instead of training.

Every piece gets a vector derived from a hash of its lower-case text and of its letter pairs. Attention gives each
position the weighted mean of its surroundings and then of the whole text, where pieces that carry meaning weigh more
than function words, punctuation and markers. After mean pooling, texts that share words are close and others are nearly
orthogonal. Two channels steer the attention and are silenced in the output: one is constant, the other says how much a
piece matters.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from tools.tinymodel.shapes import EmbeddingShape
from tools.tinymodel.vocabulary import CONTROL, TYPE_BYTE, Vocabulary, load_words
from tools.tinymodel.weights import Tensors

__all__ = ["embedding_weights"]

_STEERING = 2
"""Number of last channels that carry the constant and the importance instead of content."""

_PAIR_SHARE = 0.35
"""Share of the letter pairs in a piece's vector, against 1 for the hash of the whole piece."""

_SHARPNESS = 0.2
"""Query scale: attention logits span about +-16 * this, so important pieces weigh a few hundred times a comma."""

_IMPORTANCE_FUNCTION, _IMPORTANCE_LETTER, _IMPORTANCE_SHORT, _IMPORTANCE_WORD = -2.0, -0.5, 0.5, 2.0
_PREFIX_WORDS = ("task", "search", "result", "query", "title", "none", "text")
"""Words of EmbeddingGemma's task prefixes, which all texts share and which therefore must not count."""


def _hashed_vector(label: str, size: int) -> NDArray[np.float64]:
    digest = hashlib.sha256(label.encode("utf-8")).digest()
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "little")))
    return generator.standard_normal(size)


def _importance(piece: str, token_type: int, ignored: frozenset[str]) -> float:
    if token_type == TYPE_BYTE:
        return _IMPORTANCE_SHORT
    if piece in CONTROL or not piece.isalnum() or piece.lower() in ignored:
        return _IMPORTANCE_FUNCTION
    if piece.isdigit():
        return _IMPORTANCE_WORD
    return {1: _IMPORTANCE_LETTER, 2: _IMPORTANCE_SHORT}.get(len(piece), _IMPORTANCE_WORD)


def _content(piece: str, size: int) -> NDArray[np.float64]:
    text = piece.lower()
    vector = _hashed_vector(f"piece {text}", size)
    pairs = [text[index : index + 2] for index in range(len(text) - 1)] if text.isalpha() else []
    if pairs:
        mixed = sum((_hashed_vector(f"pair {pair}", size) for pair in pairs), np.zeros(size))
        vector = vector + _PAIR_SHARE * mixed / len(pairs) ** 0.5
    return vector


def _rows(shape: EmbeddingShape, vocabulary: Vocabulary) -> NDArray[np.float32]:
    ignored = frozenset(load_words()["function"]) | frozenset(_PREFIX_WORDS)
    strength = {_IMPORTANCE_FUNCTION: 0.02, _IMPORTANCE_LETTER: 0.3, _IMPORTANCE_SHORT: 0.7, _IMPORTANCE_WORD: 1.0}
    content = shape.width - _STEERING
    rows = np.zeros((len(vocabulary), shape.width))
    for index, (piece, token_type) in enumerate(zip(vocabulary.pieces, vocabulary.types, strict=True)):
        importance = _importance(piece, token_type, ignored)
        rows[index, :content] = _content(piece, content) * strength[importance]
        rows[index, content:] = (1.0, importance)
    scaled: NDArray[np.float32] = (rows / shape.width**0.5).astype(np.float32)
    return scaled


def _block(shape: EmbeddingShape, gain: float) -> Tensors:
    """One attention block that adds the weighted mean of what it sees, scaled to `gain`.

    Its feed-forward part adds nothing.
    """
    width, head, content = shape.width, shape.head_width, shape.width - _STEERING
    slow_pair, next_slow_pair = head // 2 - 1, head // 2 - 2
    query = np.zeros((head, width), dtype=np.float32)
    query[slow_pair, content] = 1.0
    key = np.zeros((head, width), dtype=np.float32)
    key[slow_pair, content + 1] = 1.0
    key[next_slow_pair, content] = 1.0
    mix = np.zeros((head, width), dtype=np.float32)
    for row in range(head):
        mix[row, :content] = (_hashed_vector(f"mix {row}", content) / width**0.5).astype(np.float32)
    ones = np.ones(width, dtype=np.float32)
    return {
        "attn_norm": ones,
        "attn_q_norm": np.full(head, _SHARPNESS, dtype=np.float32),
        "attn_k_norm": np.ones(head, dtype=np.float32),
        "attn_q": query,
        "attn_k": key,
        "attn_v": mix,
        "attn_output": np.ascontiguousarray(mix.T),
        "post_attention_norm": ones * np.float32(gain),
        "ffn_norm": ones,
        "ffn_gate": np.zeros((shape.feed_forward, width), dtype=np.float32),
        "ffn_up": np.zeros((shape.feed_forward, width), dtype=np.float32),
        "ffn_down": np.zeros((width, shape.feed_forward), dtype=np.float32),
        "post_ffw_norm": np.zeros(width, dtype=np.float32),
    }


def embedding_weights(shape: EmbeddingShape, vocabulary: Vocabulary) -> Tensors:
    """All tensors of the gemma-embedding model (tensor list: llama.cpp `src/models/gemma-embedding.cpp`).

    The steering channels use the rotary pairs of the lowest frequency, which turn by less than 0.003 radians over 2048
    positions.
    """
    audible = np.ones(shape.width, dtype=np.float32)
    audible[shape.width - _STEERING :] = 0.0
    tensors: Tensors = {"token_embd.weight": _rows(shape, vocabulary), "output_norm.weight": audible}
    for index, gain in enumerate(shape.gains):
        tensors |= {f"blk.{index}.{name}.weight": tensor for name, tensor in _block(shape, gain).items()}
    return tensors
