"""One question of a given kind about one picture of a given kind, for exams that look at one ability of the eye."""

from __future__ import annotations

from collections.abc import Callable

from tools.tinymodel.conversation import IMAGE, Conversation, Turn
from tools.tinymodel.draw import Draw
from tools.tinymodel.lessons.views import SINGLE, ask
from tools.tinymodel.vision.scene import Kind, Scene, draw_scene

__all__ = ["is_digit", "is_number", "is_single", "is_word", "seen"]


def seen(
    kind: Kind, questions: tuple[str, ...], where: Callable[[Scene], bool] = bool
) -> Callable[[Draw], Conversation]:
    """A lesson: a picture of `kind` that is as `where` wants it, and one of the `questions` about it."""

    def lesson(draw: Draw) -> Conversation:
        scene = draw_scene(draw, kind)
        while not where(scene):
            scene = draw_scene(draw, kind)
        text, answer = ask(draw, draw.choice(questions), scene, draw.choice(SINGLE))
        return Conversation((Turn(IMAGE + text, answer, scenes=(scene,)),))

    return lesson


def is_single(scene: Scene) -> bool:
    """It shows one shape."""
    return scene.count == 1


def is_digit(scene: Scene) -> bool:
    """It shows one digit."""
    return scene.text.isdigit() and len(scene.text) == 1


def is_number(scene: Scene) -> bool:
    """It shows a number of several digits."""
    return scene.text.isdigit() and len(scene.text) > 1


def is_word(scene: Scene) -> bool:
    """It shows a word."""
    return scene.text.isalpha()
