"""What a model wants around the tokens of a text, and how many it takes. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

__all__ = ["Frame", "Prompt"]

_MOST_BYTES: Final = 33  # of a character after normalisation: U+FDFA in NFKC
_MOST_BYTES_OF_ASCII: Final = 3  # a space, which SentencePiece writes as U+2581


@dataclass(frozen=True, slots=True)
class Prompt:
    """One input as it goes to the engine."""

    input: str | list[int]
    """A text, or token ids with all that the model wants around them."""
    tokens: int = 0
    """Its size; 0 where only the engine will tell."""
    total: int = 0
    """Its size before it was cut."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The tokens before and after every prompt of a model, and its limits, all in tokens."""

    head: tuple[int, ...]
    tail: tuple[int, ...]
    limit: int
    vocabulary: int

    @classmethod
    def found(cls, bare: Sequence[int], whole: Sequence[int], *, limit: int, vocabulary: int) -> Self | None:
        """From the tokens of one text without and with what is put around it; None where they don't fit together."""
        for start in range(len(whole) - len(bare) + 1):
            end = start + len(bare)
            if list(whole[start:end]) == list(bare):
                return cls(tuple(whole[:start]), tuple(whole[end:]), limit, vocabulary)
        return None

    def surely_holds(self, text: str) -> bool:
        """True where `text` can't be too long, whatever its tokens are.

        A token is at least one byte of the normalised text.
        """
        growth = _MOST_BYTES_OF_ASCII if text.isascii() else _MOST_BYTES
        return growth * len(text) + len(self.head) + len(self.tail) <= self.limit

    def prompt(self, tokens: list[int]) -> Prompt:
        """The prompt of a text's tokens, of which the last ones are cut off where there are too many."""
        around = len(self.head) + len(self.tail)
        kept = [*self.head, *tokens[: max(self.limit - around, 0)], *self.tail]
        return Prompt(kept, len(kept), len(tokens) + around)

    def ordinary(self, token: int) -> int:
        """A token for an id of any other vocabulary, always the same one.

        Control tokens and single bytes stand at the beginning or at the end of a vocabulary, never in its middle half.
        """
        return self.vocabulary // 4 + token % max(self.vocabulary // 2, 1)
