"""The vocabulary of the embedded models, and the engine's tokenizer algorithm in Python.

Pieces follow SentencePiece with byte fallback: control tokens, one piece per byte, single ASCII characters, runs of
JSON's punctuation, and merges learned from `words.txt`. Merges stay inside runs of ASCII letters or of JSON's
punctuation, so the space mark, digits and other marks are always pieces of their own, and a copied word has the same
pieces wherever it stands. The runs of punctuation make a declared function two to three times shorter.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path

__all__ = ["CONTROL", "SPACE", "Vocabulary", "build_vocabulary", "load_words"]

SPACE = "\u2581"
"""The piece that stands for U+0020 (SentencePiece's word-space mark)."""

CONTROL = (
    "<pad>",
    "<eos>",
    "<bos>",
    "<unk>",
    "<mask>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<start_of_image>",
    "<end_of_image>",
    "<image_soft_token>",
)
"""Gemma's control tokens; the index is the token id."""

PAD, EOS, BOS, UNK = 0, 1, 2, 3

TYPE_NORMAL, TYPE_UNKNOWN, TYPE_CONTROL, TYPE_BYTE = 1, 2, 3, 6
"""Values of `tokenizer.ggml.token_type` (llama.cpp `llama_token_type`)."""

_WORDS_FILE = Path(__file__).with_name("words.txt")
_RUNS = re.compile(r'[A-Za-z]+|[{}\[\]":,]+|[^A-Za-z]', re.DOTALL)
_JSON_MERGES = (
    *('":', ',"', '{"', '":"', '","', '":{', '":{"', '["', '":["', '"}', '},"', '"},"', '"}}', '"}},"', '"]', '"],"'),
    *('"]}', "}}", '}},"', '"}}}', '"]}}', '":[', '],"', "]}", "{}", '"}]', ',{"', '},{"', '"},{"', '":{}'),
)
"""Runs of JSON's punctuation, best first; each is a pair of pieces that stand before it."""
_SECTION_WEIGHT = {"prompt": 60, "function": 24, "chat": 12, "numbers": 6}
_CAPITALISED_PART = 3


@cache
def load_words() -> dict[str, tuple[str, ...]]:
    """Read `words.txt` into section name -> words, in file order and without repeats inside a section."""
    sections: dict[str, list[str]] = {}
    words: list[str] = []
    for line in _WORDS_FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            words = sections.setdefault(line.strip("[]"), [])
        elif not line.startswith("#"):
            words.extend(line.split())
    return {name: tuple(dict.fromkeys(section)) for name, section in sections.items()}


@dataclass(frozen=True)
class Vocabulary:
    """Pieces with their scores and types; the index is the token id."""

    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    types: tuple[int, ...]
    _ids: dict[str, int] = field(repr=False)
    _cache: dict[str, tuple[int, ...]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.pieces)

    def id(self, piece: str) -> int:
        """Token id of an exact piece. Raises KeyError for a piece that does not exist."""
        return self._ids[piece]

    def encode(self, text: str) -> list[int]:
        """Tokenize plain text, in which control tokens are ordinary characters.

        Same ids as llama.cpp's SPM tokenizer.
        """
        tokens: list[int] = []
        for run in _RUNS.findall(text):
            known = self._cache.get(run)
            if known is None:
                known = tuple(self._encode_run(run))
                self._cache[run] = known
            tokens.extend(known)
        return tokens

    def _encode_run(self, run: str) -> Iterator[int]:
        symbols = [SPACE if character == " " else character for character in run]
        while len(symbols) > 1:
            candidates = [
                (self.scores[token], -index)
                for index in range(len(symbols) - 1)
                if (token := self._ids.get(symbols[index] + symbols[index + 1])) is not None
            ]
            if not candidates:
                break
            index = -max(candidates)[1]
            symbols[index : index + 2] = [symbols[index] + symbols[index + 1]]
        for symbol in symbols:
            token = self._ids.get(symbol)
            if token is None:
                yield from (self._ids[f"<0x{byte:02X}>"] for byte in symbol.encode("utf-8"))
            else:
                yield token


def _word_counts() -> Counter[str]:
    counts: Counter[str] = Counter()
    for section, words in load_words().items():
        weight = _SECTION_WEIGHT.get(section, 3) * _CAPITALISED_PART
        for word in words:
            counts[word] += weight
            if word.islower():
                counts[word.capitalize()] += weight // _CAPITALISED_PART
    return counts


def _learn_merges(limit: int) -> list[str]:
    """Byte-pair merges over the word list, best first.

    Ties are broken by the text of the pair, so the result is fixed.
    """
    words = [(list(word), count) for word, count in sorted(_word_counts().items())]
    pairs: Counter[tuple[str, str]] = Counter()
    for symbols, count in words:
        for pair in pairwise(symbols):
            pairs[pair] += count
    merges: dict[str, None] = {}
    while len(merges) < limit:
        left, right = max(pairs, key=lambda pair: (pairs[pair], pair))
        if not pairs[left, right]:
            raise ValueError(f"the word list gives {len(merges)} merges, {limit} were asked for")
        merges[left + right] = None
        for symbols, count in words:
            if (left, right) in pairwise(symbols):
                for pair in pairwise(symbols):
                    pairs[pair] -= count
                _merge(symbols, left, right)
                for pair in pairwise(symbols):
                    pairs[pair] += count
    return list(merges)


def _merge(symbols: list[str], left: str, right: str) -> None:
    index = 0
    while index < len(symbols) - 1:
        if symbols[index] == left and symbols[index + 1] == right:
            symbols[index : index + 2] = [left + right]
        index += 1


@cache
def build_vocabulary(size: int) -> Vocabulary:
    """The vocabulary with exactly `size` pieces. Raises ValueError if the word list is too small for it."""
    pieces = list(CONTROL)
    types = [TYPE_UNKNOWN if piece == "<unk>" else TYPE_CONTROL for piece in CONTROL]
    pieces += [f"<0x{byte:02X}>" for byte in range(256)]
    types += [TYPE_BYTE] * 256
    pieces += ["\n", SPACE, *map(chr, range(0x21, 0x7F)), *_JSON_MERGES]
    pieces += _learn_merges(size - len(pieces))
    types += [TYPE_NORMAL] * (size - len(types))
    scores = [0.0] * len(CONTROL) + [-float(rank) for rank in range(size - len(CONTROL))]
    return Vocabulary(tuple(pieces), tuple(scores), tuple(types), {piece: index for index, piece in enumerate(pieces)})
