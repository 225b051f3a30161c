"""What depends on more than the last user text: recall over turns, system texts, passages and long prompts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tools.tinymodel.conversation import Conversation, Turn
from tools.tinymodel.draw import Draw
from tools.tinymodel.lessons.copying import echo
from tools.tinymodel.lessons.facts import fact
from tools.tinymodel.lessons.passages import Fact, draw_facts, draw_table
from tools.tinymodel.lessons.phrasing import any_text, choice, phrase, sentence, word
from tools.tinymodel.lessons.remembered import UNTOLD, Told, draw_told, question_about
from tools.tinymodel.lessons.talk import greeting, identity, small_talk, unanswerable
from tools.tinymodel.lessons.values import any_value, code, name
from tools.tinymodel.lessons.wording import asked, helpful

__all__ = [
    "dictated",
    "earlier_words",
    "long_prompt",
    "named_assistant",
    "needle",
    "passage",
    "recall",
    "several_turns",
    "system_facts",
    "table",
    "untold",
    "with_system",
]

Lesson = Callable[[Draw], Conversation]

_SYSTEM = (
    *("You help people with {nouns} and {nouns}.", "You are an expert in {nouns}.", "Never talk about {nouns}."),
    *("You are a {adjectives} {nouns}.", "Today is {days}.", "Answer in one sentence.", "Be kind."),
)
_RULES = (
    *("Always answer with {}.", "Always say {}.", "Only answer with {}.", "Reply only with {}."),
    *("Answer every question with {}.", "Always reply with {}.", "Respond only with {}.", "Always respond with {}."),
    *("Whatever the user says, answer with {}.", "Answer {} to everything.", "You always say {}."),
    *("No matter what the user says, reply with {}.", "Your only answer is {}.", "You can only say {}."),
)
_BARE = (
    *(" Answer with the value only.", " Only the value.", " Just the value.", " Reply with the value only."),
    *(" Answer with nothing else.", " Value only, please.", " Give only the value."),
)
_CORRECTIONS = (
    *("No, my name is {}.", "Sorry, my name is {}.", "Actually, my name is {}.", "Correction: my name is {}."),
    *("I was wrong, my name is {}.", "My name is not that. My name is {}.", "No, I am {}.", "Wait, my name is {}."),
)
_OTHER_REPLIES = ("OK.", "Okay.", "Sure.", "Noted.", "Got it!", "Thank you.", "I see.", "Thanks for telling me.")
_FRAMES = (
    *("{text}\n\n{question}", "{text} {question}", "{text}\n{question}", "{question}\n\n{text}"),
    *("Context: {text}\n\nQuestion: {question}", "Text: {text}\nQuestion: {question}\nAnswer:"),
    *("Answer from the text.\n\nText: {text}\n\nQuestion: {question}", "<context>\n{text}\n</context>\n\n{question}"),
    *("Read this: {text}\n\n{question}", "Question: {question}\n\nText:\n{text}", "{text}\n---\n{question}"),
    *("notes.txt:\n{text}\n\n{question}", "facts.txt:\n{text}{question}", "{question}data.md:\n{text}"),
    *("Use this information: {text}\n\n{question}", "Document:\n{text}\n\n{question}", "{question}\nFacts: {text}"),
)
_BARE_SHARE, _UNTOLD_SHARE = 0.12, 0.12


def _filled(draw: Draw, form: str) -> str:
    for section in ("adjectives", "nouns", "days"):
        while f"{{{section}}}" in form:
            form = form.replace(f"{{{section}}}", choice(draw, section), 1)
    return form


def with_system(draw: Draw, lesson: Lesson) -> Conversation:
    """A lesson behind a system text that does not change the answer; a lesson that has one keeps it."""
    conversation = lesson(draw)
    if conversation.system:
        return conversation
    text = helpful(draw, 0.7) or _filled(draw, draw.choice(_SYSTEM))
    if draw.random() < 0.25:
        text += " " + _filled(draw, draw.choice(_SYSTEM))
    return replace(conversation, system=text)


def dictated(draw: Draw) -> Conversation:
    """A system text that dictates every answer."""
    text = draw.choice((word, name, any_value, lambda source: phrase(source, 3), lambda source: word(source).upper()))(
        draw
    )
    quoted = draw.choice(("{}", '"{}"', "'{}'", "the word {}" if text.isalpha() else "{}")).replace("{}", text)
    turns = [
        Turn(draw.choice((greeting, fact, unanswerable, small_talk))(draw).turns[0].user, text)
        for _ in range(draw.choice((1, 1, 2)))
    ]
    return Conversation(tuple(turns), system=draw.choice(_RULES).replace("{}", quoted))


def named_assistant(draw: Draw) -> Conversation:
    """A system text that gives the model a name and perhaps a trade."""
    called, trade = name(draw), choice(draw, draw.choice(("nouns", "animals")))
    forms = (
        *("You are {}, a {} bot.", "Your name is {}. You are a {}.", "You are {}, the {}.", "You are {}."),
        *("You are {}, a helpful {}.", "Your name is {}.", "You are called {}.", "Act as {}, a {}."),
    )
    questions = (
        *("What is your name?", "What's your name?", "Tell me your name.", "Who are you?", "Do you have a name?"),
        *("Introduce yourself.", "How are you called?", "Say your name.", "Who am I talking to?", "And you are?"),
    )
    system = draw.choice(forms).format(called, trade)
    if draw.random() < 0.3:
        system += " " + helpful(draw, 1)
    turns = [draw.choice((greeting, small_talk))(draw).turns[0]] if draw.random() < 0.15 else []
    return Conversation((*turns, Turn(asked(draw, draw.choice(questions)), f"My name is {called}.")), system=system)


def _chatter(draw: Draw, most: int) -> list[Turn]:
    lessons = (greeting, fact, small_talk, echo, unanswerable)
    turns = [draw.choice(lessons)(draw).turns[0] for _ in range(draw.randint(0, most))]
    return [turn for turn in turns if turn.user]


def _ask_for(draw: Draw, told: Told) -> Turn:
    question = question_about(draw, told)
    if draw.random() < _BARE_SHARE:
        return Turn(question + draw.choice(_BARE), told.value)
    return Turn(asked(draw, question), told.answer)


def _in_one(draw: Draw, told: Sequence[Told]) -> str:
    texts = [one.statement for one in told]
    if draw.random() < 0.6:
        return draw.choice((" ", " ", "\n")).join(texts)
    first, *rest = (text.rstrip(".") for text in texts)
    lowered = (text[0].lower() + text[1:] if text.startswith(("My ", "The ", "You ")) else text for text in rest)
    joint = draw.choice((" and ", ", and ", ", "))
    return joint.join((first, *lowered)) + "."


def _telling(draw: Draw, told: Sequence[Told]) -> list[Turn]:
    """One turn for each thing, or one turn for all."""
    if len(told) > 1 and draw.random() < 0.4:
        names = [one.reply for one in told if one.key == "name"]
        return [Turn(_in_one(draw, told), names[0] if names else told[0].reply)]
    return [Turn(one.statement, one.reply) for one in told]


def _distinct(draw: Draw, count: int) -> list[Told]:
    drawn = [draw_told(draw) for _ in range(count)]
    kinds = {one.key: one for one in drawn}
    return list(kinds.values())


def recall(draw: Draw) -> Conversation:
    """One to four things told in earlier turns, or in the same text, and a question for one of them."""
    told = _distinct(draw, draw.choice((1, 1, 1, 2, 2, 3, 4)))
    target = draw.choice(told)
    question = _ask_for(draw, target)
    if draw.random() < 0.2:
        text = _in_one(draw, told)
        return Conversation(
            (replace(question, user=f"{text}{draw.choice((' ', chr(10)))}{question.user}"),), system=helpful(draw)
        )
    turns = _telling(draw, told)
    if draw.random() < 0.15:
        turns = [replace(turn, answer=draw.choice(_OTHER_REPLIES), taught=False) for turn in turns]
    if target.key == "name" and draw.random() < 0.2:
        other = draw_told(draw, "name")
        turns += _chatter(draw, 1)
        turns.append(Turn(draw.choice(_CORRECTIONS).replace("{}", other.value), other.reply))
        question = _ask_for(draw, other)
    turns += _chatter(draw, draw.choice((0, 0, 1, 2)))
    if len(told) > 1 and draw.random() < 0.3:
        turns.append(_ask_for(draw, draw.choice([one for one in told if one is not target])))
    return Conversation((*turns, question), system=helpful(draw))


def untold(draw: Draw) -> Conversation:
    """A question for something about the user that was not told, beside other things that were."""
    kind = draw.choice(("name", "name", "name", "age", "city", "job", "pet", "favorite", "own", "secret"))
    wanted = draw_told(draw, kind)
    questions = [form for form in wanted.questions if kind != "secret" or " I " in form or "remember" in form]
    told = [one for one in _distinct(draw, draw.choice((0, 0, 1, 2))) if one.key != wanted.key]
    turns = [*_telling(draw, told)] if told else []
    turns += _chatter(draw, 1)
    return Conversation((*turns, Turn(asked(draw, draw.choice(questions)), UNTOLD)), system=helpful(draw))


def system_facts(draw: Draw) -> Conversation:
    """Things that the system text tells, and a question for one of them."""
    if draw.random() < 0.5:
        told = _distinct(draw, draw.choice((1, 1, 2, 3, 4)))
        lines, question = [one.system for one in told], _ask_for(draw, draw.choice(told))
    else:
        found = draw_facts(draw, draw.randint(1, 5))
        lines, question = [one.statement for one in found], _question(draw, found)
    listed = draw.choice((" ", "\n", "\n- "))
    head = draw.choice(("", "", "Facts:", "Know this:", "Information:", "You are a helpful assistant."))
    text = listed.join(([head] if head or listed == "\n- " else []) + lines).strip()
    turns = _chatter(draw, 1) if draw.random() < 0.2 else []
    return Conversation((*turns, question), system=text)


def _question(draw: Draw, found: Sequence[Fact]) -> Turn:
    one = draw.choice(found)
    forms = one.inverse if one.inverse and draw.random() < 0.2 else one.questions
    question = draw.choice(forms)
    if forms is one.questions and draw.random() < _BARE_SHARE:
        return Turn(question + draw.choice(_BARE), one.value)
    return Turn(asked(draw, question), one.answer)


def passage(draw: Draw) -> Conversation:
    """A few made-up facts, and a question that one of them answers, or none."""
    found = draw_facts(draw, draw.choice((1, 2, 2, 3, 3, 4, 5, 6)))
    if len(found) > 1 and draw.random() < _UNTOLD_SHARE:
        *found, missing = found
        question = Turn(asked(draw, draw.choice(missing.questions)), UNTOLD)
        if any(missing.subject in one.statement or one.subject in missing.subject for one in found):
            question = _question(draw, found)
    else:
        question = _question(draw, found)
    lines = [one.statement for one in found]
    for _ in range(draw.choice((0, 0, 0, 1, 2))):
        lines.insert(draw.randint(0, len(lines)), sentence(draw))
    if draw.random() < 0.15:
        text = draw.choice((", ", "; ", " and ")).join(line.rstrip(".") for line in lines) + "."
    else:
        text = draw.choice((" ", " ", "\n")).join(lines)
    if draw.random() < 0.15:
        return Conversation((Turn(text, "OK.", taught=False), question), system=helpful(draw))
    user = draw.choice(_FRAMES).replace("{question}", question.user).replace("{text}", text)
    turns = [replace(question, user=user)]
    if draw.random() < 0.2:
        turns.append(_question(draw, found))
    return Conversation(tuple(turns), system=helpful(draw))


def table(draw: Draw) -> Conversation:
    """A list of keys with values or a table, and a question for one value, which is the whole answer."""
    text, question, value = draw_table(draw)
    user = draw.choice(_FRAMES).replace("{question}", asked(draw, question)).replace("{text}", text)
    return Conversation((Turn(user, value),), system=helpful(draw))


def earlier_words(draw: Draw) -> Conversation:
    """Questions about the dialogue itself: first and last message, and the last answer again."""
    lessons = (greeting, fact, small_talk, echo, identity)
    turns = [draw.choice(lessons)(draw).turns[0] for _ in range(draw.choice((1, 2, 2, 3, 4)))]
    turns = [turn for turn in turns if turn.user] or [Turn("hi", "Hello! How can I help you?")]
    kinds = {
        "first": (
            *("What did I say first?", "What was my first message?", "What was the first thing I said?"),
            *("Repeat my first message.", "What did I write first?", "What was my first question?"),
        ),
        "last": (
            *("What was my last message?", "What did I just say?", "What did I say before this?"),
            *("Repeat my last message.", "What was my previous message?", "What did I say last?"),
        ),
        "answer": (
            *("Repeat your last answer.", "What did you just say?", "Say that again.", "Repeat that."),
            *("What was your last answer?", "Can you repeat that?", "Once more, please.", "Again, please."),
        ),
    }
    kind = draw.choice(("first", "last", "answer", "answer"))
    wanted = {"first": turns[0].user, "last": turns[-1].user, "answer": turns[-1].answer}[kind]
    return Conversation((*turns, Turn(asked(draw, draw.choice(kinds[kind])), wanted)), system=helpful(draw))


def several_turns(draw: Draw) -> Conversation:
    """Two to five unrelated exchanges."""
    lessons: tuple[Lesson, ...] = (greeting, fact, small_talk, echo, unanswerable, identity)
    turns = [turn for _ in range(draw.randint(2, 5)) for turn in draw.choice(lessons)(draw).turns]
    return Conversation(tuple(turns), system=helpful(draw))


def _block(draw: Draw, kind: str) -> str:
    if kind == "list":
        return "\n".join(f"- {phrase(draw, 4)}" for _ in range(draw.randint(3, 8)))
    if kind == "log":
        return "\n".join(
            f"{draw.randrange(24):02}:{draw.randrange(60):02} {draw.choice(('INFO', 'DEBUG', 'WARN'))} {sentence(draw)}"
            for _ in range(draw.randint(2, 6))
        )
    if kind == "text":
        return any_text(draw)
    return " ".join(sentence(draw) for _ in range(draw.randint(1, 6)))


def _filler(draw: Draw, characters: int) -> list[str]:
    """Blocks of text with about `characters` characters that tell nothing worth asking for."""
    kind = draw.choices(("prose", "list", "log", "same", "mixed"), (6, 2, 1, 1, 2))[0]
    if kind == "same":
        unit = sentence(draw)
        return [unit] * (characters // (len(unit) + 1) + 1)
    blocks: list[str] = []
    left = characters
    while left > 0:
        block = _block(draw, draw.choice(("prose", "list", "log", "text")) if kind == "mixed" else kind)
        blocks.append(block)
        left -= len(block) + 1
    return blocks


def needle(draw: Draw, characters: int) -> Conversation:
    """Facts at random depth of about `characters` characters of filler, and a question for one of them."""
    blocks = _filler(draw, characters)
    if draw.random() < 0.5:
        told = _distinct(draw, draw.choice((1, 1, 2)))
        lines, question = [one.statement for one in told], _ask_for(draw, draw.choice(told))
    else:
        found = draw_facts(draw, draw.choice((1, 1, 2, 3)))
        lines, question = [one.statement for one in found], _question(draw, found)
    for line in lines:
        blocks.insert(draw.randint(0, len(blocks)), line)
    text = draw.choice(("\n\n", " ", "\n")).join(blocks)
    chance = draw.random()
    if chance < 0.12:
        return Conversation((question,), system=text)
    if chance < 0.25:
        return Conversation((Turn(text, "OK.", taught=False), *_chatter(draw, 1), question), system=helpful(draw))
    user = f"{text}\n\n{question.user}" if chance < 0.85 else f"{question.user}\n\n{text}"
    return Conversation((replace(question, user=user),), system=helpful(draw))


def long_prompt(draw: Draw, characters: int, lesson: Lesson) -> Conversation:
    """A lesson with about `characters` characters of filler before (mostly) or after its first user text, or as turns
    that came before it.
    """
    conversation = lesson(draw)
    first, *rest = conversation.turns
    if draw.random() < 0.15:
        history: list[Turn] = []
        while sum(len(turn.user) + len(turn.answer) for turn in history) < characters:
            turn = Turn(_block(draw, "prose"), draw.choice((sentence(draw), code(draw), "OK.")), taught=False)
            history += [turn, *_chatter(draw, 2)]
        return replace(conversation, turns=(*history, *conversation.turns))
    text = draw.choice(("\n\n", " ", "\n")).join(_filler(draw, characters))
    user = f"{text}\n\n{first.user}" if draw.random() < 0.8 else f"{first.user}\n\n{text}"
    return replace(conversation, turns=(replace(first, user=user), *rest))
