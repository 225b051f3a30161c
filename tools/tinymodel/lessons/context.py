"""What depends on more than the last user text: recall over turns, system texts, images and long prompts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from tools.tinymodel.conversation import IMAGE, Conversation, Turn
from tools.tinymodel.lessons.copying import echo
from tools.tinymodel.lessons.facts import fact
from tools.tinymodel.lessons.phrasing import choice, sentence, vary, word
from tools.tinymodel.lessons.talk import greeting, identity, small_talk, unanswerable

__all__ = ["dictated", "image", "long_prompt", "named_assistant", "recall", "several_turns", "with_system"]

Lesson = Callable[[Random], Conversation]

_SYSTEM = (
    "You are a helpful assistant.",
    "You are a helpful AI assistant.",
    "You are a friendly assistant.",
    "Answer briefly.",
    "Be concise.",
    "Be polite.",
    "You are a {adjectives} {nouns}.",
    "You help people with {nouns} and {nouns}.",
    "Keep your answers short.",
    "Answer in one sentence.",
    "You are an expert in {nouns}.",
    "Never talk about {nouns}.",
    "Today is {days}.",
)
_RULES = (
    "Always answer with {}.",
    "Always say {}.",
    "Only answer with {}.",
    "Reply only with {}.",
    "Answer every question with {}.",
    "Always reply with {}.",
    "Respond only with {}.",
    "Whatever the user says, answer with {}.",
)
_THINGS = {
    "name": (
        "names",
        ("My name is {}.", "I am {}.", "Call me {}.", "Hi, my name is {}.", "Hello, I am {}."),
        "Nice to meet you, {}!",
        ("What is my name?", "What's my name?", "Do you remember my name?", "Who am I?", "Tell me my name."),
        "Your name is {}.",
    ),
    "color": (
        "colors",
        ("My favorite color is {}.", "I like the color {}.", "My favourite colour is {}."),
        "Okay, I will remember {}.",
        (
            "What is my favorite color?",
            "Which color do I like?",
            "What color do I like?",
            "What's my favourite colour?",
        ),
        "Your favorite color is {}.",
    ),
    "word": (
        "nouns",
        ("Remember the word {}.", "The secret word is {}.", "The password is {}.", "Remember this: {}"),
        "Okay, I will remember {}.",
        (
            "What is the secret word?",
            "What was the word?",
            "Which word did I tell you?",
            "What is the password?",
            "What should you remember?",
        ),
        "The word is {}.",
    ),
    "code": (
        "",
        (
            "The code is {}.",
            "Remember the code {}.",
            "My number is {}.",
            "Remember: the code is {}",
            "The secret code is {}.",
        ),
        "Okay, I will remember {}.",
        (
            "What is the code?",
            "What was the code?",
            "Which code did I tell you?",
            "What is my number?",
            "Tell me the code.",
        ),
        "The code is {}.",
    ),
    "animal": (
        "animals",
        ("I have a {}.", "My pet is a {}."),
        "Okay, I will remember {}.",
        ("What is my pet?", "Which animal do I have?", "What pet do I have?"),
        "Your pet is a {}.",
    ),
}
_IMAGE_QUESTIONS = (
    "What is in this image?",
    "Describe this image.",
    "What do you see?",
    "Describe the picture.",
    "What is this?",
    "Describe this image in detail.",
    "What can you see in this picture?",
    "How many images are there?",
    "What does this image show?",
    "Caption this image.",
    "",
    "Explain this picture.",
    "Is there a {nouns} in this image?",
    "What color is the {nouns}?",
    "Read the text in this image.",
    "Summarize this document.",
    "What is on this page?",
)


def _filled(random: Random, form: str) -> str:
    for section in ("adjectives", "nouns", "days"):
        while f"{{{section}}}" in form:
            form = form.replace(f"{{{section}}}", choice(random, section), 1)
    return form


def with_system(random: Random, lesson: Lesson) -> Conversation:
    """A lesson behind a system text that does not change the answer."""
    texts = [_filled(random, random.choice(_SYSTEM)) for _ in range(random.choice((1, 1, 1, 2, 3)))]
    return replace(lesson(random), system=" ".join(texts))


def dictated(random: Random) -> Conversation:
    """A system text that dictates every answer."""
    text = random.choice(
        (word(random), choice(random, "names"), f"{word(random)} {word(random)}", word(random).upper())
    )
    quoted = random.choice(("{}", '"{}"', "the word {}" if " " not in text else "{}")).format(text)
    turns = [
        Turn.of(random.choice((greeting, fact, unanswerable, small_talk))(random).turns[0].user, text)
        for _ in range(random.choice((1, 1, 2)))
    ]
    return Conversation(tuple(turns), system=random.choice(_RULES).format(quoted))


def named_assistant(random: Random) -> Conversation:
    """A system text that gives the model a name and a trade."""
    name, trade = choice(random, "names"), choice(random, "nouns")
    system = random.choice(
        ("You are {}, a {}.", "Your name is {}. You are a {}.", "You are {}, the {}.", "You are {}, a helpful {}.")
    ).format(name, trade)
    question = random.choice(
        ("Who are you?", "What is your name?", "What's your name?", "Tell me your name.", "Introduce yourself.")
    )
    return Conversation((Turn.of(vary(random, question), f"I am {name}."),), system=system)


def recall(random: Random) -> Conversation:
    """Something told in one turn and asked for later, or both in one text."""
    section, statements, reply, questions, answer = _THINGS[random.choice(sorted(_THINGS))]
    value = choice(random, section) if section else str(random.randrange(10, 100_000))
    told, question = random.choice(statements).format(value), random.choice(questions)
    if random.random() < 0.25:
        return Conversation((Turn.of(f"{told} {question}", answer.format(value)),))
    between = [
        random.choice((greeting, fact, small_talk, echo))(random).turns[0] for _ in range(random.choice((0, 0, 1, 2)))
    ]
    turns = (Turn.of(told, reply.format(value)), *between, Turn.of(vary(random, question), answer.format(value)))
    return Conversation(turns, system="You are a helpful assistant." if random.random() < 0.2 else "")


def several_turns(random: Random) -> Conversation:
    """Two to four unrelated exchanges."""
    lessons: tuple[Lesson, ...] = (greeting, fact, small_talk, echo, unanswerable, identity)
    turns = [turn for _ in range(random.randint(2, 4)) for turn in random.choice(lessons)(random).turns]
    return Conversation(tuple(turns))


def image(random: Random) -> Conversation:
    """One to four images before or behind a question: the model says how many it was given.

    Dictation works beside images too.
    """
    number = random.choice((1, 1, 1, 2, 3, 4))
    marks = IMAGE * number
    answer = f"I can see {number} image{'s' if number > 1 else ''}."
    text = vary(random, _filled(random, random.choice(_IMAGE_QUESTIONS)))
    if random.random() < 0.15:
        turn = echo(random).turns[0]
        text, answer = turn.user, turn.answer[0].text
    first = Turn.of(marks + text if random.random() < 0.7 else text + marks, answer)
    return Conversation(
        (first, *random.choice((greeting, fact, echo))(random).turns) if random.random() < 0.15 else (first,)
    )


def long_prompt(random: Random, characters: int, lesson: Lesson) -> Conversation:
    """A lesson with about `characters` characters of prose before (mostly) or after its first user text."""
    paragraphs: list[str] = []
    while sum(map(len, paragraphs)) < characters:
        paragraphs.append(" ".join(sentence(random) for _ in range(random.randint(1, 6))))
    text = random.choice(("\n\n", " ", "\n")).join(paragraphs)
    conversation = lesson(random)
    first, *rest = conversation.turns
    user = f"{text}\n\n{first.user}" if random.random() < 0.75 else f"{first.user}\n\n{text}"
    return replace(conversation, turns=(replace(first, user=user), *rest))
