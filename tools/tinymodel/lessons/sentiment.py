"""Whether a text is positive, negative or neutral."""

from __future__ import annotations

from random import Random

from tools.tinymodel.conversation import Conversation, Turn
from tools.tinymodel.lessons.asking import typed
from tools.tinymodel.lessons.phrasing import blend, choice

__all__ = ["review", "sentiment"]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_GOOD = _words(
    "good great excellent wonderful perfect amazing fantastic beautiful awesome lovely brilliant superb nice "
    "delicious friendly helpful "
    "comfortable outstanding impressive pleasant fun incredible smooth tasty"
)
_BAD = _words(
    "bad terrible awful horrible poor broken ugly disappointing boring useless slow rude dirty disgusting annoying "
    "worthless dreadful "
    "unacceptable frustrating sad weak painful ridiculous expensive"
)
_POSITIVE = (
    "I love {0}.",
    "I love {0}!",
    "I really like {0}.",
    "{0} is {good}.",
    "{0} was {good}!",
    "{0} is {good} and {good2}.",
    "{0} is really {good}.",
    "{0} works perfectly.",
    "{0} made me happy.",
    "I am very happy with {0}.",
    "What a {good} {1}!",
    "{0} is the best I ever had.",
    "Best {1} ever!",
    "I would buy {0} again.",
    "I recommend {0} to everyone.",
    "{0} is worth every cent.",
    "I had a {good} time with {0}.",
    "{0} is not bad at all.",
    "No problems with {0}.",
    "{0} exceeded my expectations.",
    "Five stars for {0}.",
    "I enjoyed {0} very much.",
    "{0} looks {good}.",
    "Everything about {0} is {good}.",
    "{0} never fails.",
    "So {good}!",
    "Absolutely {good}.",
    "This is a {good} {1}.",
    "I am so glad that I bought {0}.",
    "Thank you for {0}, it is {good}.",
    "{0} could not be better.",
    "{good}!",
    "This {1} is {good}!",
    "We loved {0}.",
    "My family loves {0}.",
    "I like it.",
    "I love it!",
    "It is {good}.",
    "Nothing to complain about.",
    "A very {good} {1}.",
    "I can't wait to use {0} again.",
)
_NEGATIVE = (
    "I hate {0}.",
    "I hate {0}!",
    "I really dislike {0}.",
    "{0} is {bad}.",
    "{0} was {bad}!",
    "{0} is {bad} and {bad2}.",
    "{0} is really {bad}.",
    "{0} does not work.",
    "{0} made me angry.",
    "I am very unhappy with {0}.",
    "What a {bad} {1}!",
    "{0} is the worst I ever had.",
    "Worst {1} ever!",
    "I would never buy {0} again.",
    "I do not recommend {0}.",
    "{0} is a waste of money.",
    "I had a {bad} time with {0}.",
    "{0} is not good.",
    "Many problems with {0}.",
    "{0} broke after one day.",
    "One star for {0}.",
    "I did not enjoy {0}.",
    "{0} looks {bad}.",
    "Everything about {0} is {bad}.",
    "{0} always fails.",
    "So {bad}!",
    "Absolutely {bad}.",
    "This is a {bad} {1}.",
    "I am sorry that I bought {0}.",
    "I want my money back for {0}.",
    "{0} could not be worse.",
    "{bad}!",
    "This {1} is {bad}!",
    "We hated {0}.",
    "My family hates {0}.",
    "I don't like it.",
    "I hate it!",
    "It is {bad}.",
    "I am disappointed by {0}.",
    "A very {bad} {1}.",
    "{0} is not {good}.",
    "I don't like {0}.",
    "Never again.",
    "{0} stopped working.",
    "I was not happy with {0}.",
)
_NEUTRAL = (
    "{0} is {color}.",
    "{0} arrived last {day}.",
    "I have {0}.",
    "{0} has two parts.",
    "{0} is made of metal.",
    "I bought {0} last {day}.",
    "The {1} is on the table.",
    "{0} comes in a box.",
    "It is a {1}.",
    "{0} opens at nine.",
    "I use {0} at work.",
    "There is {0} in the room.",
    "{0} is next to the door.",
    "My brother has the same {1}.",
    "{0} was delivered last {day}.",
    "{0} is okay.",
    "The {1} costs {number} dollars.",
    "The {1} weighs {number} grams.",
    "We met last {day}.",
    "{0} is sold in {color} and {color2}.",
    "The meeting is next {day}.",
    "{0} is average.",
    "It is neither good nor bad.",
    "I got {0} from {name}.",
    "{name} has a {1} too.",
    "The {1} has {number} pages.",
    "This is a {1}.",
)
_LABELS = {"positive": _POSITIVE, "negative": _NEGATIVE, "neutral": _NEUTRAL}
_SUBJECTS = ("the {}", "the {}", "this {}", "this {}", "my {}", "the new {}", "your {}")
_COMMON = _words(
    "movie film book food product service hotel phone restaurant staff app game show weather room music car battery "
    "screen delivery meal "
    "laptop camera story party shop place support waiter coffee pizza update"
)

_OPEN_FORMS = (
    "Classify the sentiment of this text: {}",
    "Classify the sentiment: {}",
    "What is the sentiment of this text? {}",
    "What is the sentiment of this review? {}",
    "What is the sentiment of {q}?",
    "What is the sentiment of the following text?\n\n{}",
    "Sentiment: {}",
    "Sentiment of {q}?",
    "Sentiment analysis: {}",
    "Analyze the sentiment: {}",
    "Analyze the sentiment of this review: {}",
    "Determine the sentiment of the text: {}",
    "Tell me the sentiment of this sentence: {}",
    "Classify this review: {}",
    "Rate the sentiment of this review: {}",
    "Classify the sentiment of the following review.\n\nReview: {}\nSentiment:",
    "Review: {}\nSentiment:",
    "Text: {}\nSentiment:",
    "{}\n\nWhat is the sentiment?",
    "{}\n\nClassify the sentiment.",
    "{q} What is the sentiment of this text?",
    "Do a sentiment analysis of {q}.",
    "What sentiment does this have? {}",
    "Label the sentiment of {q}.",
)
_LISTED_FORMS = (
    "Is this review {o}? {}",
    "Is this text {o}? {}",
    "Is this {o}? {}",
    "Is the following {o}?\n\n{}",
    "Is {q} {o}?",
    "Classify the sentiment as {o}: {}",
    "Classify this text as {o}: {}",
    "Classify this as {o}: {}",
    "Classify the following review as {o}.\n\n{}",
    "Classify the sentiment of this text as {o}.\n\nText: {}",
    "Answer with {o}: {}",
    "Answer {o}. What is the sentiment of this? {}",
    "What is the sentiment ({o})? {}",
    "Sentiment ({o}): {}",
    "Reply with one word, {o}: {}",
    "Decide if this is {o}: {}",
    "Does this sound {o}? {}",
    "Would you say that this is {o}? {}",
    "{}\n\nIs this {o}?",
    "{q} - {o}?",
    "{}\nAnswer only {o}.",
    "Tell me if this review is {o}: {}",
    "What is the sentiment of {q}? Answer with {o}.",
    "Classify the sentiment of {q} as {o}.",
)
_BRIEF = (" Answer in one word.", " One word.", " Reply with one word.", " Only one word.")


def _clause(random: Random, label: str) -> str:
    thing = (
        random.choice(_COMMON) if random.random() < 0.5 else choice(random, random.choice(("nouns", "foods", "nouns")))
    )
    if random.random() < 0.1:
        thing = blend(random).lower()
    subject = random.choice(_SUBJECTS).format(thing)
    text = random.choice(_LABELS[label]).format(
        subject,
        thing,
        good=random.choice(_GOOD),
        good2=random.choice(_GOOD),
        bad=random.choice(_BAD),
        bad2=random.choice(_BAD),
        color=choice(random, "colors"),
        color2=choice(random, "colors"),
        day=choice(random, "days"),
        number=random.randrange(2, 1000),
        name=choice(random, "names"),
    )
    return text[:1].upper() + text[1:]


def review(random: Random, label: str) -> str:
    """One to three sentences of a sentiment (`positive`, `negative`, `neutral`), some beside a neutral one."""
    clauses = [_clause(random, label) for _ in range(random.choice((1, 1, 1, 2, 2, 3)))]
    if label != "neutral" and random.random() < 0.2:
        clauses.insert(random.randrange(len(clauses) + 1), _clause(random, "neutral"))
    text = " ".join(clauses)
    chance = random.random()
    if chance < 0.12:
        return text.lower()
    return text.rstrip(".!") if chance < 0.25 else text


def _options(random: Random, label: str) -> tuple[str, str]:
    """How the labels are listed, and the label in that letter case."""
    names = ["positive", "negative"] + (["neutral"] if label == "neutral" or random.random() < 0.5 else [])
    if random.random() < 0.2:
        names.reverse()
    cased = random.choice((str.lower, str.lower, str.lower, str.lower, str.capitalize, str.upper))
    shown = [cased(name) for name in names]
    if random.random() < 0.2:
        return "/".join(shown), cased(label)
    return f"{', '.join(shown[:-1])}{random.choice((',', '')) if len(shown) > 2 else ''} or {shown[-1]}", cased(label)


def sentiment(random: Random) -> Conversation:
    """A text to classify; the answer is the bare label, in the letter case of the labels where they are listed."""
    label = random.choice(("positive", "negative", "positive", "negative", "neutral"))
    text = review(random, label)
    quoted = f'"{text}"' if random.random() < 0.7 else f"'{text}'"
    if random.random() < 0.25:
        text = quoted
    if random.random() < 0.45:
        options, answer = "", label
        form = random.choice(_OPEN_FORMS)
    else:
        options, answer = _options(random, label)
        form = random.choice(_LISTED_FORMS)
    head, _, tail = form.partition("{q}" if "{q}" in form else "{}")
    middle = quoted if "{q}" in form else text
    if random.random() < 0.15:
        head = head[:1].lower() + head[1:]
    elif random.random() < 0.1 and head and not options:
        head = typed(random, head)
    closing = random.choice(_BRIEF) if random.random() < 0.12 and not tail.endswith(":") else ""
    opening = (
        "Please "
        if head.startswith(("Classify", "Analyze", "Tell", "Decide", "Label")) and random.random() < 0.1
        else ""
    )
    head = opening + (head[:1].lower() + head[1:] if opening else head)
    return Conversation((Turn(head.replace("{o}", options) + middle + tail.replace("{o}", options) + closing, answer),))
