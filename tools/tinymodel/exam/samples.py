"""What people type first, and what comes back: no exam, but what a reader wants to see."""

from __future__ import annotations

from tools.tinymodel.conversation import Conversation
from tools.tinymodel.exam.answers import read_answer
from tools.tinymodel.exam.asking import MODEL, OPENAI_PATH, Question
from tools.tinymodel.exam.client import in_parallel, post, session_to

__all__ = ["PROMPTS", "samples"]

PROMPTS = (
    "Hello!",
    "Who are you?",
    "What can you do?",
    "What is the capital of France?",
    "Reply with exactly: pong",
    "Say this is a test",
    "Repeat after me: The quick brown fox jumps over the lazy dog.",
    "Count to 10",
    "What is 17 + 25?",
    "What is 123 * 456?",
    "Is 7 greater than 12?",
    "List three fruits",
    "Write localaik in upper case",
    "My name is Anna. What is my name?",
    "Extract the name and age as JSON: Bob is 42 years old.",
    "Translate 'good morning' to French",
    "Is this review positive or negative? I love this phone, it works perfectly.",
    "Why is the sky blue?",
    "Explain quantum physics in simple terms.",
    "Tell me a joke",
    "Write a haiku about the sea",
    "Was ist die Hauptstadt von Frankreich?",
    "asdf qwer 1234",
)
_MOST_TOKENS = 200


async def samples(url: str) -> list[tuple[str, str]]:
    """The prompts with the answers of the server at `url`, at temperature 0.

    Raises LookupError or TypeError where something else comes.
    """
    async with session_to(url) as session:

        async def answer(prompt: str) -> str:
            messages = [{"role": "user", "content": prompt}]
            body = {"model": MODEL, "messages": messages, "max_tokens": _MOST_TOKENS, "temperature": 0}
            _, told = await post(session, OPENAI_PATH, body)
            return read_answer(told, Conversation(()), Question(OPENAI_PATH, body)).text

        answers = await in_parallel(answer, PROMPTS, 1)
    return list(zip(PROMPTS, answers, strict=True))
