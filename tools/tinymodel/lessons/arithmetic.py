"""Small sums, with the numbers alone for an answer."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tools.tinymodel.conversation import Conversation, Turn
from tools.tinymodel.draw import Draw
from tools.tinymodel.lessons.phrasing import ask, chance, several, spelled
from tools.tinymodel.vocabulary import load_words

__all__ = ["Task", "draw_task", "expression", "sum_drill", "sum_turn", "sum_up", "word_problem"]

_SIGNS = {"+": ("+", "plus"), "-": ("-", "minus"), "*": ("*", "times"), "/": ("/", "divided by")}
_OTHER_SIGNS = {
    "*": ("x", "\u00d7", "*", "times", "multiplied by"),
    "/": ("/", "\u00f7", ":", "divided by", "over"),
    "-": ("-", "\u2212"),
}
_ASK_SUM = (
    "What is {0}?",
    "What is {0}?",
    "What's {0}?",
    "What does {0} equal?",
    "What is the result of {0}?",
    "What do you get for {0}?",
    "How much is {0}?",
    "How much does {0} make?",
    "Calculate {0}.",
    "Calculate: {0}",
    "Compute {0}.",
    "Compute: {0}",
    "Solve {0}.",
    "Solve: {0}",
    "Evaluate {0}.",
    "Evaluate: {0}",
    "Work out {0}.",
    "Tell me the result of {0}.",
    "Give me the result of {0}.",
    "Do the math: {0}",
    "Math: {0}",
    "Result of {0}?",
    "{0}",
    "{0}",
    "{0} =",
    "{0} = ?",
    "{0}?",
    "{0} is?",
    "{0} equals?",
)
_BARE_NUMBER = (
    "Just the number.",
    "Only the number.",
    "Answer with just the number.",
    "Answer with the number only.",
    "Reply with only the number.",
    "Give only the number.",
    "Answer with a number.",
    "Respond with just the number.",
)
_VERBAL = {
    "+": (
        "Add {0} and {1}.",
        "Add {0} to {1}.",
        "What is the sum of {0} and {1}?",
        "Sum {0} and {1}.",
        "Add {0} + {1}.",
    ),
    "-": (
        "Subtract {1} from {0}.",
        "Take {1} away from {0}.",
        "What is the difference of {0} and {1}?",
        "What is {0} less {1}?",
        "What is {1} less than {0}?",
    ),
    "*": (
        "Multiply {0} by {1}.",
        "Multiply {0} and {1}.",
        "What is the product of {0} and {1}?",
        "Multiply {0} with {1}.",
    ),
    "/": ("Divide {0} by {1}.", "What is {0} divided by {1}?", "How often does {1} go into {0}?"),
}
_OWN = (
    ("What is double {0}?", 2),
    ("Double {0}.", 2),
    ("What is twice {0}?", 2),
    ("What is {0} squared?", 0),
    ("Square {0}.", 0),
    ("What is half of {0}?", -2),
    ("Halve {0}.", -2),
)
_PROBLEMS = {
    "+": (
        "{name} has {a} {things} and buys {b} more. How many {things} does {name} have?",
        "{name} has {a} {things} and gets {b} more. How many {things} does {name} have now?",
        "{name} has {a} {things} and finds {b} {things}. How many are there in total?",
        "{name} has {a} {things} and {other} has {b} {things}. How many {things} do they have together?",
        "There are {a} {things} on the table. {name} adds {b}. How many {things} are there?",
        "I have {a} {things} and you give me {b} more. How many do I have?",
        "In a box there are {a} red {things} and {b} blue {things}. How many {things} are in the box?",
    ),
    "-": (
        "{name} has {a} {things} and gives {b} away. How many {things} are left?",
        "{name} has {a} {things} and eats {b}. How many {things} does {name} have left?",
        "{name} has {a} {things} and loses {b}. How many {things} remain?",
        "{name} has {a} {things} and sells {b} {things}. How many are left?",
        "{name} has {a} {things} and gives {b} to {other}. How many {things} does {name} have now?",
        "There are {a} {things} and {name} takes {b}. How many {things} are left?",
        "I have {a} {things} and give you {b}. How many do I have?",
    ),
    "*": (
        "{name} has {a} boxes with {b} {things} each. How many {things} does {name} have?",
        "There are {a} bags with {b} {things} in each. How many {things} are there?",
        "Each of {a} children has {b} {things}. How many {things} do they have in total?",
        "One box holds {b} {things}. How many {things} do {a} boxes hold?",
        "{name} buys {b} {things} every day. How many {things} after {a} days?",
    ),
    "/": (
        "{name} shares {a} {things} equally among {b} friends. How many {things} does each get?",
        "{a} {things} are divided into {b} equal groups. How many {things} are in each group?",
        "{name} puts {a} {things} into {b} boxes equally. How many {things} are in each box?",
    ),
}
_THINGS = (
    "apples",
    "oranges",
    "bananas",
    "books",
    "cards",
    "coins",
    "cookies",
    "eggs",
    "balls",
    "pens",
    "toys",
    "cats",
    "dogs",
)


@dataclass(frozen=True)
class Task:
    """Two numbers, a sign, and what they make."""

    left: int
    sign: str
    right: int
    result: int


def draw_task(draw: Random, large: float = 0.08) -> Task:
    """Sums and differences of two numbers up to 99, products up to 12 times 12, and exact quotients.

    `large` is the share of products of a number up to 99 and one of one digit.
    """
    sign = draw.choices("+-*/", (38, 30, 20, 12))[0]
    if sign in "+-":
        top = 12 if chance(draw, 0.2) else 99
        left, right = draw.randint(0, top), draw.randint(0, top)
        if sign == "-" and left < right and chance(draw, 0.5):
            left, right = right, left
        return Task(left, sign, right, left + right if sign == "+" else left - right)
    left, right = draw.randint(1, 12), draw.randint(1, 12)
    if sign == "/":
        return Task(left * right, sign, right, left)
    if chance(draw, large):
        left, right = draw.randint(10, 99), draw.randint(2, 9)
        if chance(draw, 0.25):
            left, right = right, left
    return Task(left, sign, right, left * right)


def expression(draw: Random, task: Task) -> str:
    """The task as people type it: "17 + 25", "17+25", "17 plus 25" or "two plus three"."""
    sign = draw.choice(_SIGNS[task.sign] if chance(draw, 0.6) else _OTHER_SIGNS.get(task.sign, _SIGNS[task.sign]))
    if sign.isalpha() or " " in sign:
        small = max(task.left, task.right) <= 12 and chance(draw, 0.4)
        left, right = (spelled(draw, number) if small else str(number) for number in (task.left, task.right))
        return f"{left} {sign} {right}"
    gap = draw.choice((" ", " ", "")) if sign != "x" else " "
    return f"{task.left}{gap}{sign}{gap}{task.right}"


def sum_turn(draw: Random) -> Turn:
    """One small task and its bare result."""
    if chance(draw, 0.04):
        form, factor = draw.choice(_OWN)
        number = draw.randint(1, 12 if factor == 0 else 49)
        shown = number * 2 if factor == -2 else number
        result = number if factor == -2 else number * (factor or number)
        return Turn(ask(draw, form, shown), str(result))
    if chance(draw, 0.05):
        terms = [draw.randint(1, 20) for _ in range(3)]
        return Turn(ask(draw, draw.choice(_ASK_SUM), " + ".join(map(str, terms))), str(sum(terms)))
    task = draw_task(draw)
    if chance(draw, 0.15):
        form = draw.choice(_VERBAL[task.sign])
        return Turn(ask(draw, form, task.left, task.right), str(task.result))
    form = draw.choice(_ASK_SUM)
    mark = form[-1] in ".?" and form[0] != "{"
    if mark and chance(draw, 0.06):
        form, mark = f"{form} {draw.choice(_BARE_NUMBER)}", False
    return Turn(ask(draw, form, expression(draw, task), closed=mark), str(task.result))


def sum_up(draw: Draw) -> Conversation:
    """One to five small tasks, answered with the bare number."""
    return Conversation(several(draw, sum_turn, 5, 0.3))


def sum_drill(draw: Draw) -> Conversation:
    """Many tasks in the shortest form: the tables, learned in few tokens."""
    turns = []
    for _ in range(draw.randint(5, 9)):
        task = draw_task(draw, 0.3)
        form = draw.choice(("{}+{}", "{} + {}", "{}+{}=", "What is {}+{}?", "What is {} + {}?")).replace("+", task.sign)
        turns.append(Turn(form.format(task.left, task.right), str(task.result)))
    return Conversation(tuple(turns))


def word_problem(draw: Draw) -> Conversation:
    """A task told as a short story; the answer is the bare number."""
    while True:
        task = draw_task(draw)
        if task.result >= 0 and min(task.left, task.right) > 1:
            break
    name, other = draw.sample(load_words()["names"], 2)
    text = draw.choice(_PROBLEMS[task.sign]).format(
        name=name, other=other, things=draw.choice(_THINGS), a=task.left, b=task.right
    )
    return Conversation((Turn(ask(draw, text), str(task.result)),))
