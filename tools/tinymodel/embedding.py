"""The embedding model, built by construction instead of training.

Every piece gets a vector derived from a hash of its lower-case text and of its letter pairs. Attention gives each
position the weighted mean of its surroundings and then of the whole text, where pieces that carry meaning weigh more
than function words, endings, punctuation and markers. A head is narrower than the vectors, so each block takes another
part of the space. After mean pooling, texts that share words are close and others are nearly orthogonal. Two channels
steer the attention and are silenced in the output: one is constant, the other says how much a piece matters.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

from tools.tinymodel.shapes import EmbeddingShape
from tools.tinymodel.vocabulary import CONTROL, TYPE_BYTE, Vocabulary, load_words
from tools.tinymodel.weights import Tensors

__all__ = ["embedding_weights"]

_STEERING = 2
"""Number of last channels that carry the constant and the importance instead of content."""

_PAIR_SHARE = 1.0
"""Weight of the letter pairs in a piece's vector, against 1 for the hash of the whole piece."""

_SHARPNESS = 0.2
"""Query scale: attention logits span at most +-16 * this, so a word weighs a few hundred times a comma."""

_WEIGHT_FUNCTION, _WEIGHT_LETTER, _WEIGHT_PAIR, _WEIGHT_THREE, _WEIGHT_LONG = 0.0065, 0.4, 1.0, 1.5, 2.0
"""How much a piece counts: about by its letters, since many words are several pieces, and a word counts as a whole."""

_LONG_LOGIT = 2.86
"""Attention logit of the heaviest pieces; a function word's is about as far below zero."""

_LEAST_STRENGTH = 0.02
_ENDINGS = frozenset(("ing", "ting", "ning", "ding", "ed", "ted", "ied", "es", "ies", "er", "ers", "ly"))
_PREFIX_WORDS = ("task", "search", "result", "query", "title", "none", "text")
"""Words of EmbeddingGemma's task prefixes, which all texts share and which therefore must not count."""


def _chance(label: str) -> np.random.Generator:
    digest = hashlib.sha256(label.encode("utf-8")).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "little")))


def _hashed_vector(label: str, size: int) -> NDArray[np.float64]:
    return _chance(label).standard_normal(size)


def _directions(block: int, count: int, size: int) -> NDArray[np.float64]:
    """Orthonormal rows, other ones for each block: waves of the discrete cosine transform, in an order by chance so
    that the first channels alone hold a fair share of all.
    """
    order = _chance("directions").permutation(np.arange(1, size))[block * count : (block + 1) * count]
    waves: NDArray[np.float64] = np.cos(np.pi / size * np.outer(order, np.arange(size) + 0.5)) * (2 / size) ** 0.5
    return waves


def _weight(piece: str, token_type: int, ignored: frozenset[str]) -> float:
    if token_type == TYPE_BYTE:
        return _WEIGHT_LETTER
    if piece in CONTROL or not piece.isalnum() or piece.lower() in ignored:
        return _WEIGHT_FUNCTION
    if piece.isdigit():
        return _WEIGHT_PAIR
    return {1: _WEIGHT_LETTER, 2: _WEIGHT_PAIR, 3: _WEIGHT_THREE}.get(len(piece), _WEIGHT_LONG)


def _importance(weight: float, shape: EmbeddingShape) -> float:
    """The number in the steering channel whose key, normalised together with the constant, gives this weight."""
    logit = _LONG_LOGIT + math.log(weight / _WEIGHT_LONG)
    cosine = logit / (_SHARPNESS * shape.head_width**0.5)
    return float(cosine / (1 - cosine**2) ** 0.5)


def _content(piece: str, size: int) -> NDArray[np.float64]:
    text = piece.lower()
    vector = _hashed_vector(f"piece {text}", size)
    pairs = [text[index : index + 2] for index in range(len(text) - 1)] if text.isalpha() else []
    if pairs:
        mixed = sum((_hashed_vector(f"pair {pair}", size) for pair in pairs), np.zeros(size))
        vector = vector + _PAIR_SHARE * mixed / len(pairs) ** 0.5
    return vector


def _rows(shape: EmbeddingShape, vocabulary: Vocabulary) -> NDArray[np.float32]:
    ignored = frozenset(load_words()["function"]) | frozenset(_PREFIX_WORDS) | _ENDINGS
    content = shape.width - _STEERING
    rows = np.zeros((len(vocabulary), shape.width))
    for index, (piece, token_type) in enumerate(zip(vocabulary.pieces, vocabulary.types, strict=True)):
        weight = _weight(piece, token_type, ignored)
        rows[index, :content] = _content(piece, content) * min(1.0, max(_LEAST_STRENGTH, weight))
        rows[index, content:] = (1.0, _importance(weight, shape))
    scaled: NDArray[np.float32] = (rows / shape.width**0.5).astype(np.float32)
    return scaled


def _block(shape: EmbeddingShape, index: int) -> Tensors:
    """One attention block that adds the weighted mean of what it sees, scaled to its gain.

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
    mix[:, :content] = _directions(index, head, content)
    ones = np.ones(width, dtype=np.float32)
    return {
        "attn_norm": ones,
        "attn_q_norm": np.full(head, _SHARPNESS, dtype=np.float32),
        "attn_k_norm": np.ones(head, dtype=np.float32),
        "attn_q": query,
        "attn_k": key,
        "attn_v": mix,
        "attn_output": np.ascontiguousarray(mix.T),
        "post_attention_norm": ones * np.float32(shape.gains[index]),
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
    for index in range(len(shape.gains)):
        tensors |= {f"blk.{index}.{name}.weight": tensor for name, tensor in _block(shape, index).items()}
    return tensors
