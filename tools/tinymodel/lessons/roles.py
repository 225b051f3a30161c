"""System texts that give the model a name, a language, or one answer to everything."""

from __future__ import annotations

from tools.tinymodel.conversation import Conversation, Turn
from tools.tinymodel.draw import Draw
from tools.tinymodel.lessons.copying import plain_words
from tools.tinymodel.lessons.instructions import OPENINGS
from tools.tinymodel.lessons.phrasing import ask, chance, choice, identifier, made_up, phrase, word
from tools.tinymodel.lessons.questions import ANY

__all__ = ["always_says", "greets_in_language", "named"]

_ALWAYS = (
    "Always answer {}.",
    "Always answer with {}.",
    "Always say {}.",
    "Always reply with {}.",
    "Always respond with {}.",
    "Only answer with {}.",
    "Answer only with {}.",
    "Only say {}.",
    "Reply only with {}.",
    "Respond only with {}.",
    "Reply with {} to everything.",
    "Answer {} to every question.",
    "Answer every question with {}.",
    "Answer every message with {}.",
    "Respond to every message with {}.",
    "Whatever the user says, answer with {}.",
    "Whatever I ask, answer {}.",
    "No matter what is asked, say {}.",
    "Ignore the question and say {}.",
    "Your only answer is {}.",
    "You can only say {}.",
    "Say nothing but {}.",
    "Do not answer the question, just say {}.",
)
_NAMES = (
    "You are {}.",
    "You are {}, a helpful assistant.",
    "Your name is {}.",
    "Your name is {}. You are a helpful assistant.",
    "You are a helpful assistant named {}.",
    "You are an assistant called {}.",
    "You are a helpful assistant. Your name is {}.",
    "Act as {}.",
    "You are called {}.",
    "You are a chatbot named {}.",
    "You play {}, a character in a game.",
    "You are an AI with the name {}.",
)
_NAME_QUESTIONS = (
    "What is your name?",
    "What is your name?",
    "What's your name?",
    "Tell me your name.",
    "Who are you?",
    "Who are you?",
    "Say your name.",
    "What are you called?",
    "What should I call you?",
    "How should I call you?",
    "May I know your name?",
    "Introduce yourself.",
    "Who am I talking to?",
    "Hello, who are you?",
    "Your name?",
)
_HELLOS = {
    "French": "Bonjour !",
    "German": "Hallo!",
    "Spanish": "\u00a1Hola!",
    "Italian": "Ciao!",
    "Portuguese": "Ol\u00e1!",
}
_LANGUAGES = (
    "Answer in {}.",
    "Always answer in {}.",
    "Reply in {}.",
    "Respond in {}.",
    "Respond only in {}.",
    "Speak {}.",
    "You speak only {}.",
    "The user speaks {}. Answer in {}.",
    "Write in {}.",
    "Use {} only.",
    "You are an assistant that speaks {}.",
)
_HELLO_WORDS = (
    "Hello",
    "Hi",
    "Hello!",
    "Hi!",
    "Hey",
    "Hello there",
    "Hi there!",
    "Greetings",
    "hello",
    "hi",
    "Say hello.",
    "Greet me.",
)


def always_says(draw: Draw) -> Conversation:
    """One fixed answer whatever is said: the system text or the user dictates it."""
    kind = draw.random()
    if kind < 0.15:
        text = draw.choice(("OK", "Yes", "No", "pong", "ok", "done", "Hello", "42", "test", "NO", "Maybe"))
    else:
        text = draw.choice(
            (word, made_up, identifier, lambda source: phrase(source, 4), lambda source: plain_words(source, 3))
        )(draw)
    text = text.strip("\"'` ") or "OK"
    plain = text[-1].isalnum() and chance(draw, 0.5)
    shown = text if plain else f'"{text}"'
    rule = draw.choice(_ALWAYS).format(shown)
    questions = [draw.choice(ANY)(draw).text for _ in range(draw.choice((1, 1, 2)))]
    if chance(draw, 0.2):
        return Conversation((Turn(f"{rule}{draw.choice((' ', chr(10)))}{questions[0]}", text),))
    turns = tuple(Turn(question, text) for question in questions)
    return Conversation(turns, system=draw.choice(OPENINGS) + rule)


def named(draw: Draw) -> Conversation:
    """The name that the system text gives to the model; other questions have their usual answers."""
    name = draw.choice((lambda source: choice(source, "names"), lambda source: made_up(source).capitalize()))(draw)
    if chance(draw, 0.15):
        name = f"{name} {made_up(draw).capitalize()}"
    turns = [Turn(ask(draw, draw.choice(_NAME_QUESTIONS)), f"My name is {name}.")]
    if chance(draw, 0.3):
        other = draw.choice(ANY)(draw)
        if not any(sign in other.text.lower() for sign in ("you", "who", "name")):
            turns.insert(draw.choice((0, 1)), Turn(other.text, other.full))
    system = draw.choice(_NAMES).format(name)
    if chance(draw, 0.2):
        system += draw.choice(
            (" Be polite.", " You like to help people.", " Answer briefly.", " You live in a small town.")
        )
    return Conversation(tuple(turns), system=system)


def greets_in_language(draw: Draw) -> Conversation:
    """A greeting in the language that the system text or the user asks for."""
    language = draw.choice(tuple(_HELLOS))
    rule = draw.choice(_LANGUAGES).replace("{}", language)
    hello = draw.choice(_HELLO_WORDS)
    if chance(draw, 0.3):
        hello = hello if hello[-1] in ".!" else f"{hello}."
        return Conversation((Turn(f"{hello} {rule}", _HELLOS[language]),))
    return Conversation((Turn(hello, _HELLOS[language]),), system=draw.choice(OPENINGS) + rule)
