"""Conversations of the training data and of the exams, and their tokens.

A conversation is what a client says to the server. The prompt is rendered by the server's own functions
(`localaik.generation`) and then in Gemma's chat format as `chat_template.jinja` writes it, so lessons and product can't
drift apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from localaik.content import Image, Text
from localaik.engine.calls import ChatTurn, EngineImage
from localaik.generation.form import Form
from localaik.generation.guard import Neutraliser, to_turns
from localaik.generation.request import Message, MessagePart, OutputFormat, Tool, ToolCall, ToolChoice, ToolResult
from tools.tinymodel.vision.scene import Scene
from tools.tinymodel.vocabulary import BOS, Vocabulary

__all__ = ["IMAGE", "Conversation", "Sample", "Turn", "chat_turns", "render"]

IMAGE = "\ufffc"
"""Stands for an image in a user text."""

_NEUTRALISER = Neutraliser()
_ROOM = 8192
_USUAL_ANSWER = 12
_LEAST_GAIN, _MOST_GAIN = 0.4, 2.0


@dataclass(frozen=True)
class Turn:
    """One exchange: what the user says, and what the model should answer."""

    user: str = ""
    """With one `IMAGE` mark per scene."""
    answer: str = ""
    calls: tuple[ToolCall, ...] = ()
    """Functions that the model calls behind its text."""
    results: tuple[ToolResult, ...] = ()
    """What the calls of the turn before gave; told in front of `user`."""
    scenes: tuple[Scene, ...] = ()
    taught: bool = True
    """False: the answer is history that the model reads and is not taught to write."""


@dataclass(frozen=True)
class Conversation:
    """Turns in order; the last answer is what an exam looks at."""

    turns: tuple[Turn, ...]
    system: str = ""
    tools: tuple[Tool, ...] = ()
    choice: ToolChoice = field(default_factory=ToolChoice)
    output: OutputFormat | None = None


@dataclass
class Sample:
    """Tokens, the weight of learning to predict each (0: given), its image (0: text), and the images' scenes."""

    tokens: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    images: list[int] = field(default_factory=list)
    scenes: list[Scene] = field(default_factory=list)

    def add(self, tokens: Sequence[int], weight: float = 0.0, image: int = 0) -> None:
        """Append tokens that share a weight and an image number."""
        self.tokens += tokens
        self.weights += [weight] * len(tokens)
        self.images += [image] * len(tokens)

    def __len__(self) -> int:
        return len(self.tokens)


def chat_turns(conversation: Conversation) -> list[ChatTurn]:
    """What the server sends to the engine for the conversation, the answers included."""
    messages = [Message("system", [Text(conversation.system)])] if conversation.system else []
    for turn in conversation.turns:
        messages.append(Message("user", [*turn.results, *_pieces(turn.user)]))
        said: list[MessagePart] = [Text(turn.answer)] if turn.answer else []
        messages.append(Message("assistant", [*said, *turn.calls]))
    return to_turns(messages, _NEUTRALISER, instructions=_instructions(conversation))


def render(conversation: Conversation, vocabulary: Vocabulary, image_tokens: int) -> Sample:
    """Tokens of a conversation with `<bos>`, turns, and `image_tokens` soft tokens between image markers."""
    turns = chat_turns(conversation)
    system = turns.pop(0).content if turns[0].role == "system" else ""
    sample = Sample(scenes=[scene for turn in conversation.turns for scene in turn.scenes])
    sample.add([BOS])
    start, end = vocabulary.id("<start_of_turn>"), vocabulary.id("<end_of_turn>")
    line = vocabulary.encode("\n")
    prefix = f"{system}\n\n" if system else ""
    for index, turn in enumerate(turns):
        if turn.role == "user":
            sample.add([start, *vocabulary.encode(f"user\n{prefix}")])
            _add_content(sample, turn, vocabulary, image_tokens)
            sample.add([end, *line])
            prefix = ""
        else:
            sample.add([start, *vocabulary.encode("model\n")])
            answer = [*vocabulary.encode(_text(turn)), end]
            gain = (_USUAL_ANSWER / len(answer)) ** 0.5
            taught = conversation.turns[index // 2].taught
            sample.add(answer, min(max(gain, _LEAST_GAIN), _MOST_GAIN) if taught else 0.0)
            sample.add(line)
    return sample


def _instructions(conversation: Conversation) -> str:
    if not conversation.tools and conversation.output is None:
        return ""
    form = Form(conversation.tools, conversation.choice, conversation.output, "grammar")
    return form.instructions(_NEUTRALISER, _ROOM)


def _pieces(text: str) -> list[MessagePart]:
    pieces: list[MessagePart] = []
    for index, part in enumerate(text.split(IMAGE)):
        if index:
            pieces.append(Image(mime="image/png", data=""))
        if part:
            pieces.append(Text(part))
    return pieces


def _text(turn: ChatTurn) -> str:
    if not isinstance(turn.content, str):
        raise TypeError("an answer holds no images")
    return turn.content.strip()


def _add_content(sample: Sample, turn: ChatTurn, vocabulary: Vocabulary, image_tokens: int) -> None:
    """The chat template trims every part."""
    parts = [turn.content] if isinstance(turn.content, str) else turn.content
    for part in parts or ():
        if isinstance(part, EngineImage):
            sample.add([vocabulary.id("<start_of_image>")])
            sample.add([vocabulary.id("<image_soft_token>")] * image_tokens, image=max(sample.images) + 1)
            sample.add([vocabulary.id("<end_of_image>")])
        else:
            sample.add(vocabulary.encode(part.strip()))
