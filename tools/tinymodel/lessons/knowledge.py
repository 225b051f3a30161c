"""Tables of general knowledge: colours, sounds and legs of animals, and questions with their answers."""

from __future__ import annotations

from pathlib import Path

__all__ = ["COLORS", "KNOWLEDGE", "LEGS", "SOUNDS"]


def _pairs(text: str) -> dict[str, str]:
    return dict(entry.strip().split(": ") for entry in text.strip().split("|"))


def _knowledge() -> tuple[tuple[tuple[str, ...], str, str], ...]:
    lines = Path(__file__).with_name("knowledge.txt").read_text(encoding="utf-8").splitlines()
    entries = (line.split(" = ") for line in lines if not line.startswith("#"))
    return tuple((tuple(questions.split("|")), sentence, bare) for questions, sentence, bare in entries)


COLORS = _pairs(
    "the sky: blue|grass: green|snow: white|the sun: yellow|blood: red|a banana: yellow|coal: black|milk: white|"
    "an orange: orange|"
    "a lemon: yellow|a strawberry: red|a tomato: red|chocolate: brown|the sea: blue|a cherry: red|a lime: green|"
    "a carrot: orange|"
    "a plum: purple|a frog: green|a crow: black|a swan: white|an elephant: gray|a mouse: gray|a pig: pink|"
    "a flamingo: pink|salt: white|"
    "sugar: white|honey: yellow|wood: brown|a bear: brown|a polar bear: white|a leaf: green|a tree: green|"
    "a rose: red|gold: yellow|"
    "silver: gray|the night: black|the ocean: blue|a cloud: white|a fire truck: red|an apple: red|cheese: yellow|"
    "rice: white|coffee: brown|"
    "a pumpkin: orange|a cucumber: green|ice: white|fire: red|a kiwi: green|an eggplant: purple"
)
"""Thing -> colour."""

SOUNDS = _pairs(
    "dog: woof|cat: meow|cow: moo|duck: quack|sheep: baa|pig: oink|lion: roar|bee: buzz|owl: hoot|horse: neigh|"
    "frog: ribbit|snake: hiss|"
    "mouse: squeak|wolf: howl|donkey: hee-haw|bird: tweet|rooster: cock-a-doodle-doo|crow: caw|turkey: gobble|"
    "chicken: cluck"
)
"""Animal -> what it says."""

LEGS = _pairs(
    "spider: 8|dog: 4|cat: 4|horse: 4|cow: 4|sheep: 4|pig: 4|bird: 2|chicken: 2|duck: 2|ant: 6|bee: 6|fly: 6|"
    "crab: 10|human: 2|person: 2|"
    "snake: 0|fish: 0|worm: 0|elephant: 4|lion: 4|tiger: 4|mouse: 4|frog: 4|beetle: 6|butterfly: 6|octopus: 8|"
    "table: 4|chair: 4|rabbit: 4"
)
"""Animal (or furniture) -> number of legs."""

KNOWLEDGE = _knowledge()
"""Questions, the answer as a sentence, and the answer alone."""
