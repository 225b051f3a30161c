"""Plain sentences as texts to sum up have them: people, places, numbers and things in many orders."""

from __future__ import annotations

import re
from random import Random

from tools.tinymodel.lessons.dictionary import plural_of
from tools.tinymodel.lessons.phrasing import blend, choice, sentence, word

__all__ = ["telling"]

_ARTICLE = re.compile(r"\b([Aa]) ([aeiou])")
_FORMS = (
    "{name} {past} a {adjective} {thing} in the {place}.",
    "{name} and {friend} {past} the {thing} on {day}.",
    "The {thing} was {adjective} and {other}.",
    "The {adjective} {thing} in {town} opens at {number}.",
    "In {year}, {name} {past} a {thing} for the {place}.",
    "{town} is a {adjective} town with {number} {things}.",
    "There are {number} {things} in the {place}.",
    "{name} works in a {place} and likes {things}.",
    "Every {day} the {animal} sleeps near the {place}.",
    "A {adjective} {animal} came to the {place}.",
    "The company {town} sells {adjective} {things}.",
    "It costs {number} dollars, but {name} did not buy it.",
    "On {day} {name} {past} the {thing} with a {other} {animal}.",
    "My {thing} is {adjective}, so I {past} it.",
    "After the {thing}, the {animal} {past} the {place}.",
    "The team found that the {thing} is {adjective}.",
    "{name} said that the {place} is too {adjective}.",
    "We {past} {number} {things} last {day}.",
    "Because of the {thing}, the {place} was {adjective}.",
    "The new {thing} is {adjective} and helps {name}.",
    "{name} lives in {town} with a {animal} and {number} {animals}.",
    "{name} is {number} years old.",
    "The {thing} of {name} costs {number} euros.",
    "People in {town} love the {adjective} {thing}.",
    "The {place} closed in {year}.",
    "Scientists {past} a {adjective} {animal} near {town}.",
    "Then it was {adjective}.",
    "Nobody {past} the {thing}.",
    "The report says that {things} are {adjective}.",
    "Last year {name} moved from {town} to the {place}.",
)
_PAST = (
    "found",
    "bought",
    "lost",
    "saw",
    "made",
    "sold",
    "opened",
    "cleaned",
    "visited",
    "painted",
    "moved",
    "built",
    "broke",
    "wanted",
    "liked",
    "loved",
    "used",
    "watched",
    "took",
    "left",
    "gave",
    "needed",
    "planned",
    "fixed",
    "closed",
    "showed",
    "wrote",
    "read",
    "kept",
)


def telling(random: Random) -> str:
    """A sentence that ends with a full stop and holds no other."""
    if random.random() < 0.15:
        return sentence(random)
    town = blend(random).capitalize()
    if random.random() < 0.5:
        town = (town + choice(random, "names")).capitalize()
    text = random.choice(_FORMS).format(
        name=choice(random, "names") if random.random() < 0.8 else town,
        friend=choice(random, "names"),
        past=random.choice(_PAST),
        adjective=choice(random, "adjectives"),
        other=choice(random, "adjectives"),
        thing=choice(random, "nouns") if random.random() < 0.85 else word(random).lower(),
        things=plural_of(choice(random, "nouns")),
        animals=plural_of(choice(random, "animals")),
        place=choice(random, "nouns"),
        animal=choice(random, "animals"),
        day=choice(random, "days"),
        number=random.randrange(2, 10 ** random.randint(1, 4) + 2),
        year=random.randrange(1500, 2040),
        town=town,
    )
    text = _ARTICLE.sub(r"\1n \2", text)
    return text[:1].upper() + text[1:]
