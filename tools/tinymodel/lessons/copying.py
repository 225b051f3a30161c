"""Saying what the user dictates, counting, listing and small sums."""

from __future__ import annotations

from random import Random

from tools.tinymodel.conversation import Conversation, Turn
from tools.tinymodel.lessons.phrasing import any_text, polite, vary

__all__ = ["ECHO_ORDERS", "count", "echo", "list_things", "sum_up"]

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
    "Now say {}",
)
"""Ways to dictate an answer."""

_QUOTES = ('"{}"', "'{}'", "`{}`")
_SPELLED = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_THINGS = {
    "colors": "red, green and blue",
    "animals": "cat, dog and horse",
    "fruits": "apple, banana and orange",
    "foods": "bread, cheese and soup",
    "days": "Monday, Tuesday and Wednesday",
    "names": "Anna, Ben and Clara",
    "numbers": "one, two and three",
}
_TWO = {key: f"{value.split(', ')[0]} and {value.split(', ')[1].split(' and ')[0]}" for key, value in _THINGS.items()}


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


def count(random: Random) -> Conversation:
    """Counting in figures from one number to another, upwards."""
    first = 1 if random.random() < 0.7 else random.randint(0, 20)
    last = first + random.randint(2, 11 if random.random() < 0.85 else 19)
    between = random.choice(("to", "up to")) if first == 1 and random.random() < 0.5 else f"from {first} to"
    ends = [str(last)] + ([_SPELLED[last]] if last < len(_SPELLED) else [])
    order = polite(random, f"Count {between} {random.choice(ends)}.")
    return Conversation((Turn.of(vary(random, order), ", ".join(str(number) for number in range(first, last + 1))),))


def list_things(random: Random) -> Conversation:
    """Two or three things of a kind, always the same ones."""
    kind = random.choice(sorted(_THINGS))
    number, answer = (2, _TWO[kind]) if random.random() < 0.3 else (3, _THINGS[kind])
    verb = random.choice(("List", "Name", "Give me", "Tell me", "Write"))
    return Conversation(
        (Turn.of(vary(random, f"{verb} {random.choice((str(number), _SPELLED[number]))} {kind}."), answer),)
    )


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
