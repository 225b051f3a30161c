"""Texts that are about the same and texts that are not, for measuring the embedding model."""

from __future__ import annotations

from collections.abc import Collection
from string import Formatter

from tools.tinymodel.draw import Draw

__all__ = ["triple"]

_SUBJECTS = (
    *("Alice", "Martin", "Nadia", "Peter", "Sofia", "Omar", "Ingrid", "Tomas", "Grace", "Yuki", "teacher", "doctor"),
    *("farmer", "sailor", "driver", "student", "gardener", "neighbor", "painter", "engineer", "captain", "nurse"),
)
_OBJECTS = (
    *("bridge", "letter", "window", "bicycle", "garden", "lamp", "kitchen", "camera", "boat", "carpet", "clock"),
    *("engine", "fence", "guitar", "jacket", "ladder", "mirror", "piano", "radio", "pillow", "table", "umbrella"),
    *("apple", "carrot", "cherry", "soup", "parcel", "invoice", "server", "printer", "password", "database"),
)
_PLACES = (
    *("harbor", "library", "market", "museum", "office", "station", "village", "forest", "school", "hospital"),
    *("Berlin", "Lisbon", "Cairo", "Toronto", "Kyoto", "Nairobi", "castle", "island", "airport", "valley"),
)
_VERBS = (
    *("paint", "repair", "clean", "open", "carry", "watch", "count", "deliver", "cover", "move", "close", "check"),
    *("borrow", "sketch", "inspect", "order", "measure", "lift", "remember", "describe", "polish", "copy"),
)
_QUALITIES = (
    *("red", "wooden", "broken", "heavy", "quiet", "ancient", "cheap", "golden", "tiny", "famous", "dusty", "blue"),
    *("strange", "bright", "narrow", "wet"),
)
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"

_FRAMES = (
    "{subject} was {doing} the {quality} {object} at the {place}.",
    "Why did the {object} in {place} have to be {done} by {subject}?",
    "In {place} there is the {quality} {object} that {subject} will {do}",
    "What {subject} had {done} for us was the {object}, which is {quality}",
    "Would you {do} our {object} with {subject} when you are in {place}?",
    "{doing} the {object} is what {subject} does",
    "Has any {quality} {object} been {done} from {place}, or was it {subject}?",
    "{place}: {subject} and the {object}",
)
"""Sentences. What stands in braces carries the meaning; the rest are function words, shared by texts about anything."""

_SHARED_AT_LEAST = 2
_MADE_UP, _INFLECTED, _CAPITALISED = 0.15, 0.25, 0.25
"""Shares of the nouns and names."""

_Meaning = dict[str, str]
"""The words of one text by their part in it: `subject`, `verb`, `quality`, `object`, `place`."""


def triple(draw: Draw) -> tuple[str, str, str]:
    """An anchor, a text near to it and a text far from it.

    The near text shares at least two nouns, verbs or names with the anchor, some in another form or with a capital,
    in another order and among other function words. The far text shares function words alone, at times all of them.
    """
    frame, other_frame = draw.sample(_FRAMES, 2)
    meaning = _meaning(draw, ())
    common = sorted((_parts(frame) & _parts(other_frame)) - {"quality"})
    shared = draw.sample(common, draw.randint(_SHARED_AT_LEAST, len(common)))
    near = _meaning(draw, meaning.values()) | {part: meaning[part] for part in shared}
    far = _meaning(draw, {*meaning.values(), *near.values()})
    return (
        _written(draw, frame, meaning, inflected=0),
        _written(draw, other_frame, near, inflected=_INFLECTED),
        _written(draw, draw.choice((frame, other_frame, draw.choice(_FRAMES))), far, inflected=_INFLECTED),
    )


def _parts(frame: str) -> set[str]:
    fields = {field for _, field, _, _ in Formatter().parse(frame) if field}
    return {"verb" if field in {"do", "doing", "done"} else field for field in fields}


def _meaning(draw: Draw, taken: Collection[str]) -> _Meaning:
    """Words that are none of `taken`."""
    found = {"verb": _VERBS, "quality": _QUALITIES, "subject": _SUBJECTS, "object": _OBJECTS, "place": _PLACES}
    meaning = {part: draw.choice([word for word in words if word not in taken]) for part, words in found.items()}
    for part in ("subject", "object", "place"):
        if draw.random() < _MADE_UP:
            meaning[part] = _made_up(draw)
    return meaning


def _made_up(draw: Draw) -> str:
    return "".join(draw.choice(_CONSONANTS) + draw.choice(_VOWELS) for _ in range(3)) + draw.choice(_CONSONANTS)


def _written(draw: Draw, frame: str, meaning: _Meaning, *, inflected: float) -> str:
    """The sentence. `inflected` is the share of objects in the plural."""
    words = {name: word.capitalize() if draw.random() < _CAPITALISED else word for name, word in meaning.items()}
    if draw.random() < inflected:
        words["object"] = _plural(meaning["object"])
    verb = meaning["verb"]
    text = frame.format(**words, do=verb, doing=_with_ending(verb, "ing"), done=_with_ending(verb, "ed"))
    return text[0].upper() + text[1:]


def _plural(noun: str) -> str:
    if noun.endswith("y"):
        return noun.removesuffix("y") + "ies"
    return noun + ("es" if noun.endswith(("s", "z", "x", "ch", "sh")) else "s")


def _with_ending(verb: str, ending: str) -> str:
    if verb.endswith("y") and ending == "ed":
        return verb.removesuffix("y") + "ied"
    return verb.removesuffix("e") + ending
