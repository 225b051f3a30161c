"""Pictures and documents: what they show, how many there are, and answers about them in JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from localaik.generation.request import JsonMatching
from tools.tinymodel.conversation import IMAGE, Conversation, Turn
from tools.tinymodel.draw import Draw
from tools.tinymodel.lessons.copying import echo
from tools.tinymodel.lessons.facts import fact
from tools.tinymodel.lessons.fields import compact
from tools.tinymodel.lessons.talk import greeting, small_talk
from tools.tinymodel.lessons.views import (
    ASKS,
    MANY,
    PAGES,
    SINGLE,
    answer,
    ask,
    ask_yes_no,
    describe,
    draw_view,
    naming,
)
from tools.tinymodel.lessons.wording import asked, helpful
from tools.tinymodel.vision.scene import COLORS, MAX_COUNT, SHAPES, Scene

__all__ = [
    "document",
    "no_image",
    "one_image",
    "picture_dialogue",
    "picture_json",
    "several_images",
    "unrelated_image",
    "yes_or_no",
]

_ORDINALS = ("first", "second", "third", "fourth", "fifth")
_HOW_MANY_IMAGES = (
    "How many images are there?",
    "How many images did I send?",
    "How many pictures do you see?",
    "How many images do you see?",
    "How many images can you see?",
    "How many pictures are there?",
    "Count the images.",
    "How many photos did I attach?",
    "How many images are attached?",
    "What is the number of images?",
    "How many images did you get?",
    "How many files did I send?",
)
_HOW_MANY_PAGES = (
    "How many pages does the document have?",
    "How many pages are there?",
    "How many pages does this PDF have?",
    "How many pages does the file have?",
    "Count the pages.",
    "How long is this document?",
    "What is the number of pages?",
    "How many pages do you see?",
    "How many pages are in this document?",
    "How many pages has the PDF?",
)
_JUST_NUMBER = (" Answer with a number.", " Just the number.", " Only the number.", " Reply with one number.")
_ALL = (
    "Describe the images.",
    "Describe each image.",
    "What do the images show?",
    "What is in these images?",
    "Describe all images.",
    "Describe these pictures.",
    "What do you see in these images?",
    "What are these?",
    "",
)
_READ_ALL = (
    "What does the document say?",
    "Read the document.",
    "What is in this PDF?",
    "Summarize this document.",
    "Summarize this PDF.",
    "What is written in the document?",
    "Extract the text of the document.",
    "What does this file say?",
    "Give me the text of all pages.",
    "Transcribe this document.",
    "What does this PDF contain?",
    "Give me a summary of this document.",
    "What is this document about?",
    "Extract all text.",
)
_NO_IMAGE = "I see no image."
_SHOWN_AGAIN = ("And this one?", "And this?", "What about this one?", "And now?", "And this image?", "How about this?")
_JSON_ORDERS = (
    "Answer in JSON.",
    "Describe this image as JSON.",
    "Describe the image.",
    "What is in this image?",
    "Extract the data from the image.",
    "Fill in the form.",
    "Analyze this image.",
    "What do you see?",
    "",
)


def _beside(draw: Draw, marks: str, text: str) -> str:
    return text + marks if text and draw.random() < 0.3 else marks + text


def _single(draw: Draw, text: str, reply: str, scene: Scene) -> Conversation:
    return Conversation((Turn(_beside(draw, IMAGE, text), reply, scenes=(scene,)),), system=helpful(draw, 0.08))


def one_image(draw: Draw) -> Conversation:
    """One question about one picture."""
    scene, kind = draw_view(draw)
    if draw.random() < 0.06:
        return _single(draw, asked(draw, draw.choice(_HOW_MANY_IMAGES)), "There is 1 image.", scene)
    text, reply = ask(draw, kind, scene, draw.choice(SINGLE))
    return _single(draw, asked(draw, text), reply, scene)


def yes_or_no(draw: Draw) -> Conversation:
    """A statement about a picture, true in half of the cases."""
    scene, _ = draw_view(draw)
    text, reply = ask_yes_no(draw, scene)
    return _single(draw, asked(draw, text), reply, scene)


def unrelated_image(draw: Draw) -> Conversation:
    """A picture beside a request that has nothing to do with it."""
    turn = draw.choice((greeting, fact, fact, echo, echo, small_talk))(draw).turns[0]
    if not turn.user:
        return unrelated_image(draw)
    scene, _ = draw_view(draw)
    return _single(draw, turn.user, turn.answer, scene)


def no_image(draw: Draw) -> Conversation:
    """A question about a picture that was not sent."""
    kind = draw.choice(("color", "background", "shape", "text", "digit", "word", "describe", "describe"))
    it = draw.choice([name for name in (*SINGLE, *PAGES) if " " in name])
    text = draw.choice([form for form in ASKS[kind] if "{it}" in form]).format(it=it)
    if draw.random() < 0.12:
        text = draw.choice(_HOW_MANY_IMAGES)
    earlier = draw.choice((greeting, fact, small_talk))(draw).turns if draw.random() < 0.2 else ()
    return Conversation((*earlier, Turn(asked(draw, text), _NO_IMAGE)), system=helpful(draw, 0.08))


def _count(draw: Draw, number: int, pages: bool) -> tuple[str, str]:
    text = draw.choice(_HOW_MANY_PAGES if pages else _HOW_MANY_IMAGES)
    if draw.random() < 0.2:
        return text + draw.choice(_JUST_NUMBER), str(number)
    if pages:
        return asked(draw, text), f"The document has {number} page{'s' if number > 1 else ''}."
    return asked(draw, text), f"There {'are' if number > 1 else 'is'} {number} image{'s' if number > 1 else ''}."


def _pointed(draw: Draw, number: int, noun: str) -> tuple[int, str]:
    """An index, and what the picture there is called."""
    index = draw.randrange(number)
    if index == number - 1 and draw.random() < 0.3:
        return index, f"the last {noun}"
    if draw.random() < 0.4:
        return index, f"{noun} {index + 1}"
    return index, f"the {_ORDINALS[index]} {noun}"


def _same(draw: Draw, scenes: Sequence[Scene]) -> tuple[str, str]:
    forms = ("Do {} have the same color?", "Are {} the same color?", "Is the color of {} the same?")
    both = "both images" if len(scenes) == 2 else "all images"
    text = draw.choice(forms).format(draw.choice((both, "the images", "these images")))
    return text, "Yes." if len({scene.color for scene in scenes}) == 1 else "No."


def _about_many(draw: Draw, scenes: Sequence[Scene], kinds: Sequence[str]) -> tuple[str, str]:
    chance = draw.random()
    if chance < 0.16:
        return _count(draw, len(scenes), pages=False)
    if chance < 0.26 and "other" not in kinds:
        return _same(draw, scenes)
    if chance < 0.38:
        lines = (f"{number}. {describe(scene)}" for number, scene in enumerate(scenes, 1))
        return draw.choice(_ALL), "\n".join(lines)
    if chance < 0.48:
        colors = [scene.color for scene in scenes]
        index = draw.randrange(len(scenes))
        if all(colors) and colors.count(colors[index]) == 1:
            forms = ("Which image is {}?", "Which picture is {}?", "Which of the images is {}?", "Which one is {}?")
            return draw.choice(forms).format(colors[index]), f"The {_ORDINALS[index]} image."
    noun = draw.choice(MANY)
    index, it = _pointed(draw, len(scenes), noun)
    return ask(draw, kinds[index], scenes[index], it)


def several_images(draw: Draw) -> Conversation:
    """Two to four pictures in one message, and a question about one of them or all."""
    views = [draw_view(draw) for _ in range(draw.choice((2, 2, 2, 3, 3, 4)))]
    scenes, kinds = [scene for scene, _ in views], [kind for _, kind in views]
    if draw.random() < 0.3:
        scenes[-1] = replace(scenes[0])
        kinds[-1] = kinds[0]
    text, reply = _about_many(draw, scenes, kinds)
    text = asked(draw, text) if text else text
    if draw.random() < 0.15:
        labelled = "\n".join(f"Image {number}: {IMAGE}" for number in range(1, len(scenes) + 1))
        user = f"{text}\n{labelled}" if draw.random() < 0.3 else f"{labelled}\n{text}"
    else:
        user = _beside(draw, IMAGE * len(scenes), text)
    turn = Turn(user.strip(), reply, scenes=tuple(scenes))
    return Conversation((turn,), system=helpful(draw, 0.08))


def document(draw: Draw) -> Conversation:
    """The pages of a PDF, and what they say."""
    number = draw.choice((1, 1, 2, 2, 3, 3, 4, 5))
    scenes = [draw_view(draw, "text")[0] for _ in range(number)]
    chance = draw.random()
    if chance < 0.25:
        text, reply = _count(draw, number, pages=True)
    elif chance < 0.5:
        text, reply = asked(draw, draw.choice(_READ_ALL)), "\n".join(scene.text for scene in scenes)
    elif chance < 0.57:
        beyond = number + draw.randint(1, 4)
        form = draw.choice([form for form in ASKS["text"] if "{it}" in form])
        text, reply = form.format(it=f"page {beyond}"), f"There is no page {beyond}."
    elif number == 1:
        text, reply = ask(draw, "text", scenes[0], draw.choice(PAGES))
    else:
        index, it = _pointed(draw, number, "page")
        kind = "text" if draw.random() < 0.8 else draw.choice(("describe", "color", "background"))
        text, reply = ask(draw, kind, scenes[index], it)
    turn = Turn(_beside(draw, IMAGE * number, text), reply, scenes=tuple(scenes))
    return Conversation((turn,), system=helpful(draw, 0.08))


def picture_dialogue(draw: Draw) -> Conversation:
    """Pictures over turns: a new one with the same question, or another question about the last one."""
    scene, kind = draw_view(draw)
    text, reply = ask(draw, kind, scene, draw.choice(SINGLE))
    turns = [Turn(_beside(draw, IMAGE, asked(draw, text)), reply, scenes=(scene,))]
    if draw.random() < 0.5:
        bare = reply != answer(kind, scene)
        for _ in range(draw.choice((1, 1, 2))):
            following = draw_view(draw)[0]
            again = draw.choice(_SHOWN_AGAIN)
            turns.append(
                Turn(_beside(draw, IMAGE, again), answer(kind, following, bare=bare), scenes=(following,)),
            )
    else:
        if draw.random() < 0.3:
            turns.extend(draw.choice((greeting, fact, echo, small_talk))(draw).turns)
        for kind in draw.sample(("color", "background", "shape", "count", "text", "describe"), draw.choice((1, 2))):
            text, reply = ask(draw, kind, scene, draw.choice(SINGLE))
            turns.append(Turn(asked(draw, text), reply))
    return Conversation(tuple(turns), system=helpful(draw, 0.08))


def _members(draw: Draw, scene: Scene) -> dict[str, tuple[dict[str, object], object]]:
    """Key -> schema and value of what can be told about a scene."""
    members: dict[str, tuple[dict[str, object], object]] = {
        draw.choice(("description", "caption", "summary")): ({"type": "string"}, describe(scene)),
    }
    if scene.color:
        colors: dict[str, object] = {"type": "string"}
        if draw.random() < 0.25:
            colors["enum"] = list(COLORS)
        members["color"] = colors, scene.color
    if scene.background:
        members[draw.choice(("background", "background_color"))] = {"type": "string"}, scene.background
    if scene.shape:
        shapes: dict[str, object] = {"type": "string"}
        if draw.random() < 0.25:
            shapes["enum"] = list(SHAPES)
        members["shape"] = shapes, scene.shape
        counts: dict[str, object] = {"type": "integer"}
        if draw.random() < 0.2:
            counts |= {"minimum": 0, "maximum": MAX_COUNT}
        members[draw.choice(("count", "number_of_shapes", "amount"))] = counts, scene.count
    if scene.text:
        members[draw.choice(("text", "content", "word"))] = {"type": "string"}, scene.text
        if scene.text.isdigit():
            members[draw.choice(("number", "value", "digit"))] = {"type": "integer"}, int(scene.text)
    return members


def picture_json(draw: Draw) -> Conversation:
    """JSON about a picture: under a schema, or with the keys that the text asks for."""
    scene, _ = draw_view(draw)
    members = _members(draw, scene)
    keys = draw.sample(sorted(members), min(len(members), draw.choice((1, 2, 2, 3, 4))))
    value = {key: members[key][1] for key in keys}
    if draw.random() < 0.3:
        forms = ("Return JSON with {}.", "Give me {} as JSON.", "Answer as JSON with {}.", "JSON with the keys {}.")
        return _single(draw, draw.choice(forms).format(naming(keys)), compact(value), scene)
    schema: dict[str, object] = {
        "type": "object",
        "properties": {key: members[key][0] for key in keys},
        "required": keys,
    }
    if draw.random() < 0.4:
        schema["additionalProperties"] = False
    asked_for = draw.choice(_JSON_ORDERS)
    return replace(
        _single(draw, asked_for, compact(value), scene), output=JsonMatching(schema, "response_format"), system=""
    )
