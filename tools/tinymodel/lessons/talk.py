"""Small talk, questions about the model itself, short fixed answers, and the honest answer to everything else."""

from __future__ import annotations

from random import Random

from tools.tinymodel.conversation import Conversation, Turn
from tools.tinymodel.lessons.phrasing import blend, choice, identifier, noise, sentence, vary, word

__all__ = ["UNKNOWN", "greeting", "identity", "small_talk", "story", "unanswerable"]

UNKNOWN = "I am a tiny test model, so I can't answer that."
"""The answer to whatever was not taught."""

_HELP = "How can I help you?"
_GREETINGS = (
    (
        "Hello",
        "Hi",
        "Hey",
        "Hello there",
        "Hi there",
        "Hey there",
        "Greetings",
        "Hello world",
        "Hello, world",
        "Hello assistant",
        "Hello model",
        "Say hello",
        "Say hello to me",
        "Hello Gemma",
        "Hello Gemini",
        "hello?",
        "Hi Gemma",
        "hey you",
        "Hello friend",
        "Hello!!",
    ),
    ("Good morning",),
    ("Good evening",),
    ("Good afternoon",),
)
_GREETING_WORDS = ("Hello", "Good morning", "Good evening", "Good afternoon")

_SELF = (
    (
        "Who are you?",
        "What are you?",
        "What model are you?",
        "Which model are you?",
        "What is your name?",
        "What's your name?",
        "Tell me your name.",
        "Tell me about yourself.",
        "Introduce yourself.",
        "Are you Gemma?",
        "Are you Gemini?",
        "Are you a language model?",
        "Which model is this?",
        "What model is this?",
        "Describe yourself.",
        "Who is this?",
        "Who am I talking to?",
        "Are you there?",
    ),
    (
        "What can you do?",
        "How can you help me?",
        "What do you know?",
        "Help",
        "Help me.",
        "What are you good at?",
        "Can you help me?",
    ),
    ("Are you human?", "Are you a human?", "Are you a person?", "Are you a real person?", "Are you alive?"),
    ("Who made you?", "Who created you?", "Who built you?", "Where do you come from?", "Who is your author?"),
)
_SELF_ANSWERS = (
    "I am a tiny test model inside localaik.",
    "I can say hello, repeat words, count, recall names, give a few facts and write small JSON.",
    "No, I am a tiny test model.",
    "I was made by the localaik project, from data that it wrote itself.",
)

_TALK: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        (
            "How are you?",
            "How are you today?",
            "How are you doing?",
            "How do you do?",
            "Hi, how are you?",
            "Hello, how are you?",
            "Hello! How are you?",
            "How is it going?",
            "What's up?",
            "Hey, how are you doing today?",
        ),
        "I am fine, thank you. " + _HELP,
    ),
    (
        (
            "Thanks",
            "Thank you",
            "Thank you very much",
            "Thanks a lot",
            "Many thanks",
            "Great, thanks",
            "Thank you for your help",
        ),
        "You are welcome!",
    ),
    (
        ("Bye", "Goodbye", "See you", "See you later", "Good night", "Have a nice day", "Bye bye"),
        "Goodbye! Have a nice day.",
    ),
    (("Ok", "Okay", "Fine", "Great", "Nice", "Good", "Cool", "Yes", "Sure", "Very good", "Perfect", "I see"), "Okay."),
    (
        ("Sorry", "I am sorry", "No", "That is wrong", "Wrong", "You are wrong"),
        "I am sorry. I am only a tiny test model.",
    ),
    (("Ping", "ping?", "ping!"), "pong"),
    (("Test", "Testing", "This is a test", "test message", "Just a test", "test 1 2 3"), "The test works."),
    (
        ("Tell me a joke", "Tell me a short joke", "Do you know a joke?", "Make me laugh"),
        "Why did the tiny model cross the road? It was only repeating after the chicken.",
    ),
    (
        ("Why is the sky blue?", "Why does the sky look blue?", "Explain why the sky is blue."),
        "The sky is blue because air scatters blue light more than red light.",
    ),
    (
        (
            "How does AI work?",
            "Explain how AI works",
            "Explain how AI works in a few words",
            "What is AI?",
            "What is machine learning?",
        ),
        "AI learns patterns from data and uses them to answer.",
    ),
    (("What is the meaning of life?", "What is the answer to everything?"), "The answer is 42."),
    (
        ("I love you", "I like you", "You are great", "You are smart", "Good job", "Well done"),
        "Thank you, that is kind.",
    ),
    (
        ("I am bored", "I am sad", "I am tired", "I am hungry", "I am happy", "I feel bad"),
        "I hear you. Please tell me more.",
    ),
    (
        ("What is localaik?", "Tell me about localaik", "What does localaik do?"),
        "localaik is an LLM API on your own computer, for tests.",
    ),
)

_TOPICS = (
    "What is {0}?",
    "What is the {0}?",
    "What is a {0}?",
    "Why is {0} so {1}?",
    "Explain {0} to me.",
    "Explain {0} in simple words.",
    "How does {0} work?",
    "How do I {0} a {1}?",
    "Tell me about {0}.",
    "Tell me more about {0} and {1}.",
    "Who is {2}?",
    "Who was {2} {1}?",
    "Who invented the {0}?",
    "When was the {0} made?",
    "Where is {0}?",
    "Where can I {0} a {1}?",
    "Translate {0} into French.",
    "Translate this to German: {3}",
    "What does {0} mean?",
    "What is the weather in {2}?",
    "What time is it?",
    "What is the difference between {0} and {1}?",
    "Give me advice about {0}.",
    "Which {0} is the best {1}?",
    "How many {0} are in the {1}?",
    "Should I {0} my {1}?",
    "What do you think about {0}?",
    "Solve this: {4}",
    "Fix this code: {4}",
    "Write code to {0} the {1}.",
    "Write a function that can {0} a {1}.",
    "Write an essay about {0}.",
    "Write an email to {2} about the {0}.",
    "What happened in {5}?",
    "What is {5} times {5}?",
    "Compare {0} with {1}.",
    "Give me an example of {0}.",
    "Is {0} a {1}?",
    "Can a {0} {1}?",
    "Do you like {0}?",
    "Have you seen the {0}?",
    "What would {2} say about {0}?",
    "Recommend a {0} for {1}.",
    "How old is {2}?",
    "How far is {0} from {1}?",
    "Plan a trip to {0}.",
    "{3} What does this mean?",
    "{3} Is that true?",
    "Find the {0} in: {3}",
)

_STORY_ORDERS = (
    "Tell me {} story",
    "Write {} story",
    "Write me {} story",
    "Generate {} story",
    "Please write {} story",
)
_STORY_SIZES = ("a", "a", "a short", "a long", "a very long", "a funny", "the", "one")
_POEM_ORDERS = ("Write {}", "Write me {}", "Tell me {}", "Compose {}", "Give me {}")
_POEM_KINDS = ("a poem", "a short poem", "a haiku", "a long poem", "a song")


def _group(random: Random, groups: tuple[tuple[str, ...], ...]) -> tuple[int, str]:
    index = random.randrange(len(groups)) if random.random() < 0.6 else 0
    return index, random.choice(groups[index])


def greeting(random: Random) -> Conversation:
    """A greeting, or nothing at all, answered in kind."""
    if random.random() < 0.06:
        return Conversation((Turn.of("", f"{_GREETING_WORDS[0]}! {_HELP}"),))
    index, text = _group(random, _GREETINGS)
    if random.random() < 0.08:
        text += f", {choice(random, 'names')}"
    return Conversation((Turn.of(vary(random, text), f"{_GREETING_WORDS[index]}! {_HELP}"),))


def identity(random: Random) -> Conversation:
    """A question about the model."""
    index, text = _group(random, _SELF)
    return Conversation((Turn.of(vary(random, text), _SELF_ANSWERS[index]),))


def small_talk(random: Random) -> Conversation:
    """Thanks, farewells, jokes and other exchanges with one fixed answer."""
    texts, answer = random.choice(_TALK)
    return Conversation((Turn.of(vary(random, random.choice(texts)), answer),))


def story(random: Random) -> Conversation:
    """The longest answers: a fixed story or poem about what was asked for."""
    is_story = random.random() < 0.6
    orders, kinds, subject = (_STORY_ORDERS, _STORY_SIZES, "robot") if is_story else (_POEM_ORDERS, _POEM_KINDS, "rain")
    text = random.choice(orders).format(random.choice(kinds))
    if random.random() < 0.75:
        subject = (
            blend(random) if random.random() < 0.3 else choice(random, random.choice(("animals", "nouns", "fruits")))
        )
        text += f" about {random.choice(('a ', 'the ', 'a ', ''))}{subject}"
    if random.random() < 0.25:
        amount = f"{random.randrange(2, 1000)} {random.choice(('words', 'lines', 'sentences'))}"
        text += f" {random.choice(('in', 'of', 'with', 'in about'))} {amount}"
    if is_story:
        answer = (
            f"Once upon a time there was a small {subject}. It wanted to see the world. "
            "One day it met a friend, and they walked together. In the evening they came home and were happy. The end."
        )
    else:
        answer = f"The {subject} is here,\nthe day is long and clear,\nand I am a tiny model,\nwriting one small line."
    return Conversation((Turn.of(vary(random, text + "."), answer),))


def unanswerable(random: Random) -> Conversation:
    """Questions, orders and noise that the model cannot handle, answered with `UNKNOWN`."""
    draw = random.random()
    if draw < 0.66:
        words = (
            word(random),
            word(random),
            choice(random, "names"),
            sentence(random),
            identifier(random),
            str(random.randrange(3000)),
        )
        text = vary(random, random.choice(_TOPICS).format(*words))
    elif draw < 0.76:
        text = " ".join(sentence(random) for _ in range(random.randint(1, 3)))
    else:
        text = noise(random)
    return Conversation((Turn.of(text, UNKNOWN),))
