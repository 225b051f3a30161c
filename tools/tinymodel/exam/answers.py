"""What came back, what should have, and whether both are the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from localaik.generation.request import EnumText, ToolCall
from tools.tinymodel.conversation import Conversation
from tools.tinymodel.exam.asking import OPENAI_PATH, Question

__all__ = ["Answer", "expected_answer", "is_right", "read_answer", "same_functions"]


@dataclass(frozen=True)
class Answer:
    """The text of an answer, its calls as names and inputs (JSON in one form, or free text), and the thoughts."""

    text: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    thoughts: str = ""

    def __str__(self) -> str:
        told = [f"({self.thoughts})"] if self.thoughts else []
        told += [self.text] if self.text or not self.calls else []
        return " ".join([*told, *(f"{name}({arguments})" for name, arguments in self.calls)])


def expected_answer(conversation: Conversation, question: Question) -> Answer:
    """The last answer of the conversation; as thoughts where the question is about them."""
    last = conversation.turns[-1]
    text = last.answer.strip()
    if question.about == "thoughts":
        return Answer(thoughts=text)
    return Answer(_one_form(text) if _is_json(conversation) else text, tuple(_called(call) for call in last.calls))


def read_answer(body: object, conversation: Conversation, question: Question) -> Answer:
    """What the server answered, in the form of `expected_answer`. Raises LookupError or TypeError for another form."""
    answer = _openai(body) if question.path == OPENAI_PATH else _gemini(body)
    if question.about == "thoughts":
        return Answer(thoughts=answer.thoughts)
    text = _one_form(answer.text) if _is_json(conversation) else answer.text
    return Answer(text, answer.calls)


def is_right(answer: Answer, expected: Answer) -> bool:
    """Text and calls are equal: the same functions in the same order, with the same arguments."""
    return answer == expected


def same_functions(answer: Answer, expected: Answer) -> bool:
    """The same functions are called, whatever their arguments; or none, where none is expected."""
    return [name for name, _ in answer.calls] == [name for name, _ in expected.calls]


def _is_json(conversation: Conversation) -> bool:
    return conversation.output is not None and not isinstance(conversation.output, EnumText)


def _one_form(text: str) -> str:
    """JSON as compact text with its keys in order, so that equal values are equal texts; other text as it is."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    except ValueError:
        return text


def _called(call: ToolCall) -> tuple[str, str]:
    return call.name, call.arguments if call.custom else _one_form(call.arguments)


def _openai(body: object) -> Answer:
    message = _member(body, "choices", 0, "message")
    calls = []
    for call in _list(_get(message, "tool_calls")):
        if _get(call, "type") == "custom":
            calls.append((str(_member(call, "custom", "name")), str(_member(call, "custom", "input"))))
        else:
            arguments = _one_form(str(_member(call, "function", "arguments")))
            calls.append((str(_member(call, "function", "name")), arguments))
    return Answer(str(_get(message, "content") or ""), tuple(calls))


def _gemini(body: object) -> Answer:
    content = _get(_member(body, "candidates", 0), "content")
    text = thoughts = ""
    calls = []
    for part in _list(_get(content, "parts")):
        called = _get(part, "functionCall")
        if called is not None:
            calls.append((str(_member(called, "name")), _one_form(json.dumps(_get(called, "args") or {}))))
        elif _get(part, "thought"):
            thoughts += str(_get(part, "text") or "")
        else:
            text += str(_get(part, "text") or "")
    return Answer(text, tuple(calls), thoughts)


def _get(value: object, key: str) -> object:
    """A member of a JSON object that may be absent."""
    return value.get(key) if isinstance(value, dict) else None


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def _member(value: object, *path: str | int) -> object:
    """What stands at a path in JSON. Raises LookupError or TypeError where nothing does."""
    for step in path:
        members = dict(enumerate(value)) if isinstance(value, list) else value
        if not isinstance(members, dict):
            raise TypeError(f"no {step!r} in {str(value)[:200]}")
        value = members[step]
    return value
