"""How people type a question: polite or short, with or without capital and closing mark."""

from __future__ import annotations

from tools.tinymodel.draw import Draw

__all__ = ["HELPFUL", "asked", "helpful"]

_HEADS = (
    "Please tell me: ",
    "Tell me: ",
    "Question: ",
    "Hey, ",
    "Hi! ",
    "Hello. ",
    "And ",
    "Now: ",
    "Quick question: ",
    "OK. ",
    "So, ",
    "Can you tell me: ",
    "Q: ",
)
_TAILS = (" Please.", " Thanks!", " Thank you.", " please", " Answer briefly.", " Be brief.")
HELPFUL = (
    "You are a helpful assistant.",
    "You are a helpful AI assistant.",
    "You are a friendly assistant.",
    "You are a useful test assistant.",
    "Answer briefly.",
    "Be concise.",
    "Be polite.",
    "Keep your answers short.",
    "You are an expert.",
    "Answer the user's questions.",
)
"""System texts that change no answer."""


def _lowered(text: str) -> str:
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def asked(draw: Draw, question: str) -> str:
    """The same question as people type it; names and values in it keep their case."""
    if draw.random() < 0.18:
        question = _lowered(question)
    chance = draw.random()
    if chance < 0.12:
        question = question.rstrip("?.")
    elif chance < 0.15:
        question += draw.choice(("?", "!", " "))
    chance = draw.random()
    if chance < 0.1:
        head = draw.choice(_HEADS)
        return head + (_lowered(question) if head[-2] not in ":.!" else question)
    return question + draw.choice(_TAILS) if chance < 0.15 and question[-1:] in "?." else question


def helpful(draw: Draw, share: float = 0.12) -> str:
    """A system text that changes nothing, or mostly none."""
    return draw.choice(HELPFUL) if draw.random() < share else ""
