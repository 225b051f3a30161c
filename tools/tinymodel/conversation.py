"""Conversations of the training data, and their tokens in Gemma's chat format as the engine renders them."""

from __future__ import annotations

from dataclasses import dataclass, field

from tools.tinymodel.vocabulary import BOS, Vocabulary

__all__ = ["IMAGE", "Conversation", "Sample", "Span", "Turn", "render"]

IMAGE = "\ufffc"
"""Stands for an image in a user text."""

_SHORT_ANSWER_TOKENS = 6
_SHORT_ANSWER_GAIN = 2.0


@dataclass(frozen=True)
class Span:
    """A part of an answer.

    A forced part is what a grammar would dictate: the model reads it and is not taught to write it.
    """

    text: str
    forced: bool = False


@dataclass(frozen=True)
class Turn:
    """One exchange: what the user says (with `IMAGE` marks) and what the model should answer."""

    user: str
    answer: tuple[Span, ...]

    @classmethod
    def of(cls, user: str, answer: str) -> Turn:
        """A turn whose whole answer is taught."""
        return cls(user, (Span(answer),))


@dataclass(frozen=True)
class Conversation:
    """Turns in order, and an optional system text that stands in front of the first user text."""

    turns: tuple[Turn, ...]
    system: str = ""


@dataclass
class Sample:
    """Tokens, and for each the weight of learning to predict it (0: given) and its image number (0: text)."""

    tokens: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    images: list[int] = field(default_factory=list)

    def add(self, tokens: list[int], weight: float = 0.0, image: int = 0) -> None:
        """Append tokens that share a weight and an image number."""
        self.tokens += tokens
        self.weights += [weight] * len(tokens)
        self.images += [image] * len(tokens)

    def __len__(self) -> int:
        return len(self.tokens)


def render(conversation: Conversation, vocabulary: Vocabulary, image_tokens: int) -> Sample:
    """Tokens of a conversation with `<bos>`, turns and soft tokens between image markers.

    Texts are trimmed as the chat template does.
    """
    sample = Sample()
    sample.add([BOS])
    start, end = vocabulary.id("<start_of_turn>"), vocabulary.id("<end_of_turn>")
    prefix = conversation.system + "\n\n" if conversation.system else ""
    for turn in conversation.turns:
        sample.add([start, *vocabulary.encode("user\n" + prefix)])
        _add_user(sample, turn.user.strip(), vocabulary, image_tokens)
        sample.add([end, *vocabulary.encode("\n"), start, *vocabulary.encode("model\n")])
        _add_answer(sample, turn.answer, end, vocabulary)
        sample.add(vocabulary.encode("\n"))
        prefix = ""
    return sample


def _add_user(sample: Sample, text: str, vocabulary: Vocabulary, image_tokens: int) -> None:
    number = max(sample.images, default=0)
    for index, part in enumerate(text.split(IMAGE)):
        if index:
            number += 1
            sample.add([vocabulary.id("<start_of_image>")])
            sample.add([vocabulary.id("<image_soft_token>")] * image_tokens, image=number)
            sample.add([vocabulary.id("<end_of_image>")])
        sample.add(vocabulary.encode(part))


def _add_answer(sample: Sample, answer: tuple[Span, ...], end: int, vocabulary: Vocabulary) -> None:
    spans = [(vocabulary.encode(span.text), 0.0 if span.forced else 1.0) for span in answer]
    spans.append(([end], 1.0))
    length = sum(len(tokens) for tokens, weight in spans if weight)
    gain = min(max(_SHORT_ANSWER_TOKENS / length, 1.0), _SHORT_ANSWER_GAIN)
    for tokens, weight in spans:
        sample.add(tokens, weight * gain)
