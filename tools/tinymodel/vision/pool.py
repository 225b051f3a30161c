"""Drawn masks that training colours, moves and mirrors anew each time, so that drawing does not eat the time."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

from tools.tinymodel.vision.colors import draw_color
from tools.tinymodel.vision.drawing import PLAIN_SIZES, draw_mask, fit, preprocess, render
from tools.tinymodel.vision.scene import Scene, draw_scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Pool", "draw_pool", "fresh_pictures"]

_CANVAS_LIMIT = 320
_PART_SIZE = 1000
_KIND_WEIGHTS = {"plain": 9, "shapes": 34, "text": 50, "other": 7}
_MAX_SHIFT = 12
_SHIFT_SHARE = 0.7
_NOISE_SHARE = 0.12
_MIRROR_SHARE = 0.4

DrawnKind = Literal["shapes", "text", "other"]
Part = tuple[list[Scene], "NDArray[np.uint8]", "NDArray[np.int16]"]
"""Scenes, their pictures or masks, and the box (left, top, right, bottom) of the canvas in the square."""


def _draw_part(kind: DrawnKind, count: int, size: int, seed: int) -> Part:
    random = Random(f"{kind} {seed}")
    mode = "RGB" if kind == "other" else "L"
    scenes, pictures, boxes = [], [], []
    for _ in range(count):
        scene = draw_scene(random, kind)
        image = render(scene, random) if kind == "other" else draw_mask(scene, random, _CANVAS_LIMIT)
        scaled, (left, top) = fit(image, size)
        square = Image.new(mode, (size, size))
        square.paste(scaled, (left, top))
        scenes.append(scene)
        pictures.append(np.asarray(square))
        boxes.append((left, top, left + scaled.width, top + scaled.height))
    return scenes, np.stack(pictures), np.array(boxes, np.int16)


@dataclass(frozen=True)
class _Drawn:
    scenes: list[Scene]
    pictures: NDArray[np.uint8]
    boxes: NDArray[np.int16]

    @classmethod
    def of(cls, parts: list[Part]) -> _Drawn:
        scenes = [scene for part in parts for scene in part[0]]
        return cls(scenes, np.concatenate([part[1] for part in parts]), np.concatenate([part[2] for part in parts]))


def _box(canvas: tuple[int, int], size: int) -> tuple[int, int, int, int]:
    """Where a canvas (width, height) lies in the square."""
    scaled, (left, top) = fit(Image.new("L", canvas), size)
    return left, top, left + scaled.width, top + scaled.height


def _shifted(mask: NDArray[np.uint8], box: NDArray[np.int16], random: Random) -> NDArray[np.uint8]:
    """The mask moved by some pixels, as far as its ink stays on the canvas."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return mask
    left, top, right, bottom = (int(edge) for edge in box)
    low_y, high_y = max(top - int(rows[0]), -_MAX_SHIFT), min(bottom - 1 - int(rows[-1]), _MAX_SHIFT)
    low_x, high_x = max(left - int(columns[0]), -_MAX_SHIFT), min(right - 1 - int(columns[-1]), _MAX_SHIFT)
    shift = (random.randint(min(low_y, 0), max(high_y, 0)), random.randint(min(low_x, 0), max(high_x, 0)))
    return np.roll(mask, shift, axis=(0, 1))


class Pool:
    """A source of batches."""

    def __init__(self, size: int, drawn: dict[str, _Drawn], seed: int) -> None:
        self._size = size
        self._drawn = drawn
        self._plain_boxes = [_box(canvas, size) for canvas in PLAIN_SIZES]
        self._random = Random(seed)
        self._generator = np.random.Generator(np.random.PCG64(seed))

    def batch(self, count: int) -> tuple[NDArray[np.float32], list[Scene]]:
        """Pixels as `preprocess` gives them, (`count`, 3, size, size), and what they show."""
        kinds = self._random.choices(list(_KIND_WEIGHTS), list(_KIND_WEIGHTS.values()), k=count)
        pixels = np.empty((count, 3, self._size, self._size), np.float32)
        scenes = [self._paint(kind, pixels[index]) for index, kind in enumerate(kinds)]
        pixels /= 127.5
        pixels -= 1
        return pixels, scenes

    def _paint(self, kind: str, target: NDArray[np.float32]) -> Scene:
        random = self._random
        if kind == "other":
            drawn = self._drawn[kind]
            index = random.randrange(len(drawn.scenes))
            target[:] = np.moveaxis(drawn.pictures[index], -1, 0)
            return drawn.scenes[index]
        scene = draw_scene(random, kind)
        drawn = self._drawn["text" if kind == "text" else "shapes"]
        index = random.randrange(len(drawn.scenes))
        left, top, right, bottom = random.choice(self._plain_boxes) if kind == "plain" else drawn.boxes[index]
        target[:] = 0
        canvas = target[:, top:bottom, left:right]
        color = np.array(draw_color(scene.color, random), np.float32)[:, None, None]
        if kind == "plain":
            canvas[:] = color
        else:
            known = drawn.scenes[index]
            scene = replace(scene, shape=known.shape, count=known.count, text=known.text)
            mask = drawn.pictures[index]
            if random.random() < _SHIFT_SHARE:
                mask = _shifted(mask, drawn.boxes[index], random)
            ink = mask[top:bottom, left:right].astype(np.float32) * np.float32(1 / 255)
            if kind == "shapes" and random.random() < _MIRROR_SHARE:
                ink = ink[:, ::-1]
            ground = np.array(draw_color(scene.background, random), np.float32)[:, None, None]
            np.multiply(color - ground, ink, out=canvas)
            canvas += ground
        if random.random() < _NOISE_SHARE:
            strength = np.float32(random.uniform(1, 8))
            canvas += strength * self._generator.standard_normal(canvas.shape, dtype=np.float32)
            np.clip(canvas, 0, 255, out=canvas)
        return scene


def draw_pool(count: int, size: int, seed: int, processes: int = 2) -> Pool:
    """Draw about `count` masks in worker processes. The same arguments give the same pool (with the same fonts)."""
    parts = max(1, count // _PART_SIZE)
    shares: dict[DrawnKind, int] = {"shapes": max(1, parts * 32 // 100), "text": max(1, parts * 63 // 100), "other": 2}
    jobs = [(kind, _PART_SIZE, size, 100_000 * seed + part) for kind, share in shares.items() for part in range(share)]
    with multiprocessing.get_context("fork").Pool(processes) as workers:
        results = workers.starmap(_draw_part, jobs, chunksize=1)
    groups: dict[str, list[Part]] = {}
    for job, result in zip(jobs, results, strict=True):
        groups.setdefault(job[0], []).append(result)
    return Pool(size, {kind: _Drawn.of(group) for kind, group in groups.items()}, seed)


def fresh_pictures(
    count: int, size: int, seed: int, choose: Callable[[Random], Scene] = draw_scene
) -> tuple[NDArray[np.float32], list[Scene]]:
    """Pictures that no pool holds, drawn in full size and preprocessed as the engine does it."""
    random = Random(f"fresh {seed}")
    scenes = [choose(random) for _ in range(count)]
    return np.stack([preprocess(render(scene, random), size) for scene in scenes]), scenes
