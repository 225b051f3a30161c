"""Pictures of scenes as users make them, and what the engine makes of a picture before the tower sees it."""

from __future__ import annotations

import io
import math
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from tools.tinymodel.vision.colors import draw_color
from tools.tinymodel.vision.scene import COLORS, Scene

if TYPE_CHECKING:
    from random import Random

    from numpy.typing import NDArray

__all__ = ["PLAIN_SIZES", "draw_mask", "fit", "preprocess", "render", "to_tower"]

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Box = tuple[float, float, float, float]
Sizes = tuple[tuple[int, int], ...]

_SQUARE_SIZES: Sizes = ((64, 64), (100, 100), (128, 128), (200, 200), (256, 256), (512, 512))
PLAIN_SIZES: Sizes = ((8, 8), (16, 16), (32, 32), *_SQUARE_SIZES, (200, 100), (640, 480), (100, 300))
_SHAPE_SIZES: Sizes = (
    *_SQUARE_SIZES,
    (224, 224),
    (300, 300),
    (400, 400),
    (200, 100),
    (300, 200),
    (640, 480),
    (400, 300),
)
_TEXT_SIZES: Sizes = (*_SQUARE_SIZES, (200, 100), (200, 80), (300, 100), (320, 240), (400, 200), (640, 480), (224, 224))
_PAGE_SIZES: Sizes = ((612, 792), (595, 842), (1275, 1650), (1240, 1754), (850, 1100))
_PAGE_SHARE = 0.4
_PAGE_WIDTH_POINTS = 612
_PAGE_MARGINS = (36, 50, 72, 100)
_FONT_SIZES_ON_PAGES = (72, 72, 96, 100, 120, 144, 150, 180, 200, 250, 300)
_CANVAS_FOR_MANY = 96
_FONT_FOLDERS = ("/usr/share/fonts/truetype", "/usr/share/fonts", "/Library/Fonts", "C:/Windows/Fonts")
_FONT_FILES = (
    *("LiberationSans-Regular.ttf", "LiberationSans-Regular.ttf", "LiberationSans-Bold.ttf", "DejaVuSans.ttf"),
    *("DejaVuSans-Bold.ttf", "LiberationSerif-Regular.ttf", "LiberationSerif-Bold.ttf", "LiberationMono-Regular.ttf"),
    *("LiberationMono-Bold.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf", "arial.ttf", "times.ttf"),
)
_BUILT_IN_SHARE = 0.3
_NOISE_SHARE = 0.1
_JPEG_SHARE = 0.2


@lru_cache(maxsize=1)
def _font_paths() -> tuple[str, ...]:
    """Fonts of this machine that look like what people print with; there may be none."""
    found: dict[str, str] = {}
    for folder in _FONT_FOLDERS:
        for path in sorted(Path(folder).rglob("*.ttf")) if Path(folder).is_dir() else ():
            found.setdefault(path.name, str(path))
    return tuple(found[name] for name in _FONT_FILES if name in found)


@lru_cache(maxsize=2048)
def _font(path: str, size: int) -> Font:
    return ImageFont.truetype(path, size) if path else ImageFont.load_default(size=size)


def _draw_font_path(random: Random) -> str:
    paths = _font_paths()
    return "" if not paths or random.random() < _BUILT_IN_SHARE else random.choice(paths)


def _star(box: Box, points: int = 5, inner: float = 0.42) -> list[tuple[float, float]]:
    left, top, right, bottom = box
    x, y, radius = (left + right) / 2, (top + bottom) / 2, (right - left) / 2
    corners = []
    for index in range(2 * points):
        length = radius if index % 2 == 0 else radius * inner
        angle = math.pi * index / points - math.pi / 2
        corners.append((x + length * math.cos(angle), y + length * math.sin(angle)))
    return corners


def _cross(box: Box, arm: float) -> list[tuple[float, float]]:
    left, top, right, _bottom = box
    side = right - left
    low, high = side * (1 - arm) / 2, side * (1 + arm) / 2
    marks = ((low, 0), (high, 0), (high, low), (side, low), (side, high), (high, high))
    more = ((high, side), (low, side), (low, high), (0, high), (0, low), (low, low))
    return [(left + x, top + y) for x, y in (*marks, *more)]


class _Style:
    """What all shapes of one picture share."""

    def __init__(self, random: Random) -> None:
        self.aspect = random.uniform(0.38, 0.7)
        self.upright = random.random() < 0.25
        self.arm = random.uniform(0.22, 0.42)
        self.inner = random.uniform(0.36, 0.5)
        self.apex = 0.5 if random.random() < 0.8 else random.choice((0.0, 1.0))
        self.top_down = random.random() < 0.08


def _draw_shape(draw: ImageDraw.ImageDraw, shape: str, box: Box, style: _Style) -> None:
    left, top, right, bottom = box
    side = right - left
    match shape:
        case "circle":
            draw.ellipse(box, fill=255)
        case "square":
            draw.rectangle(box, fill=255)
        case "rectangle":
            cut = side * (1 - style.aspect) / 2
            narrow = (left + cut, top, right - cut, bottom) if style.upright else (left, top + cut, right, bottom - cut)
            draw.rectangle(narrow, fill=255)
        case "triangle":
            base, tip = (top, bottom) if style.top_down else (bottom, top)
            draw.polygon([(left, base), (right, base), (left + side * style.apex, tip)], fill=255)
        case "star":
            draw.polygon(_star(box, inner=style.inner), fill=255)
        case "cross":
            draw.polygon(_cross(box, style.arm), fill=255)
        case _:
            raise ValueError(f"unknown shape: {shape}")


def _cells(count: int, size: tuple[int, int], random: Random) -> tuple[int, int]:
    """Columns and rows of a grid with room for `count` shapes: a row, a column, or about a square."""
    wide = size[0] >= size[1]
    if count <= 5 and random.random() < 0.5:
        return (count, 1) if wide or random.random() < 0.7 else (1, count)
    columns = math.ceil(math.sqrt(count * (1.3 if wide else 0.8)))
    rows = math.ceil(count / columns)
    return columns + (random.random() < 0.25), rows + (random.random() < 0.15)


def _shape_boxes(count: int, size: tuple[int, int], random: Random) -> list[Box]:
    width, height = size
    if count == 1:
        side = min(size) * random.choice((random.uniform(0.28, 0.92), random.uniform(0.45, 0.8)))
        if random.random() < 0.6:
            left, top = (width - side) / 2, (height - side) / 2
        else:
            left, top = random.uniform(0, width - side), random.uniform(0, height - side)
        return [(left, top, left + side, top + side)]
    columns, rows = _cells(count, size, random)
    places = [(column, row) for row in range(rows) for column in range(columns)]
    if random.random() < 0.4:
        random.shuffle(places)
    cell_width, cell_height = width / columns, height / rows
    cell = min(cell_width, cell_height)
    side = cell * random.uniform(0.5, 0.85)
    loose = random.random() < 0.5
    boxes: list[Box] = []
    for column, row in places[:count]:
        slack_x, slack_y = cell_width - side, cell_height - side
        shift_x, shift_y = (random.uniform(0.1, 0.9), random.uniform(0.1, 0.9)) if loose else (0.5, 0.5)
        left, top = column * cell_width + slack_x * shift_x, row * cell_height + slack_y * shift_y
        boxes.append((left, top, left + side, top + side))
    return boxes


def _fitted_font(text: str, path: str, wanted: float, room: tuple[float, float]) -> tuple[Font, Box]:
    """The font at the wanted size, or at the largest that fits into the room; and the box of the ink at (0, 0)."""
    size = max(8, round(wanted))
    while True:
        font = _font(path, size)
        box = font.getbbox(text)
        over = max((box[2] - box[0]) / room[0], (box[3] - box[1]) / room[1])
        if over <= 1 or size <= 8:
            return font, (box[0], box[1], box[2], box[3])
        size = max(8, min(size - 1, int(size / over)))


def _write(draw: ImageDraw.ImageDraw, text: str, size: tuple[int, int], random: Random, *, page: bool) -> None:
    width, height = size
    path = _draw_font_path(random)
    if page:
        scale = width / _PAGE_WIDTH_POINTS
        wanted = random.choice(_FONT_SIZES_ON_PAGES) * scale
        room = (width * 0.9, height * 0.6)
    else:
        wanted = height * random.uniform(0.3, 1.1)
        room = (width * random.uniform(0.6, 0.95), height * random.uniform(0.45, 0.92))
    font, box = _fitted_font(text, path, wanted, room)
    free_x, free_y = width - (box[2] - box[0]), height - (box[3] - box[1])
    place = random.random()
    if place < 0.55:
        x, y = free_x / 2, free_y / 2
    elif place < 0.85:
        margin = random.choice(_PAGE_MARGINS) * scale if page else height * random.uniform(0.02, 0.15)
        top = margin * random.choice((1, 1, 2))
        x, y = min(margin if random.random() < 0.7 else free_x / 2, free_x), min(top, free_y)
    else:
        x, y = random.uniform(0.02, 0.98) * free_x, random.uniform(0.02, 0.98) * free_y
    draw.text((round(x - box[0]), round(y - box[1])), text, fill=255, font=font)


def draw_mask(scene: Scene, random: Random, limit: int | None = None) -> Image.Image:
    """Where the colour of a scene of shapes or text is: a grey image, 255 for ink.

    `limit` makes canvases smaller whose longer side would pass it.
    """
    page = scene.kind == "text" and random.random() < _PAGE_SHARE
    sizes = _PAGE_SIZES if page else _TEXT_SIZES if scene.kind == "text" else _SHAPE_SIZES
    if scene.count > 1 or len(scene.text) > 1:
        sizes = tuple(size for size in sizes if max(size) >= _CANVAS_FOR_MANY)
    width, height = random.choice(sizes)
    if limit and max(width, height) > limit:
        factor = limit / max(width, height)
        width, height = round(width * factor), round(height * factor)
    mask = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(mask)
    if scene.kind == "text":
        _write(draw, scene.text, mask.size, random, page=page)
        return mask
    style = _Style(random)
    for box in _shape_boxes(scene.count, mask.size, random):
        _draw_shape(draw, scene.shape, box, style)
    return mask


def _random_rgb(random: Random) -> tuple[int, int, int]:
    return draw_color(random.choice(COLORS), random)


def _draw_other(random: Random) -> Image.Image:
    """Noise, gradients, blobs, stripes or a crowd of colours."""
    width, height = random.choice(_SHAPE_SIZES)
    factor = min(1.0, 320 / max(width, height))
    size = (round(width * factor), round(height * factor))
    generator = np.random.Generator(np.random.PCG64(random.getrandbits(63)))
    match random.choice(("noise", "gradient", "blobs", "stripes", "crowd", "gray noise")):
        case "noise":
            coarse = random.choice((1, 2, 4, 8, 16))
            shape = (max(2, size[1] // coarse), max(2, size[0] // coarse), 3)
            picture = Image.fromarray(generator.integers(0, 256, shape, dtype=np.uint8))
            return picture.resize(size, random.choice((Image.Resampling.NEAREST, Image.Resampling.BILINEAR)))
        case "gray noise":
            picture = Image.fromarray(generator.integers(0, 256, (size[1], size[0]), dtype=np.uint8))
            return picture.convert("RGB")
        case "gradient":
            first, second, third, last = (np.array(generator.integers(0, 256, 3), np.float32) for _ in range(4))
            corners = np.array([[first, second], [third, last]], np.uint8)
            return Image.fromarray(corners).resize(size, Image.Resampling.BICUBIC)
        case "blobs":
            picture = Image.fromarray(generator.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize(size)
            return picture.filter(ImageFilter.GaussianBlur(random.uniform(1, 6)))
        case "stripes":
            picture = Image.new("RGB", size)
            draw = ImageDraw.Draw(picture)
            step, across = max(2, round(max(size) / random.randint(4, 14))), random.random() < 0.5
            for start in range(0, max(size), step):
                end = start + step
                band = (start, 0, end, size[1]) if across else (0, start, size[0], end)
                draw.rectangle(band, fill=_random_rgb(random))
            return picture
    picture = Image.new("RGB", size, _random_rgb(random))
    draw = ImageDraw.Draw(picture)
    for _ in range(random.randint(8, 40)):
        x, y, radius = random.uniform(0, size[0]), random.uniform(0, size[1]), random.uniform(3, min(size) / 3)
        box = (x - radius, y - radius, x + radius, y + radius * random.uniform(0.2, 1))
        if random.random() < 0.5:
            draw.ellipse(box, fill=_random_rgb(random))
        else:
            draw.rectangle(box, fill=_random_rgb(random))
    return picture


def _disturb(image: Image.Image, random: Random) -> Image.Image:
    """Now and then what cameras and JPEG do to a picture."""
    if random.random() < _NOISE_SHARE:
        generator = np.random.Generator(np.random.PCG64(random.getrandbits(63)))
        pixels = np.asarray(image, np.float32)
        noisy = pixels + generator.normal(0, random.uniform(2, 8), pixels.shape)
        image = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    if random.random() < _JPEG_SHARE:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=random.randint(70, 95))
        image = Image.open(buffer).convert("RGB")
    return image


def render(scene: Scene, random: Random) -> Image.Image:
    """A picture of the scene in RGB, in one of many sizes from 8 x 8 pixels to a letter page at 150 dpi."""
    match scene.kind:
        case "other":
            return _draw_other(random)
        case "plain":
            image = Image.new("RGB", random.choice(PLAIN_SIZES), draw_color(scene.color, random))
        case _:
            mask = draw_mask(scene, random)
            paper = Image.new("RGB", mask.size, draw_color(scene.background, random))
            paper.paste(draw_color(scene.color, random), mask=mask)
            image = paper
    return _disturb(image, random)


def fit(image: Image.Image, size: int) -> tuple[Image.Image, tuple[int, int]]:
    """The image scaled to fit into a square of `size`, and where its corner goes.

    From llama.cpp's `tools/mtmd/mtmd-image.cpp`: the engine's resampling is Pillow's bilinear filter; sizes are
    rounded up, offsets down.
    """
    scale = min(np.float32(size) / np.float32(image.width), np.float32(size) / np.float32(image.height))
    width = min(math.ceil(np.float32(image.width) * scale), size)
    height = min(math.ceil(np.float32(image.height) * scale), size)
    return image.resize((width, height), Image.Resampling.BILINEAR), ((size - width) // 2, (size - height) // 2)


def to_tower(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pixels (..., height, width, 3) as the tower's input (..., 3, height, width) from -1 to 1."""
    return np.moveaxis(pixels.astype(np.float32) / np.float32(127.5) - np.float32(1), -1, -3)


def preprocess(image: Image.Image, size: int) -> NDArray[np.float32]:
    """What the engine gives a tower of `size` pixels: (3, `size`, `size`) from -1 to 1, with black padding."""
    scaled, corner = fit(image.convert("RGB"), size)
    square = Image.new("RGB", (size, size))
    square.paste(scaled, corner)
    return to_tower(np.asarray(square))
