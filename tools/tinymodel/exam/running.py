"""Asks the questions of exam lines, several at a time, and counts what is right."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import aiohttp

from tools.tinymodel.conversation import Conversation
from tools.tinymodel.draw import Draw
from tools.tinymodel.exam.answers import Answer, expected_answer, is_right, read_answer, same_functions
from tools.tinymodel.exam.asking import Question, question_of
from tools.tinymodel.exam.client import in_parallel, post, session_to
from tools.tinymodel.exam.lines import Line

__all__ = ["EXAM_SEED", "Score", "Wrong", "conversations", "examine", "question_for"]

EXAM_SEED = 1_000_000_000
"""Far above the seeds of training."""

_MOST_DRAWS = 200
_SHOWN_CHARACTERS = 300


@dataclass(frozen=True)
class Wrong:
    """One wrong answer: the end of the prompt, what was expected, and what came."""

    prompt: str
    expected: str
    got: str


@dataclass
class Score:
    """What one line gave."""

    line: Line
    total: int = 0
    right: int = 0
    fitting: int = 0
    """Answers that call the right functions, whatever the arguments."""
    wrong: list[Wrong] = field(default_factory=list)

    @property
    def percent(self) -> float:
        """Right answers of 100."""
        return 100 * self.right / max(self.total, 1)

    @property
    def passed(self) -> bool:
        """The bar is reached, if there is one."""
        return self.line.bar is None or self.percent >= self.line.bar


def conversations(line: Line, count: int) -> Iterator[Conversation]:
    """`count` conversations that differ. Fewer where the lesson has no more of them."""
    seen: set[Conversation | str] = set()
    found = 0
    for index in range(count * _MOST_DRAWS):
        draw = Draw.of(EXAM_SEED + index, exam=True)
        conversation = line.lessons[index % len(line.lessons)](draw)
        key = repr(conversation)
        if key in seen or not line.where(conversation):
            continue
        seen.add(key)
        yield conversation
        found += 1
        if found == count:
            return


def question_for(line: Line, conversation: Conversation, index: int) -> Question:
    """The request for a conversation of a line; the pictures depend on the line and the index alone."""
    random = Random(zlib.crc32(f"{line.name} {index}".encode()))
    return question_of(conversation, random, documents=line.documents)


async def examine(url: str, line: Line, count: int, concurrency: int) -> Score:
    """The score of a line on the server at `url`."""
    score = Score(line)
    async with session_to(url) as session:

        async def ask(numbered: tuple[int, Conversation]) -> None:
            index, conversation = numbered
            question = question_for(line, conversation, index)
            expected = expected_answer(conversation, question)
            answer, fault = await _answer(session, conversation, question)
            right = not fault and is_right(answer, expected)
            score.total += 1
            score.right += right
            score.fitting += not fault and same_functions(answer, expected)
            if not right:
                score.wrong.append(Wrong(_prompt(conversation), str(expected), fault or str(answer)))

        await in_parallel(ask, enumerate(conversations(line, count)), concurrency)
    return score


async def _answer(session: aiohttp.ClientSession, conversation: Conversation, question: Question) -> tuple[Answer, str]:
    """The answer, or what was wrong instead."""
    status, body = await post(session, question.path, question.body)
    if status != 200:
        return Answer(), f"HTTP {status}: {str(body)[:_SHOWN_CHARACTERS]}"
    try:
        return read_answer(body, conversation, question), ""
    except (LookupError, TypeError) as error:
        return Answer(), f"not an answer: {error}"


def _prompt(conversation: Conversation) -> str:
    """The end of what the user and the functions said last."""
    last = conversation.turns[-1]
    told = [f"{result.name} -> {result.content}" for result in last.results]
    return " | ".join([*told, last.user])[-_SHOWN_CHARACTERS:]
