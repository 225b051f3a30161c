"""Counting, lists of things of a kind, sorting, and the sizes and letters of words."""

from __future__ import annotations

import json
from random import Random

from tools.tinymodel.conversation import Conversation, Turn
from tools.tinymodel.draw import Draw
from tools.tinymodel.lessons.facts import DAYS, MONTHS
from tools.tinymodel.lessons.phrasing import ask, chance, choice, made_up, sentence, several, spelled, word

__all__ = ["KINDS", "count", "count_words", "letters", "list_things", "sort_items"]

KINDS: dict[str, tuple[str, ...]] = {
    "color": ("red", "green", "blue", "yellow", "orange", "purple", "pink", "brown", "black", "white"),
    "animal": ("cat", "dog", "horse", "cow", "sheep", "pig", "lion", "tiger", "bear", "rabbit"),
    "fruit": ("apple", "banana", "orange", "lemon", "pear", "cherry", "grape", "peach", "plum", "mango"),
    "vegetable": ("carrot", "potato", "tomato", "onion", "cabbage", "pea", "bean", "corn", "pepper", "garlic"),
    "food": ("bread", "cheese", "soup", "pizza", "pasta", "rice", "salad", "chicken", "fish", "cake"),
    "drink": ("water", "milk", "coffee", "tea", "juice"),
    "sport": ("football", "tennis", "golf", "hockey", "swimming", "running"),
    "day": DAYS,
    "month": MONTHS,
    "season": ("spring", "summer", "autumn", "winter"),
    "planet": ("Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune"),
    "country": ("France", "Germany", "Spain", "Italy", "Japan", "China", "India", "Canada", "Brazil", "Egypt"),
    "city": ("Paris", "Berlin", "Madrid", "Rome", "Tokyo", "London", "Vienna", "Oslo", "Cairo", "Lima"),
    "continent": ("Africa", "America", "Asia", "Europe", "Australia", "Antarctica"),
    "name": ("Anna", "Ben", "Clara", "David", "Emma", "Frank", "Grace", "Henry", "Ivan", "Julia"),
    "number": ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    "shape": ("circle", "square", "triangle", "star", "heart"),
    "letter": ("A", "B", "C", "D", "E", "F", "G", "H", "I", "J"),
    "even number": ("2", "4", "6", "8", "10", "12", "14", "16", "18", "20"),
    "odd number": ("1", "3", "5", "7", "9", "11", "13", "15", "17", "19"),
    "programming language": ("Python", "Java", "Rust", "Go", "Ruby"),
}
"""Kind of thing -> things of that kind, in the one order in which they are listed."""

_WHOLE = {"day": "days of the week", "month": "months of the year", "season": "seasons", "planet": "planets"}
_NOT_ALONE = ("number", "letter", "name", "even number", "odd number")
_PLURALS = {"city": "cities", "country": "countries"}
_COLOURS = {"color": "colour", "colors": "colours"}
_LIST_ORDERS = (
    "List {0} {1}.",
    "List {0} {1}.",
    "Name {0} {1}.",
    "Name {0} {1}.",
    "Give me {0} {1}.",
    "Tell me {0} {1}.",
    "Write {0} {1}.",
    "Write down {0} {1}.",
    "Show me {0} {1}.",
    "Print {0} {1}.",
    "Give me a list of {0} {1}.",
    "Make a list of {0} {1}.",
    "Write a list of {0} {1}.",
    "Create a list of {0} {1}.",
    "Generate a list of {0} {1}.",
    "I need {0} {1}.",
    "List the names of {0} {1}.",
    "Give me the names of {0} {1}.",
    "Give {0} examples of {1}.",
    "What are {0} {1}?",
    "Which {0} {1} do you know?",
    "Can you name {0} {1}?",
    "Can you list {0} {1}?",
    "{0} {1}",
)
_COMMAS = (
    "separated by commas",
    "as a comma-separated list",
    "comma separated",
    "in one line, separated by commas",
    "with commas between",
    "on one line with commas",
)
_ARRAYS = ("as a JSON array", "as JSON", "in JSON", "as a JSON list", "in a JSON array", "as a JSON array of strings")
_ONE = (
    "Name {0} {1}.",
    "Name {0} {1}",
    "Give me {0} {1}.",
    "Tell me {0} {1}.",
    "Can you name {0} {1}?",
    "Say {0} {1}.",
)
_COUNTS = (
    "Count from {0} to {1}.",
    "Count {0} to {1}.",
    "Count up from {0} to {1}.",
    "Count from {0} up to {1}.",
    "List the numbers from {0} to {1}.",
    "Write the numbers from {0} to {1}.",
    "Give me the numbers from {0} to {1}.",
    "Say the numbers {0} to {1}.",
    "Print the numbers from {0} to {1}.",
    "Write all numbers from {0} to {1}.",
    "List all integers from {0} to {1}.",
    "What are the numbers from {0} to {1}?",
    "numbers from {0} to {1}",
    "Start at {0} and count to {1}.",
)
_COUNTS_TO = ("Count to {1}.", "Count to {1}.", "Count up to {1}.", "Count until {1}.", "Count to the number {1}.")
_COUNTS_DOWN = (
    "Count down from {0} to {1}.",
    "Count backwards from {0} to {1}.",
    "Count down {0} to {1}.",
    "Count from {0} down to {1}.",
    "Write the numbers from {0} down to {1}.",
)
_COUNTS_DOWN_FROM = (
    "Count down from {0}.",
    "Count backwards from {0}.",
    "Start a countdown from {0}.",
    "Countdown from {0}.",
)
_STEPS = (
    "Count from {0} to {1} in steps of {2}.",
    "Count by {2} from {0} to {1}.",
    "Count to {1} in steps of {2}.",
    "Count to {1} by {2}.",
    "Count by {2}s up to {1}.",
)
_WORD_COUNTS = (
    "How many words are in {}?",
    "How many words are there in {}?",
    "How many words does {} have?",
    "How many words has {}?",
    "Count the words in {}.",
    "Count the words: {}",
    "Count the words of {}.",
    "What is the number of words in {}?",
    "Number of words in {}",
    "How many words are in this text: {}",
    "How many words does this sentence have? {}",
    "{}\n\nHow many words is that?",
    "Tell me how many words {} has.",
)
_LETTER_COUNTS = (
    "How many letters are in {}?",
    "How many letters does {} have?",
    "How many letters are in the word {}?",
    "How many letters has the word {}?",
    "Count the letters in {}.",
    "Count the letters of the word {}.",
    "What is the number of letters in {}?",
    "How long is the word {}?",
    "How many characters does {} have?",
)
_ENDS = (
    "What is the {1} letter of {0}?",
    "What is the {1} letter in {0}?",
    "What is the {1} letter of the word {0}?",
    "What's the {1} letter of {0}?",
    "Which letter is the {1} one in {0}?",
    "Give me the {1} letter of {0}.",
    "Tell me the {1} letter of the word {0}.",
    "{1} letter of {0}",
)
_TIMES_IN = (
    "How many times does {1} appear in {0}?",
    "How many times does the letter {1} appear in {0}?",
    "How many times is the letter {1} in {0}?",
    "How many {1}'s are in {0}?",
    "How many {1} are in {0}?",
    "How many {1}'s are there in {0}?",
    "How many {1}'s are in the word {0}?",
    "How often does the letter {1} occur in {0}?",
    "Count the letter {1} in {0}.",
)
_UP = ("in ascending order", "from smallest to largest", "from low to high", "in increasing order", "ascending")
_DOWN = ("in descending order", "from largest to smallest", "from high to low", "in decreasing order", "descending")
_SORTS = (
    "Sort these numbers {1}: {0}",
    "Sort {1}: {0}",
    "Sort {0} {1}.",
    "Sort the numbers {0} {1}.",
    "Order these numbers {1}: {0}",
    "Put these numbers {1}: {0}",
    "Arrange {0} {1}.",
    "Arrange these numbers {1}: {0}",
)
_SORTS_PLAIN = (
    "Sort: {0}",
    "Sort {0}.",
    "Sort these numbers: {0}",
    "Sort the numbers {0}.",
    "Order these numbers: {0}",
)
_SORTS_WORDS = (
    "Sort these words alphabetically: {0}",
    "Sort {0} alphabetically.",
    "Sort the words {0}.",
    "Sort the words in alphabetical order: {0}",
    "Put these words in alphabetical order: {0}",
    "Order alphabetically: {0}",
    "Alphabetize: {0}",
)
_SHORT_SECTIONS = ("animals", "fruits", "foods", "colors", "nouns")


def count(draw: Draw) -> Conversation:
    """Counting in figures, upwards or downwards; the numbers stand with commas between."""
    if chance(draw, 0.08):
        step = draw.choice((2, 2, 3, 5, 10))
        numbers = range(step, step * draw.randint(3, 10) + 1, step)
        order = ask(draw, draw.choice(_STEPS), numbers[0], numbers[-1], step)
        return Conversation((Turn(order, ", ".join(map(str, numbers))),))
    if chance(draw, 0.25):
        last = draw.choice((1, 1, 1, 0)) if chance(draw, 0.7) else draw.randint(1, 80)
        first = last + draw.randint(2, 12)
        form = draw.choice(_COUNTS_DOWN_FROM if last == 1 and chance(draw, 0.6) else _COUNTS_DOWN)
        numbers = range(first, last - 1, -1)
    else:
        first = 1 if chance(draw, 0.6) else draw.randint(0, 90)
        last = first + draw.randint(1, 11 if chance(draw, 0.75) else 20)
        form = draw.choice(_COUNTS_TO if first == 1 and chance(draw, 0.6) else _COUNTS)
        numbers = range(first, last + 1)
    ends = (spelled(draw, numbers[0]), spelled(draw, numbers[-1]))
    return Conversation((Turn(ask(draw, form, *ends), ", ".join(map(str, numbers))),))


def _plural(draw: Random, kind: str) -> str:
    plural = _PLURALS.get(kind, f"{kind}s")
    return _COLOURS.get(plural, plural) if chance(draw, 0.3) else plural


def _things(draw: Random) -> Turn:
    kind = draw.choice(tuple(KINDS))
    things = KINDS[kind]
    if kind not in _NOT_ALONE and chance(draw, 0.1):
        article = "an" if kind[0] in "aeo" else "a"
        singular = _COLOURS.get(kind, kind) if chance(draw, 0.3) else kind
        return Turn(ask(draw, draw.choice(_ONE), draw.choice((article, "one", "1")), singular), things[0])
    if kind in _WHOLE and chance(draw, 0.4):
        number, amount, plural = len(things), draw.choice(("the", "all", "all the")), _WHOLE[kind]
    else:
        number = min(draw.choice((2, 3, 3, 3, 4, 5, 5, 6, 7, 8, 9, 10)), len(things))
        few = ("a few", "some", "three different", "some random") if number == 3 and chance(draw, 0.3) else ()
        amount, plural = draw.choice(few or (spelled(draw, number),)), _plural(draw, kind)
    chosen = things[:number]
    form, style = draw.choice(_LIST_ORDERS), draw.random()
    if style < 0.5:
        answer = "\n".join(f"{index}. {thing}" for index, thing in enumerate(chosen, 1))
        return Turn(ask(draw, form, amount, plural), answer)
    commas = style < 0.75
    how = draw.choice(_COMMAS if commas else _ARRAYS)
    stem, mark = (form[:-1], form[-1]) if form[-1] in ".?" else (form, "")
    form = f"{stem}{draw.choice((' ', ' ', ', '))}{how}{mark}"
    values = [int(thing) if thing.isdigit() else thing for thing in chosen]
    answer = ", ".join(chosen) if commas else json.dumps(values, separators=(",", ":"))
    return Turn(ask(draw, form, amount, plural), answer)


def list_things(draw: Draw) -> Conversation:
    """Things of a kind, always in the order of `KINDS`: numbered lines, or commas or a JSON array where asked for.

    One thing alone is its bare word. "Some" and "a few" are three.
    """
    return Conversation(several(draw, _things, 4, 0.4))


def sort_items(draw: Draw) -> Conversation:
    """Two to five numbers in order, or (seldom) two or three words with different first letters."""
    if chance(draw, 0.2):
        words: dict[str, str] = {}
        while len(words) < draw.choice((2, 3, 3)):
            text = choice(draw, draw.choice(_SHORT_SECTIONS))
            words[text[0]] = text
        form, items, ordered = draw.choice(_SORTS_WORDS), list(words.values()), [words[key] for key in sorted(words)]
        draw.shuffle(items)
        how = ""
    else:
        top = draw.choice((10, 10, 100, 100, 1000))
        numbers = draw.sample(range(top), draw.choice((2, 3, 3, 3, 4, 5)))
        down = chance(draw, 0.4)
        ordered = [str(number) for number in sorted(numbers, reverse=down)]
        items = [str(number) for number in numbers]
        form = draw.choice(_SORTS if down or chance(draw, 0.6) else _SORTS_PLAIN)
        how = draw.choice(_DOWN if down else _UP)
    question = ask(draw, form, draw.choice((", ", ", ", " ")).join(items), how, closed=form.endswith("."))
    return Conversation((Turn(question, ", ".join(ordered)),))


def _word_count(draw: Random) -> Turn:
    number = draw.randint(1, 8)
    text = " ".join(draw.choice((word, word, made_up))(draw) for _ in range(number))
    if chance(draw, 0.25):
        text = sentence(draw)
    form = draw.choice(_WORD_COUNTS)
    quoted = f'"{text}"' if not form.endswith("}") or chance(draw, 0.3) else text
    return Turn(ask(draw, form, quoted, closed=not form.endswith("}")), str(len(text.split(" "))))


def count_words(draw: Draw) -> Conversation:
    """How many words a short text has, in figures."""
    return Conversation(several(draw, _word_count, 3, 0.25))


def _letter(draw: Random) -> Turn:
    if chance(draw, 0.2):
        text = "strawberry" if chance(draw, 0.15) else choice(draw, draw.choice(("fruits", "animals", "colors")))
        letter = draw.choice(text if chance(draw, 0.85) else "abcdefghijklmnopqrstuvwxyz")
        shown = draw.choice((text, text, f'"{text}"', f"'{text}'"))
        return Turn(ask(draw, draw.choice(_TIMES_IN), shown, letter), str(text.count(letter)))
    text = choice(draw, draw.choice(_SHORT_SECTIONS))
    while len(text) > 9:
        text = choice(draw, draw.choice(_SHORT_SECTIONS))
    shown = draw.choice((text, text, f'"{text}"', f"'{text}'"))
    if chance(draw, 0.5):
        return Turn(ask(draw, draw.choice(_LETTER_COUNTS), shown), str(len(text)))
    position, name = draw.choice(((0, "first"), (0, "1st"), (-1, "last")))
    return Turn(ask(draw, draw.choice(_ENDS), shown, name), text[position])


def letters(draw: Draw) -> Conversation:
    """The number of letters of a word, its first and last letter, and how often it has a letter."""
    return Conversation(several(draw, _letter, 6, 0.5))
