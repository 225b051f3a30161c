"""The colour names as red, green and blue."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

__all__ = ["Rgb", "draw_color"]

Rgb = tuple[int, int, int]

_VARIANTS: dict[str, tuple[Rgb, ...]] = {
    "red": ((255, 0, 0), (220, 20, 60), (200, 0, 0), (230, 30, 30), (244, 67, 54)),
    "orange": ((255, 165, 0), (255, 140, 0), (255, 127, 0), (245, 130, 30), (255, 152, 0)),
    "yellow": ((255, 255, 0), (255, 215, 0), (255, 235, 59), (240, 230, 20), (255, 221, 0)),
    "green": ((0, 128, 0), (0, 255, 0), (34, 139, 34), (50, 205, 50), (0, 100, 0), (76, 175, 80), (0, 170, 60)),
    "blue": ((0, 0, 255), (0, 0, 205), (30, 144, 255), (65, 105, 225), (0, 0, 139), (33, 150, 243), (0, 0, 128)),
    "purple": ((128, 0, 128), (148, 0, 211), (138, 43, 226), (106, 13, 173), (156, 39, 176)),
    "pink": ((255, 192, 203), (255, 105, 180), (255, 20, 147), (255, 182, 193), (244, 143, 177)),
    "brown": ((165, 42, 42), (139, 69, 19), (160, 82, 45), (121, 85, 72), (101, 67, 33)),
    "black": ((0, 0, 0), (0, 0, 0), (20, 20, 20), (33, 33, 33)),
    "white": ((255, 255, 255), (255, 255, 255), (250, 250, 250), (242, 242, 242)),
    "gray": ((128, 128, 128), (169, 169, 169), (105, 105, 105), (150, 150, 150), (96, 96, 96)),
}
"""Pure and CSS colours of the name come first, then common shades."""

_EXACT_SHARE = 0.65
_FIRST_SHARE = 0.4
_JITTER = 7.0


def draw_color(name: str, random: Random) -> Rgb:
    """A shade of a named colour: often the pure one, now and then a little off. Raises KeyError for no colour."""
    variants = _VARIANTS[name]
    shade = variants[0] if random.random() < _FIRST_SHARE else random.choice(variants)
    if random.random() < _EXACT_SHARE:
        return shade
    red, green, blue = (min(255, max(0, round(channel + random.gauss(0, _JITTER)))) for channel in shade)
    return red, green, blue
