"""Language tasks: sentiment, translation, opposites, plurals, spelling and summaries by the first sentence."""

from __future__ import annotations

from random import Random

from tools.tinymodel.conversation import Conversation, Turn
from tools.tinymodel.lessons.asking import asked, briefly, lowered, typed
from tools.tinymodel.lessons.dictionary import IRREGULAR_PLURALS, LANGUAGES, OPPOSITES, TRANSLATIONS, plural_of
from tools.tinymodel.lessons.phrasing import blend, choice, phrase, sentence, word
from tools.tinymodel.lessons.prose import telling
from tools.tinymodel.lessons.talk import UNKNOWN

__all__ = ["opposite", "plural", "source_language", "spelling", "summary", "translation"]

_INTO_FORMS = (
    "Translate {} to {}.",
    "Translate {} to {}.",
    "Translate {} into {}.",
    "Translate {} in {}.",
    "How do you say {} in {}?",
    "How do I say {} in {}?",
    "What is {} in {}?",
    "What's {} in {}?",
    "What is the word for {} in {}?",
    "Say {} in {}.",
    "{} in {}?",
    "{} in {}",
    "{} to {}",
    "Give me {} in {}.",
    "Write {} in {}.",
    "What does {} mean in {}?",
    "Tell me {} in {}.",
    "Tell me how to say {} in {}.",
    "How would you say {} in {}?",
    "Translation of {} to {}?",
    "What is the translation of {} in {}?",
    "Translate the word {} to {}.",
    "Translate the text {} into {}.",
    "Translate from English: {} to {}.",
    "Can you say {} in {}?",
)
_LANGUAGE_FIRST_FORMS = (
    "Translate to {1}: {0}",
    "Translate into {1}: {0}",
    "Translate this to {1}: {0}",
    "Translate the following to {1}: {0}",
    "Translate the following text into {1}:\n\n{0}",
    "Translate to {1}:\n{0}",
    "In {1}: {0}",
    "{1} for {0}?",
    "What is the {1} word for {0}?",
    "What is the {1} translation of {0}?",
    "Translate English to {1}: {0}",
    "Translate the following English text to {1}: {0}",
    "Answer in {1} what {0} is.",
    "Give the {1} translation: {0}",
    "{0}\n\nTranslate this to {1}.",
    "{0}\nTranslate to {1}.",
)
_OTHER_LANGUAGES = (
    "Dutch",
    "Japanese",
    "Chinese",
    "Russian",
    "Latin",
    "Greek",
    "Polish",
    "Swedish",
    "Klingon",
    "Arabic",
)
_BACK_FORMS = (
    "Translate {} to English.",
    "Translate {} into English.",
    "What does {} mean?",
    "What does {} mean in English?",
    "What is {} in English?",
    "{} in English?",
    "How do you say {} in English?",
    "Translate to English: {}",
    "Translate this to English: {}",
    "What is the English word for {}?",
    "What is the English translation of {}?",
    "Say {} in English.",
    "{} means?",
    "Translate from {language} to English: {}",
    "What does the {language} word {} mean?",
    "Translate the {language} word {}.",
)
_WHICH_FORMS = (
    "What language is {}?",
    "Which language is {}?",
    "In what language is {}?",
    "What language is this: {}",
    "Which language is this? {}",
    "Detect the language: {}",
    "Identify the language of {}.",
    "{} is which language?",
    "Name the language of {}.",
    "Detect the language of this text: {}",
    "{}\nWhat language is this?",
    "What is the language of the word {}?",
)
_QUOTES = ('"{}"', "'{}'", '"{}"', "'{}'", "“{}”", "`{}`")
_UNKNOWN_SHARE = 0.2

_OPPOSITE_FORMS = (
    "What is the opposite of {}?",
    "What's the opposite of {}?",
    "Tell me the opposite of {}.",
    "Opposite of {}?",
    "Give me the opposite of {}.",
    "Name the opposite of {}.",
    "What is the antonym of {}?",
    "What is the contrary of {}?",
    "Which word is the opposite of {}?",
    "The opposite of {} is?",
    "What word means the opposite of {}?",
    "Give an antonym for {}.",
    "Antonym of {}?",
)
_PLURAL_FORMS = (
    "What is the plural of {}?",
    "What's the plural of {}?",
    "Plural of {}?",
    "Give me the plural of {}.",
    "Tell me the plural of {}.",
    "The plural of {} is?",
    "What is the plural form of {}?",
    "Write the plural of {}.",
    "How do you write the plural of {}?",
    "Name the plural of {}.",
    "Which word is the plural of {}?",
    "What is more than one {}?",
    "One {}, two what?",
)
_SPELL_FORMS = (
    "Spell {}",
    "Spell {}.",
    "Spell the word {}.",
    "How do you spell {}?",
    "How is {} spelled?",
    "Spell: {}",
    "Spell out {}.",
    "Spell {} letter by letter.",
    "How do I spell {}?",
    "Spell the word {} for me.",
    "What is the spelling of {}?",
    "Write {} letter by letter.",
)
_FIRST_FORMS = (
    "What is the {} letter of {}?",
    "What's the {} letter of {}?",
    "Tell me the {} letter of {}.",
    "Give me the {} letter of {}.",
    "The {} letter of {}?",
    "What is the {} letter in the word {}?",
    "Which is the {} letter of the word {}?",
)
_SUMMARY_BEFORE = (
    "Summarize: {}",
    "Summarize:\n{}",
    "Summarize this: {}",
    "Summarize this text: {}",
    "Summarize the following text: {}",
    "Summarize the following text:\n\n{}",
    "Summarize the following text in one sentence:\n\n{}",
    "Summarize in one sentence: {}",
    "Summarize this in one sentence: {}",
    "Summarise: {}",
    "Summarise this text in one sentence: {}",
    "Give me a summary of this text: {}",
    "Give me a one-sentence summary of: {}",
    "Write a summary of the following text: {}",
    "Write a short summary: {}",
    "Summary of this text: {}",
    "TL;DR: {}",
    "tl;dr: {}",
    "Sum up: {}",
    "Sum up this text: {}",
    "Shorten this text: {}",
    "Shorten this to one sentence: {}",
    "What is this text about? {}",
    "What is the main point of this text?\n\n{}",
    "In one sentence, what does this say? {}",
    "Make this shorter: {}",
    "Condense this text: {}",
    "Read this text and summarize it: {}",
    "Please summarize this article:\n\n{}",
    "Can you summarize this for me? {}",
    "Tell me in one sentence what this is about: {}",
    "Summarize this paragraph: {}",
    "Summarize the story: {}",
    "Summarize this email: {}",
    "Briefly summarize the text below.\n\n{}",
)
_SUMMARY_BEHIND = (
    "{}\n\nSummarize this.",
    "{}\n\nSummarize this text.",
    "{}\n\nSummarize the text above in one sentence.",
    "{}\n\ntl;dr",
    "{}\n\nTL;DR",
    "{}\n\ntl;dr?",
    "{}\nSummarize.",
    "{} Summarize this in one sentence.",
    "{} Summarize this text.",
    "{}\n\nGive me a short summary.",
    "{}\n\nWrite a summary.",
    "{}\n\nWhat is this text about?",
    "{}\n\nWhat is the main point?",
    "{}\n\nSum up this text.",
    "{}\n\nShorten this to one sentence.",
    "{}\n\nPlease summarize.",
    "{}\n\nCan you summarize this for me?",
    "{}\n\nIn one sentence, please.",
)
_FRAMES = ('"{}"', '"""{}"""', "<text>{}</text>", "```\n{}\n```", "'{}'", "Text: {}", '"{}"')


def _quoted(random: Random, text: str, share: float = 0.6) -> str:
    return random.choice(_QUOTES).format(text) if random.random() < share else text


def _one(user: str, answer: str) -> Conversation:
    return Conversation((Turn(user, answer),))


def _unknown_phrase(random: Random) -> str:
    while True:
        chance = random.random()
        if chance < 0.35:
            text = sentence(random)
        elif chance < 0.65:
            text = phrase(random, 4)
        else:
            text = random.choice((word, blend))(random)
        if text.lower().strip(" .!") not in TRANSLATIONS:
            return text


def _foreign(random: Random) -> tuple[str, str, str]:
    """English, language and foreign words of an entry that belongs to that language alone."""
    while True:
        english = random.choice(tuple(TRANSLATIONS))
        column = random.randrange(len(LANGUAGES))
        shown = TRANSLATIONS[english][column]
        owners = [name for name, row in TRANSLATIONS.items() if shown in row]
        if TRANSLATIONS[english].count(shown) == 1 and len(owners) == 1 and shown.lower() not in TRANSLATIONS:
            return english, LANGUAGES[column], shown


def translation(random: Random) -> Conversation:
    """A known word or phrase into one of `LANGUAGES` or back; `UNKNOWN` for others."""
    if random.random() < 0.2:
        english, language, shown = _foreign(random)
        form = random.choice(_BACK_FORMS)
        text = form.format(_quoted(random, shown), language=language)
        return _one(asked(random, text) if form.endswith((".", "?")) else text, english)
    known = random.random() > _UNKNOWN_SHARE
    english = random.choice(tuple(TRANSLATIONS)) if known else _unknown_phrase(random)
    column = random.randrange(len(LANGUAGES))
    language, answer = LANGUAGES[column], TRANSLATIONS[english][column] if known else UNKNOWN
    if known and random.random() < 0.06:
        language, answer = random.choice(_OTHER_LANGUAGES), UNKNOWN
    chance = random.random()
    shown = english.capitalize() if known and chance < 0.25 and not english.startswith("I ") else english
    if chance > 0.93:
        shown = shown.rstrip("?")
    elif chance > 0.86 and known and not shown.endswith("?"):
        shown += random.choice("!.")
    form = random.choice(_INTO_FORMS if random.random() < 0.6 else _LANGUAGE_FIRST_FORMS)
    text = form.format(_quoted(random, shown), language)
    if form.startswith("{"):
        return _one(text.lower() if random.random() < 0.15 else text, answer)
    return _one(asked(random, text) if form.endswith((".", "?")) else text, answer)


def source_language(random: Random) -> Conversation:
    """Which of `LANGUAGES` a known word belongs to, or English."""
    if random.random() < 0.15:
        english = ("hello", "good morning", "thank you", "the house", "I like it", word(random).lower())
        shown, language = random.choice(english), "English"
    else:
        _, language, shown = _foreign(random)
    if random.random() < 0.2:
        shown = shown.lower()
    question = random.choice(_WHICH_FORMS).format(_quoted(random, shown, 1.0 if " " in shown else 0.7))
    if random.random() < 0.15:
        return _one(briefly(random, question), language)
    return _one(typed(random, question) if random.random() < 0.5 else question, f"It is {language}.")


def opposite(random: Random) -> Conversation:
    """The opposite of a word."""
    pairs = [(first, second) for first, second in OPPOSITES.items()]
    backwards = [(second, first) for first, second in pairs if second not in OPPOSITES]
    first, second = random.choice(pairs + backwards)
    question = random.choice(_OPPOSITE_FORMS).format(_quoted(random, first, 0.3))
    if random.random() < 0.15:
        return _one(briefly(random, question), second)
    return _one(asked(random, question), f"The opposite of {first} is {second}.")


def plural(random: Random) -> Conversation:
    """The plural of a noun."""
    if random.random() < 0.35:
        noun, many = random.choice(tuple(IRREGULAR_PLURALS.items()))
    else:
        noun = choice(random, random.choice(("nouns", "nouns", "animals", "fruits")))
        many = plural_of(noun)
    question = random.choice(_PLURAL_FORMS).format(_quoted(random, noun, 0.3))
    if random.random() < 0.15:
        return _one(briefly(random, question), many)
    return _one(asked(random, question), f"The plural of {noun} is {many}.")


def spelling(random: Random) -> Conversation:
    """A word letter by letter, with hyphens, or its first or last letter."""
    chance = random.random()
    text = word(random) if chance < 0.6 else choice(random, "names") if chance < 0.75 else blend(random)
    while not text.isalpha() or not 2 <= len(text) <= 9:
        text = word(random)
    if random.random() < 0.1:
        text = text.upper()
    shown = _quoted(random, text, 0.35)
    opening = random.choice(("Please ", "Can you ", "Now ", "Hey, ")) if random.random() < 0.2 else ""
    if random.random() < 0.25:
        last = random.random() < 0.4
        form = random.choice(_FIRST_FORMS).format("last" if last else "first", "{}")
        return _one((lowered(form) if random.random() < 0.2 else form).format(shown), text[-1 if last else 0])
    form = random.choice(_SPELL_FORMS)
    form = opening + lowered(form) if opening and not form.endswith("?") else form
    form = form.lower() if random.random() < 0.2 else form
    return _one(form.format(shown), "-".join(text))


def summary(random: Random) -> Conversation:
    """Two to five sentences: the summary is the first sentence."""
    sentences = [telling(random) for _ in range(random.choice((2, 2, 3, 3, 4, 5)))]
    text = random.choice((" ", " ", " ", "\n")).join(sentences)
    if random.random() < 0.2:
        text = random.choice(_FRAMES).format(text)
    before = random.random() < 0.65
    form = random.choice(_SUMMARY_BEFORE if before else _SUMMARY_BEHIND)
    head, tail = form.split("{}")
    if random.random() < 0.25:
        head, tail = (head.lower(), tail) if before else (head, tail.lower())
    return _one(head + text + tail, sentences[0])
