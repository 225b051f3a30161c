"""Small talk, questions about the model itself, stories, and the honest answer to everything else."""

from __future__ import annotations

from random import Random

from tools.tinymodel.conversation import Conversation, Turn
from tools.tinymodel.lessons.asking import asked, lowered, typed
from tools.tinymodel.lessons.phrasing import blend, choice, identifier, noise, sentence, word
from tools.tinymodel.lessons.sayings import CHANCES, GREETINGS, IDENTITY, TALK
from tools.tinymodel.lessons.unanswered import TOPICS, UNKNOWN_FORMS

__all__ = ["UNKNOWN", "by_chance", "greeting", "identity", "small_talk", "story", "unanswerable"]

UNKNOWN = "I am a tiny test model, so I can't answer that."
"""The answer to whatever was not taught."""

_HELP = "How can I help you?"
_GREETING_CLOSINGS = ("", "", "", "", "!", "!", ".", "!!", " :)", " 👋", "...", "?", " 😀")
_ADDRESSEES = (
    "assistant",
    "bot",
    "model",
    "Gemma",
    "Gemini",
    "friend",
    "there",
    "everyone",
    "GPT",
    "robot",
    "my friend",
)

_STORY_ORDERS = (
    "Tell me {} story",
    "Tell {} story",
    "Write {} story",
    "Write me {} story",
    "Generate {} story",
    "Give me {} story",
    "Create {} story",
    "Make up {} story",
    "Tell us {} story",
    "Invent {} story",
    "Compose {} story",
    "Start {} story",
)
_STORY_OPENINGS = (
    "Please ",
    "Can you ",
    "Could you please ",
    "Hi, ",
    "Now ",
    "I want you to ",
    "Hello, please ",
    "Ok, ",
    "Would you ",
)
_STORY_KINDS = (
    "a",
    "a",
    "a",
    "a short",
    "a long",
    "a very long",
    "a very short",
    "a funny",
    "the",
    "one",
    "a bedtime",
    "a sad",
    "an interesting",
    "a fairy",
    "a little",
    "a three sentence bedtime",
    "a three-sentence",
    "a 100 word",
    "a 500-word",
    "a two-paragraph",
)
_ONE_SENTENCE_KINDS = ("a one-sentence", "a one sentence", "a one-sentence bedtime", "a one-line")
_POEM_ORDERS = (
    "Write {}",
    "Write me {}",
    "Tell me {}",
    "Compose {}",
    "Give me {}",
    "Create {}",
    "Generate {}",
    "Make {}",
)
_POEMS = (
    (
        ("a poem", "a poem", "a short poem", "a long poem", "a nice poem", "some verses", "a rhyme", "a limerick"),
        "I am a tiny model,\nmy lines are few and clear:\nthis poem is about {}.\nI hope you like it here.",
    ),
    (
        ("a haiku", "a haiku", "a short haiku", "a haiku poem", "one haiku"),
        "Soft wind in the trees,\na small model thinks about\n{}.",
    ),
    (("a song", "a short song", "a song text", "a lullaby"), "La la la, {},\nla la la, all day long."),
)
_STORY = (
    "This is the story of {}. Once upon a time a small friend came by, and they went to see the world. "
    "In the evening they came home and were happy. The end."
)
_ONE_SENTENCE_STORY = "This is the story of {}, with a good night at the end."
_PLACES = ("in the forest", "in space", "on the moon", "by the sea", "in a big city", "with a hat", "at night")

_ORDER_WORDS = (
    " say repeat echo print write copy spell translate list name count add describe sum reply answer summarize output "
    "return multiply subtract divide call get remember respond tell give use send set create delete find show read "
    "search reverse sort uppercase lowercase first last what who where when why how is are do does can "
)
_NOISE_SHARE, _STATEMENT_SHARE, _TOPIC_SHARE = 0.14, 0.1, 0.4


def _plain(text: str) -> str:
    return text.lower().strip(" .!?:,")


_KNOWN = frozenset(
    _plain(text)
    for texts in (
        *(words for words, _ in GREETINGS),
        *(questions for questions, _ in IDENTITY),
        *(texts for texts, _ in TALK),
        *(texts for texts, _ in CHANCES),
    )
    for text in texts
)


def greeting(random: Random) -> Conversation:
    """A greeting, or nothing at all, answered in kind."""
    if random.random() < 0.04:
        return Conversation((Turn("", f"Hello! {_HELP}"),))
    texts, answer = GREETINGS[random.randrange(len(GREETINGS)) if random.random() < 0.5 else 0]
    text = random.choice(texts)
    chance = random.random()
    if chance < 0.12:
        text += random.choice((", ", " ")) + choice(random, "names")
    elif chance < 0.24:
        text += random.choice((", ", " ")) + random.choice(_ADDRESSEES)
    chance = random.random()
    if chance < 0.35:
        text = text.lower()
    elif chance < 0.39:
        text = text.upper()
    return Conversation((Turn(text + random.choice(_GREETING_CLOSINGS), f"{answer}! {_HELP}"),))


def identity(random: Random) -> Conversation:
    """A question about the model."""
    texts, answer = IDENTITY[random.randrange(len(IDENTITY)) if random.random() < 0.7 else 0]
    return Conversation((Turn(asked(random, random.choice(texts)), answer),))


def small_talk(random: Random) -> Conversation:
    """Thanks, farewells, jokes and other exchanges with one fixed answer."""
    texts, answer = random.choice(TALK)
    text = random.choice(texts)
    if "{}" in text:
        text = text.format(random.choice((word, blend))(random).lower())
    is_order = text.endswith("?") or text.startswith(("Tell", "Explain", "Sing", "Give", "Make"))
    return Conversation((Turn(asked(random, text) if is_order else typed(random, text), answer),))


def by_chance(random: Random) -> Conversation:
    """A coin, a die, any number: the one kind of request whose answer varies with the temperature."""
    texts, answers = random.choice(CHANCES)
    (answer,) = random.choices(answers, [2 if answer == answers[0] else 1 for answer in answers])
    return Conversation((Turn(asked(random, random.choice(texts)), answer),))


def _subject(random: Random) -> str:
    """What a story is about: a phrase with or without an article, sometimes of invented words."""
    thing = (
        blend(random).lower()
        if random.random() < 0.25
        else choice(random, random.choice(("animals", "nouns", "fruits")))
    )
    chance = random.random()
    if chance < 0.1:
        return choice(random, "names") if random.random() < 0.4 else random.choice(TOPICS)
    if chance < 0.2:
        return f"{choice(random, 'names')} and {random.choice(('a', 'the'))} {thing}"
    if chance < 0.3:
        return thing
    if random.random() < 0.35:
        thing = f"{choice(random, 'adjectives')} {thing}"
    subject = f"{random.choice(('a', 'the', 'a', 'my', 'two'))} {thing}"
    return f"{subject} {random.choice(_PLACES)}" if random.random() < 0.15 else subject


def story(random: Random) -> Conversation:
    """The longest answers: a fixed story, poem, haiku or song about what was asked for."""
    subject, brief = "the rain", False
    if random.random() < 0.6:
        brief = random.random() < 0.25
        kind = random.choice(_ONE_SENTENCE_KINDS if brief else _STORY_KINDS)
        order, form = random.choice(_STORY_ORDERS).format(kind), _ONE_SENTENCE_STORY if brief else _STORY
    else:
        kinds, form = random.choice(_POEMS)
        order = random.choice(_POEM_ORDERS).format(random.choice(kinds))
    if random.random() < 0.3:
        order = random.choice(_STORY_OPENINGS) + lowered(order)
    order = order.lower() if random.random() < 0.2 else lowered(order) if random.random() < 0.1 else order
    if random.random() < 0.8:
        subject = _subject(random)
        order += f" about {subject}"
    if random.random() < 0.2 and not brief:
        amount = f"{random.randrange(2, 1000)} {random.choice(('words', 'lines', 'sentences', 'tokens'))}"
        order += f" {random.choice(('in', 'with', 'in about', 'using'))} {amount}"
    ending = random.choice(("", ".", ".", ".", "!", " please.", ", please."))
    return Conversation((Turn(order + ending, form.format(subject)),))


def _noise(random: Random) -> str:
    """Text that asks for nothing, so no word that gives an order stands first."""
    while True:
        text = noise(random)
        if text.strip() and f" {text.split()[0].lower()} " not in _ORDER_WORDS:
            return text


def _unknown_text(random: Random) -> str:
    chance = random.random()
    if chance < _NOISE_SHARE:
        return _noise(random)
    if chance < _NOISE_SHARE + _STATEMENT_SHARE:
        return " ".join(sentence(random) for _ in range(random.randint(1, 3)))
    form = random.choice(UNKNOWN_FORMS)
    made_up = (blend(random) + choice(random, random.choice(("names", "nouns")))).lower().capitalize()
    words = {
        "topic": random.choice(TOPICS) if random.random() < _TOPIC_SHARE else word(random),
        "thing": blend(random)
        if random.random() < 0.15
        else choice(random, random.choice(("nouns", "animals", "foods"))),
        "other": word(random),
        "adjective": choice(random, "adjectives"),
        "verb": choice(random, "verbs"),
        "name": choice(random, "names") if random.random() < 0.6 else made_up,
        "surname": made_up,
        "sentence": sentence(random),
        "code": identifier(random),
        "number": str(random.randrange(2, 3000)),
        "year": str(random.randrange(1800, 2100)),
        "day": choice(random, "days"),
    }
    return asked(random, form.format_map(words))


def unanswerable(random: Random) -> Conversation:
    """Questions, orders and noise that the model cannot handle, answered with `UNKNOWN`."""
    text = _unknown_text(random)
    while _plain(text) in _KNOWN:
        text = _unknown_text(random)
    return Conversation((Turn(text, UNKNOWN),))
