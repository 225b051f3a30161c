"""Rules for the form of an answer, told in the system text or beside the question."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

from tools.tinymodel.conversation import Conversation, Turn
from tools.tinymodel.draw import Draw
from tools.tinymodel.lessons.copying import plain_words
from tools.tinymodel.lessons.phrasing import chance, foreign, made_up, word
from tools.tinymodel.lessons.questions import ANY, KNOWN, Question, dictation

__all__ = ["OPENINGS", "ruled_by_system", "ruled_by_user"]


OPENINGS = (
    "",
    "",
    "",
    "",
    "You are a helpful assistant. ",
    "You are a helpful AI assistant. ",
    "You are a friendly assistant.\n",
    "Be polite. ",
    "You are an expert. ",
    "Follow this rule: ",
    "Important: ",
    "Rule: ",
    "System rule: ",
    "You must follow these instructions.\n\n",
)
_ONE_WORD = (
    "Answer in one word.",
    "Answer with one word.",
    "Answer with one word only.",
    "Answer with a single word.",
    "Reply in one word.",
    "Reply with a single word.",
    "Reply with one word only.",
    "Respond with one word.",
    "Respond in one word only.",
    "Use only one word.",
    "One word only.",
    "One word answers only.",
    "Give one-word answers.",
    "Your answers are one word long.",
    "Be brief: one word.",
    "Only the answer, no sentence.",
    "Always answer with exactly one word.",
    "Just the answer, nothing else.",
    "Give only the answer.",
)
_UPPER = (
    "Answer in upper case.",
    "Answer in uppercase.",
    "Answer in capital letters.",
    "Answer in capitals.",
    "Answer in all caps.",
    "Always answer in upper case.",
    "Always answer in capital letters.",
    "Always write in upper case letters.",
    "Write everything in capital letters.",
    "Write in uppercase only.",
    "Respond in all caps.",
    "Respond only in upper case.",
    "Reply in uppercase.",
    "Reply in ALL CAPS.",
    "ALWAYS SHOUT.",
    "Always shout.",
    "Use only capital letters.",
    "Use upper case for every answer.",
    "ANSWER IN UPPER CASE.",
)
_LOWER = (
    "Answer in lower case.",
    "Answer in lowercase.",
    "Answer in small letters.",
    "Always answer in lower case.",
    "Always write in lower case letters.",
    "Write everything in lowercase.",
    "Respond in lowercase only.",
    "Reply in lower case.",
    "Reply in small letters.",
    "Use only lower case letters.",
    "Never use capital letters.",
    "Do not use capital letters.",
    "all lowercase please",
)
_START = (
    "Start every answer with {}.",
    "Start your answer with {}.",
    "Start each reply with {}.",
    "Start with {}.",
    "Begin every answer with {}.",
    "Begin your answer with {}.",
    "Begin each response with {}.",
    "Always start with {}.",
    "Always begin with {}.",
    "Every answer must start with {}.",
    "Your answer must begin with {}.",
    "Put {} in front of every answer.",
    "Write {} before your answer.",
    "Prefix your answers with {}.",
    "Say {} before you answer.",
)
_END = (
    "End every answer with {}.",
    "End your answer with {}.",
    "End each reply with {}.",
    "End with {}.",
    "Finish every answer with {}.",
    "Finish your answer with {}.",
    "Always end with {}.",
    "Every answer must end with {}.",
    "Your answer must end with {}.",
    "Put {} behind every answer.",
    "Write {} after your answer.",
    "Close every answer with {}.",
    "Say {} at the end.",
    "Add {} at the end of every answer.",
)
_JSON = (
    "Answer in JSON with the key {}.",
    "Answer as JSON with the key {}.",
    "Answer in JSON with key {}.",
    "Reply in JSON with the key {}.",
    "Respond in JSON with the single key {}.",
    "Respond with JSON that has the key {}.",
    "Respond with a JSON object with the key {}.",
    "Return a JSON object with the key {}.",
    "Return JSON with one key, {}.",
    "Always answer with a JSON object whose key is {}.",
    "Give your answer as JSON under the key {}.",
    "Use JSON. The key is {}.",
    "Output only JSON with the key {}.",
)
_QUOTED = (
    "Answer in quotation marks.",
    "Put your answer in quotation marks.",
    "Put your answer in double quotes.",
    "Write every answer in double quotes.",
    "Wrap your answers in quotation marks.",
    "Answer in quotes.",
)
_BRACKETS = (
    "Put your answer in square brackets.",
    "Write every answer in square brackets.",
    "Wrap your answers in square brackets.",
    "Answer in square brackets.",
    "Put brackets [ ] around your answer.",
)


def _mark(draw: Random) -> tuple[str, str]:
    """Text to put in front of or behind an answer: as told, and as written."""
    kind = draw.random()
    if kind < 0.5:
        text = plain_words(draw, 2)
    elif kind < 0.65:
        text = f"{draw.choice((word, made_up))(draw).capitalize()}{draw.choice(('!', ':', '.', '...', ','))}"
    elif kind < 0.75:
        text = f"[{word(draw).upper()}]"
    elif kind < 0.85:
        text = foreign(draw)[:2].strip() or "!"
    else:
        text = draw.choice(
            (
                "Sure!",
                "Ahoy!",
                "OK.",
                "Yes, sir!",
                "Well,",
                "Dear friend,",
                ">>>",
                "***",
                "Thanks!",
                "Over.",
                "Done.",
                "Meow",
                "Arr",
            )
        )
    plain = text[-1].isalnum() and chance(draw, 0.4)
    return (text if plain else draw.choice(('"{}"', '"{}"', "'{}'")).format(text)), text


def _rule(draw: Draw) -> tuple[str, Callable[[Question], str], tuple[Callable[[Draw], Question], ...]]:
    """A rule, what it makes of an answer, and the questions that it suits."""
    kind = draw.choices(
        ("word", "upper", "lower", "start", "end", "json", "quotes", "brackets"), (5, 4, 3, 4, 3, 3, 1, 1)
    )[0]
    if kind == "word":
        return draw.choice(_ONE_WORD), lambda asked: asked.bare, KNOWN
    if kind == "upper":
        return draw.choice(_UPPER), lambda asked: asked.full.upper(), ANY
    if kind == "lower":
        return draw.choice(_LOWER), lambda asked: asked.full.lower(), ANY
    if kind == "quotes":
        return draw.choice(_QUOTED), lambda asked: f'"{asked.full}"', ANY
    if kind == "brackets":
        return draw.choice(_BRACKETS), lambda asked: f"[{asked.full}]", ANY
    if kind == "json":
        key = "answer" if chance(draw, 0.4) else draw.choice((word, word, made_up))(draw).lower()
        shown = draw.choice(("{}", '"{}"', "'{}'", "`{}`")).format(key)
        return draw.choice(_JSON).format(shown), lambda asked: _object(key, asked.bare), (*KNOWN, dictation)
    shown, text = _mark(draw)
    if kind == "start":
        return draw.choice(_START).format(shown), lambda asked: f"{text} {asked.full}", ANY
    return draw.choice(_END).format(shown), lambda asked: f"{asked.full} {text}", ANY


def _object(key: str, value: str) -> str:
    number = value.removeprefix("-").isdigit() and str(int(value)) == value
    return json.dumps({key: int(value) if number else value}, separators=(",", ":"), ensure_ascii=False)


def ruled_by_system(draw: Draw) -> Conversation:
    """One to three questions under a rule of the system text."""
    rule, apply, questions = _rule(draw)
    asked = [draw.choice(questions)(draw) for _ in range(draw.choice((1, 1, 1, 2, 3)))]
    turns = tuple(Turn(question.text, apply(question)) for question in asked)
    return Conversation(turns, system=draw.choice(OPENINGS) + rule)


def ruled_by_user(draw: Draw) -> Conversation:
    """A question with a rule in front of it or behind it."""
    rule, apply, questions = _rule(draw)
    question = draw.choice(questions)(draw)
    if chance(draw, 0.6):
        text = f"{question.text}{draw.choice((' ', ' ', chr(10)))}{rule}"
        if question.text[-1].isalnum() or question.text.endswith('"'):
            text = f"{question.text}{draw.choice((chr(10), chr(10) * 2))}{rule}"
    else:
        bare = rule.rstrip(".")
        text = draw.choice((f"{rule} {question.text}", f"{rule}\n{question.text}", f"{bare}: {question.text}"))
    return Conversation((Turn(text, apply(question)),))
