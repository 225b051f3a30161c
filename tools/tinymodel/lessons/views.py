"""Questions about what one picture shows, and their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tools.tinymodel.draw import Draw
from tools.tinymodel.vision.scene import COLORS, MAX_COUNT, SHAPES, Scene, draw_scene

__all__ = [
    "ASKS",
    "BARE",
    "MANY",
    "PAGES",
    "SINGLE",
    "answer",
    "ask",
    "ask_yes_no",
    "describe",
    "draw_view",
    "naming",
]

SINGLE = (
    *("this image", "the image", "this picture", "the picture", "this photo", "the attached image"),
    *("this", "it", "the photo", "the image above", "this image"),
)
PAGES = ("the document", "this document", "this PDF", "the page", "this page", "the file", "the PDF", "page 1")
MANY = ("image", "image", "picture", "photo")

_UNNAMED = "I see an image, but I can't tell what it shows."
_COUNT_WORDS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
ASKS: dict[str, tuple[str, ...]] = {
    "color": (
        "What color is {it}?",
        "What colour is {it}?",
        "Which color is {it}?",
        "What is the color of {it}?",
        "What is the main color of {it}?",
        "What is the dominant color of {it}?",
        "Name the color of {it}.",
        "Tell me the color of {it}.",
        "What color do you see in {it}?",
        "Which color do you see in {it}?",
        "Identify the color of {it}.",
        "What color is shown in {it}?",
    ),
    "thing_color": (
        "What color is the {thing}?",
        "What color is the {thing} in {it}?",
        "What is the color of the {thing} in {it}?",
        "Which color has the {thing} in {it}?",
        "What colour is the {thing}?",
        "Tell me the color of the {thing} in {it}.",
        "Which color is the {thing}?",
    ),
    "background": (
        "What color is the background of {it}?",
        "What is the background color of {it}?",
        "Which color is the background of {it}?",
        "What color is the background?",
        "What is the background color?",
        "Tell me the background color of {it}.",
        "Which background color does {it} have?",
    ),
    "shape": (
        "What shape is in {it}?",
        "Which shape is in {it}?",
        "What shape do you see in {it}?",
        "Which shape do you see?",
        "What shape is this?",
        "Name the shape in {it}.",
        "What is the shape in {it}?",
        "Which shape does {it} show?",
        "What geometric shape is in {it}?",
        "Identify the shape in {it}.",
        "Tell me the shape in {it}.",
    ),
    "count": (
        "How many {things} are in {it}?",
        "How many {things} do you see in {it}?",
        "How many {things} are there in {it}?",
        "Count the {things} in {it}.",
        "How many {things} does {it} show?",
        "How many {things} are there?",
        "What is the number of {things} in {it}?",
        "Tell me how many {things} are in {it}.",
        "How many {things} can you see?",
    ),
    "text": (
        "What does {it} say?",
        "Read {it}.",
        "What text is in {it}?",
        "What is written in {it}?",
        "What is written on {it}?",
        "Read the text in {it}.",
        "Extract the text from {it}.",
        "What text do you see in {it}?",
        "Which word or number is in {it}?",
        "Transcribe {it}.",
        "What text is on {it}?",
        "Give me the text of {it}.",
        "OCR {it}.",
        "What does the text in {it} say?",
    ),
    "digit": (
        "What number is in {it}?",
        "Which number is in {it}?",
        "What number is this?",
        "What number do you see in {it}?",
        "Which digit is in {it}?",
        "What digit is this?",
        "What digit do you see?",
        "Which number does {it} show?",
        "What number does {it} show?",
        "Read the number in {it}.",
        "What is the number in {it}?",
        "What number is written on {it}?",
    ),
    "word": (
        "What word is in {it}?",
        "Which word is in {it}?",
        "Which word does {it} show?",
        "What word do you see in {it}?",
        "Read the word in {it}.",
        "What is the word in {it}?",
        "What word is written on {it}?",
        "Which word is on {it}?",
    ),
    "describe": (
        "Describe {it}.",
        "What is in {it}?",
        "What do you see in {it}?",
        "What does {it} show?",
        "What is this?",
        "Describe {it} in one sentence.",
        "Describe {it} in detail.",
        "Caption {it}.",
        "Write a caption for {it}.",
        "What can you see in {it}?",
        "What's in {it}?",
        "What is shown in {it}?",
        "Explain {it}.",
        "Tell me about {it}.",
        "Give me a short description of {it}.",
        "Tell me what you see.",
        "Write a short text about {it}.",
        "Summarize {it}.",
        "What can you tell me about {it}?",
        "Analyze {it}.",
        "Please describe what you see in {it}.",
        "Describe what is in {it}.",
        "What is happening in {it}?",
        "What is depicted in {it}?",
        "What do you see?",
        "Generate a caption for {it}.",
        "What's going on in {it}?",
        "",
    ),
}
"""Kind of question -> its forms."""
BARE: dict[str, tuple[str, ...]] = {
    "color": (
        " Answer with one word.",
        " One word only.",
        " Just the color.",
        " Answer in one word.",
        " Reply with the color only.",
        " Only the color.",
        " Use one word.",
        " Answer with one lowercase word.",
        " Reply with only the color name.",
        " Reply with exactly one word.",
        " Reply with a single word.",
        " Answer with a single word.",
    ),
    "shape": (
        " Answer with one word.",
        " One word only.",
        " Just the shape.",
        " Answer in one word.",
        " Use one word.",
    ),
    "count": (
        " Answer with a number.",
        " Just the number.",
        " Only the number.",
        " Reply with one number.",
        " Answer with the number only.",
        " Answer with a digit.",
    ),
    "text": (" Answer with the text only.", " Only the text.", " Just the text.", " Answer with nothing else."),
}
"""Kind of question -> endings that ask for the bare value."""
_SHARE_OF_BARE = 0.3


def naming(words: Sequence[str]) -> str:
    """Words in a sentence: `a, b and c`."""
    return ", ".join(words[:-1]) + " and " + words[-1] if len(words) > 1 else words[0]


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def describe(scene: Scene) -> str:
    """One sentence that tells all of a scene."""
    match scene.kind:
        case "plain":
            return f"A plain {scene.color} image."
        case "shapes":
            ground = f"on {_article(scene.background)} {scene.background} background."
            if scene.count == 1:
                return f"{_article(scene.color).capitalize()} {scene.color} {scene.shape} {ground}"
            return f"{_COUNT_WORDS[scene.count]} {scene.color} {_plural(scene.shape)} {ground}"
        case "text":
            noun = "word" if not scene.text.isdigit() else "number"
            return (
                f"The {noun} {scene.text} in {scene.color} on {_article(scene.background)} "
                f"{scene.background} background."
            )
        case _:
            return _UNNAMED


def _plural(shape: str) -> str:
    return shape + ("es" if shape == "cross" else "s")


def answer(kind: str, scene: Scene, *, bare: bool = False) -> str:
    """The answer to a question of a kind; `bare` is the value alone."""
    if scene.kind == "other" or kind == "describe":
        return describe(scene)
    if kind in ("color", "thing_color"):
        return scene.color if bare else f"The color is {scene.color}."
    if kind == "background":
        ground = scene.background or scene.color
        return ground if bare else f"The background is {ground}."
    if kind == "shape":
        if not scene.shape:
            return "I see no shape."
        return scene.shape if bare else f"The shape is {_article(scene.shape)} {scene.shape}."
    if kind == "count":
        if not scene.count:
            return "0" if bare else "I see no shape."
        named = scene.shape if scene.count == 1 else _plural(scene.shape)
        return str(scene.count) if bare else f"There {'is' if scene.count == 1 else 'are'} {scene.count} {named}."
    return scene.text or "I see no text."


def draw_view(draw: Draw, kind: str | None = None) -> tuple[Scene, str]:
    """A scene, and a kind of question that suits it."""
    scene = draw_scene(draw, kind)
    kinds: tuple[str, ...]
    weights: tuple[int, ...]
    match scene.kind:
        case "plain":
            kinds, weights = ("color", "describe", "background", "shape", "count", "text"), (60, 22, 6, 3, 3, 6)
        case "shapes":
            kinds = ("color", "thing_color", "describe", "background", "shape", "count", "text")
            weights = (10, 14, 24, 10, 22, 18, 2)
        case "text":
            value = "digit" if scene.text.isdigit() else "word"
            kinds = ("text", value, "describe", "thing_color", "background", "shape")
            weights = (44, 24, 18, 6, 6, 2)
        case _:
            kinds, weights = ("describe", "color", "shape", "count", "text", "background"), (50, 10, 10, 10, 10, 10)
    return scene, draw.choices(kinds, weights)[0]


def ask(draw: Draw, kind: str, scene: Scene, it: str) -> tuple[str, str]:
    """A question of a kind about the picture that is called `it`, and the answer."""
    forms = ASKS[kind]
    if it not in SINGLE and it not in PAGES:
        forms = tuple(form for form in forms if "{it}" in form)
    thing = draw.choice((scene.shape or "text", "shape" if scene.shape else "word"))
    things = draw.choice((_plural(scene.shape or draw.choice(SHAPES)), "shapes", "objects"))
    text = draw.choice(forms).format(it=it, thing=thing, things=things)
    group = {"thing_color": "color", "background": "color", "digit": "count", "word": "text"}.get(kind, kind)
    bare = group in BARE and draw.random() < _SHARE_OF_BARE
    if bare:
        tail = draw.choice(BARE[group])
        text = f"{tail.strip()} {text}" if draw.random() < 0.2 else text + tail
    return text, answer(kind, scene, bare=bare)


def _altered(draw: Draw, scene: Scene, kind: str) -> Scene:
    """The scene with another value of one field."""
    if kind == "color":
        return replace(
            scene, color=draw.choice([color for color in COLORS if color not in (scene.color, scene.background)])
        )
    if kind == "background":
        return replace(
            scene, background=draw.choice([color for color in COLORS if color not in (scene.color, scene.background)])
        )
    if kind == "shape":
        return replace(scene, shape=draw.choice([shape for shape in SHAPES if shape != scene.shape]))
    if kind == "count":
        return replace(scene, count=draw.choice([n for n in range(1, MAX_COUNT + 1) if n != scene.count]))
    other = draw_scene(draw, "text").text
    return replace(scene, text=other) if other.lower() != scene.text.lower() else _altered(draw, scene, kind)


_CLAIMS: dict[str, tuple[str, ...]] = {
    "color": ("Is {it} {color}?", "Is the color {color}?", "Is it {color}?", "Do you see the color {color}?"),
    "background": ("Is the background {ground}?", "Does {it} have {a_ground} {ground} background?"),
    "shape": (
        "Is the shape {a_shape} {shape}?",
        "Is there {a_shape} {shape} in {it}?",
        "Does {it} show {a_shape} {shape}?",
        "Do you see {a_shape} {shape}?",
        "Is it {a_shape} {shape}?",
    ),
    "count": ("Are there {count} shapes in {it}?", "Is the number of shapes {count}?", "Do you see {count} shapes?"),
    "text": ('Does {it} say "{text}"?', "Does it say {text}?", "Is the text {text}?", "Does {it} show {text}?"),
}


_EITHER: dict[str, tuple[str, ...]] = {
    "color": ("Is {it} {red} or {blue}?", "Is it {red} or {blue}?", "What is the color, {red} or {blue}?"),
    "shape": ("Is it {a_one} {one} or {a_two} {two}?", "Is the shape {a_one} {one} or {a_two} {two}?"),
}


def _ask_either(draw: Draw, kind: str, scene: Scene) -> tuple[str, str]:
    shown = [scene, _altered(draw, scene, kind)]
    draw.shuffle(shown)
    first, second = shown
    text = draw.choice(_EITHER[kind]).format(
        it=draw.choice(SINGLE),
        a_one=_article(first.shape or "x"),
        one=first.shape,
        a_two=_article(second.shape or "x"),
        two=second.shape,
        red=first.color,
        blue=second.color,
    )
    return text, answer(kind, scene)


def _claim(draw: Draw, kind: str, claimed: Scene) -> str:
    claims = _CLAIMS[kind]
    if claimed.count == 1:
        claims = tuple(claim for claim in claims if "{count} shapes" not in claim)
    return draw.choice(claims).format(
        it=draw.choice(SINGLE),
        color=claimed.color,
        ground=claimed.background,
        a_ground=_article(claimed.background or "x"),
        shape=claimed.shape,
        a_shape=_article(claimed.shape or "x"),
        count=claimed.count,
        text=claimed.text,
    )


def ask_yes_no(draw: Draw, scene: Scene) -> tuple[str, str]:
    """A claim about a scene, and whether it is true; or a choice of two values, and the right one."""
    if scene.kind == "other":
        kind = draw.choice(("color", "shape", "text"))
        return _claim(draw, kind, draw_scene(draw, "text" if kind == "text" else "shapes")), _UNNAMED
    kinds = {"plain": ("color",), "shapes": ("color", "background", "shape", "shape", "count")}
    kind = draw.choice(kinds.get(scene.kind, ("text", "text", "background")))
    if kind in _EITHER and draw.random() < 0.2:
        return _ask_either(draw, kind, scene)
    claimed = scene if draw.random() < 0.5 else _altered(draw, scene, kind)
    return _claim(draw, kind, claimed), "Yes." if claimed == scene else "No."
