"""How people type a question or a request: openings, politeness, letter case and closing marks."""

from __future__ import annotations

from random import Random

__all__ = ["asked", "briefly", "lowered", "typed"]

_QUESTION_OPENINGS = (
    "Please tell me: ",
    "Tell me: ",
    "Question: ",
    "Q: ",
    "Hey, ",
    "Hi! ",
    "Hello, ",
    "Hi, ",
    "Quick question: ",
    "I have a question. ",
    "Tell me, ",
    "So, ",
    "And ",
    "Ok, ",
    "Now tell me: ",
    "Answer this: ",
    "Please answer: ",
    "Can you tell me: ",
    "Do you know: ",
    "One question: ",
    "Answer the question: ",
    "User: ",
)
_REQUEST_OPENINGS = (
    "Please ",
    "Please ",
    "Please ",
    "Can you ",
    "Can you please ",
    "Could you ",
    "Could you please ",
    "Would you ",
    "Will you ",
    "I want you to ",
    "I need you to ",
    "I would like you to ",
    "Now ",
    "Now please ",
    "Hey, ",
    "Hi, ",
    "Hello, please ",
    "Task: ",
    "Ok, now ",
    "Your task is to ",
)
_CLOSINGS = (" please", ", please", " Thanks!", " Thank you.", " thanks", " Please.")
_BRIEF_BEHIND = (
    " Answer in one word.",
    " One word.",
    " One word only.",
    " Only one word.",
    " In one word.",
    " Reply with one word.",
    " Reply with one word only.",
    " Just one word.",
    " Just the answer.",
    " Only the answer.",
    " Only the answer, please.",
    " Just the name.",
    " Only the name.",
    " Name only.",
    " Give only the answer.",
    " Answer only.",
    " No sentence, only the answer.",
    " Answer with one word.",
    " Answer with a single word.",
    " Respond with one word.",
    " Reply with only the answer.",
    " Answer with just the name.",
    " Reply with the name only.",
    " One-word answer.",
    " Answer with one word only, please.",
    " Use one word.",
)
_BRIEF_BEFORE = (
    "In one word: ",
    "Answer in one word: ",
    "One word: ",
    "In one word, ",
    "Answer with one word: ",
    "Only the answer: ",
    "Just the answer: ",
    "Reply with one word: ",
    "Answer with only one word. ",
    "Give me only the answer: ",
    "Just the name: ",
)
_PLAIN_SHARE = 0.68


def lowered(text: str) -> str:
    """The text with a small first letter, unless its first word is `I` or in capitals."""
    return text if text[1:2].isupper() or text.startswith(("I ", "I'")) else text[:1].lower() + text[1:]


def typed(random: Random, text: str) -> str:
    """The same words in another letter case or with another closing mark."""
    chance = random.random()
    if chance < 0.2:
        text = text.lower()
    elif chance < 0.32:
        text = lowered(text)
    elif chance < 0.35:
        text = text.upper()
    chance = random.random()
    if chance < 0.22:
        return text.rstrip("?.!")
    if chance < 0.26 and text.endswith("?"):
        return text[:-1] + random.choice(("??", " ?", "???", "?!"))
    if chance < 0.3:
        return text.rstrip(".") + "!" if not text.endswith(("?", "!")) else text
    return text


def asked(random: Random, text: str) -> str:
    """A question or request, sometimes with a polite opening or closing, then as `typed`."""
    if random.random() < _PLAIN_SHARE:
        return typed(random, text)
    question = text.endswith("?")
    if random.random() < 0.2:
        if question or not text.endswith((".", "!")):
            return typed(random, text + random.choice((" Thanks!", " Please.", " Thank you.", " thanks", " please")))
        return typed(random, text[:-1] + random.choice(_CLOSINGS))
    if question:
        opening = random.choice(_QUESTION_OPENINGS)
        return typed(random, opening + (lowered(text) if opening.endswith((", ", "And ")) else text))
    opening = random.choice(_REQUEST_OPENINGS)
    body = opening + (text if opening.endswith(": ") else lowered(text))
    asks = opening.startswith(("Can", "Could", "Would", "Will"))
    return typed(random, body.rstrip(".!") + "?" if asks and random.random() < 0.7 else body)


def briefly(random: Random, question: str) -> str:
    """A question that demands the bare answer."""
    if random.random() < 0.3:
        opening = random.choice(_BRIEF_BEFORE)
        return typed(random, opening + (lowered(question) if opening.endswith(", ") else question))
    closing = random.choice(_BRIEF_BEHIND)
    joint = random.choice(("", "", "\n")) if closing else ""
    return typed(random, question + (joint + closing.strip() if joint else closing))
