"""Saying what the user dictates, counting, listing and small sums."""

from __future__ import annotations

from random import Random

from tools.tinymodel.conversation import Conversation, Turn
from tools.tinymodel.lessons.phrasing import any_text, blend, identifier, polite, vary, word

__all__ = ["ECHO_ORDERS", "change_case", "count", "drill", "echo", "list_things", "sum_up"]

ECHO_ORDERS = (
    "Say {}",
    "Say: {}",
    "Repeat {}",
    "Repeat: {}",
    "Repeat after me: {}",
    "Say exactly: {}",
    "Say exactly {}",
    "Say only {}",
    "Echo {}",
    "Echo: {}",
    "Repeat this: {}",
    "Repeat this text: {}",
    "Repeat the word {}",
    "Say the word {}",
    "Reply with {}",
    "Reply with: {}",
    "Reply with only {}",
    "Reply with only the word {}",
    "Reply with exactly: {}",
    "Reply with exactly {}",
    "Reply with the word {}",
    "Reply only with {}",
    "Answer with {}",
    "Answer with only {}",
    "Answer with the word {}",
    "Answer with the single word {}",
    "Answer exactly: {}",
    "Respond with {}",
    "Respond with only {}",
    "Respond with exactly: {}",
    "Respond only with the word {}",
    "Respond with the single word {}",
    "Output {}",
    "Output: {}",
    "Output exactly: {}",
    "Print {}",
    "Print: {}",
    "Write {}",
    "Write: {}",
    "Copy this: {}",
    "Just say {}",
    "Just say: {}",
    "Return {}",
    "Return exactly: {}",
    "Say {} and nothing else",
    "Reply with {} and nothing else",
    "Answer {} and nothing else",
    "Say back to me: {}",
    "Reply with the number {}",
    "Reply with the text {}",
    "Respond with the text: {}",
    "Now say {}",
)
"""Ways to dictate an answer."""

_QUOTES = ('"{}"', "'{}'", "`{}`")
_SPELLED = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_THINGS = {
    "colors": ("red", "green", "blue", "yellow", "black"),
    "animals": ("cat", "dog", "horse", "cow", "bird"),
    "fruits": ("apple", "banana", "orange", "lemon", "pear"),
    "foods": ("bread", "cheese", "soup", "pizza", "pasta"),
    "days": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
    "names": ("Anna", "Ben", "Clara", "David", "Emma"),
    "numbers": ("one", "two", "three", "four", "five"),
}
_LIST_ORDERS = (
    "List {} {}.",
    "Name {} {}.",
    "Give me {} {}.",
    "Tell me {} {}.",
    "Write {} {}.",
    "Give me a list of {} {}.",
    "List the names of {} {}.",
    "Can you name {} {}?",
)


def echo(random: Random) -> Conversation:
    """Dictated text: the answer is the text alone, without the quotes that may stand around it."""
    text = any_text(random).strip()
    quoted = random.choice(_QUOTES).format(text) if random.random() < 0.3 and not set(text) & set("\"'`") else text
    order = random.choice(ECHO_ORDERS).format(quoted)
    if random.random() < 0.15:
        order = order[:1].lower() + order[1:]
    if random.random() < 0.25 and text[-1:].isalnum():
        order += "."
    turns = [Turn.of(polite(random, order), text)]
    if random.random() < 0.12:
        turns.append(
            Turn.of(
                vary(random, random.choice(("Again", "Say it again", "Repeat that", "Once more", "Again please"))), text
            )
        )
    return Conversation(tuple(turns))


def drill(random: Random) -> Conversation:
    """A long list to repeat: copying learned here carries over to everything that must be read from the prompt."""
    kinds = (word, word, blend, identifier)
    items = [random.choice(kinds)(random) for _ in range(random.randint(6, 24))]
    text = random.choice((" ", " ", ", ", "\n")).join(items)
    return Conversation(
        (Turn.of(random.choice(("Repeat: {}", "Repeat this: {}", "Copy this: {}", "Say: {}")).format(text), text),)
    )


def change_case(random: Random) -> Conversation:
    """A word or two in capitals or small letters."""
    text = " ".join(word(random) for _ in range(random.choice((1, 1, 2))))
    upper = random.random() < 0.6
    forms = (
        (
            "Write {} in upper case.",
            "Convert {} to uppercase.",
            "{} in uppercase",
            "Uppercase: {}",
            "Say {} in capitals.",
        )
        if upper
        else ("Write {} in lower case.", "Convert {} to lowercase.", "{} in lowercase", "Lowercase: {}")
    )
    shown = text if upper else random.choice((text.upper(), text.title()))
    return Conversation(
        (Turn.of(polite(random, random.choice(forms).format(shown)), text.upper() if upper else text.lower()),)
    )


def count(random: Random) -> Conversation:
    """Counting in figures from one number to another, upwards."""
    first = 1 if random.random() < 0.7 else random.randint(0, 20)
    last = first + random.randint(1, 10 if random.random() < 0.7 else 24)
    between = random.choice(("to", "up to")) if first == 1 and random.random() < 0.5 else f"from {first} to"
    ends = [str(last)] + ([_SPELLED[last]] if last < len(_SPELLED) else [])
    order = polite(random, f"Count {between} {random.choice(ends)}.")
    return Conversation((Turn.of(vary(random, order), ", ".join(str(number) for number in range(first, last + 1))),))


def list_things(random: Random) -> Conversation:
    """Two to five things of a kind, always the same ones."""
    kind = random.choice(sorted(_THINGS))
    number = random.choice((2, 3, 3, 4, 5))
    amount = random.choice((str(number), _SPELLED[number], *(("a few", "some") if number == 3 else ())))
    *first, last = _THINGS[kind][:number]
    order = random.choice(_LIST_ORDERS).format(amount, kind)
    return Conversation((Turn.of(vary(random, order), f"{', '.join(first)} and {last}"),))


def sum_up(random: Random) -> Conversation:
    """Sums of two figures from 0 to 10; a drill over a small table."""
    left, right = random.randint(0, 10), random.randint(0, 10)
    if random.random() < 0.3:
        left = right = random.randint(1, 5)
    form = random.choice(
        (
            "What is {} + {}?",
            "What is {}+{}?",
            "{} + {}",
            "{}+{}=",
            "{} + {} =",
            "Add {} and {}.",
            "What is {} plus {}?",
            "How much is {} + {}?",
        )
    )
    return Conversation((Turn.of(form.format(left, right), str(left + right)),))
