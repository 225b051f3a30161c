"""Scenes as the files that a client sends: PNG images, and PDF documents with one scene on each page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from random import Random

from tools.tinymodel.vision.drawing import render
from tools.tinymodel.vision.scene import Scene

__all__ = ["document", "picture"]

_POINTS_PER_INCH, _PAGE_POINTS = 72, 612


def picture(scene: Scene, random: Random) -> str:
    """A PNG of the scene, in base64."""
    buffer = io.BytesIO()
    render(scene, random).convert("RGB").save(buffer, "PNG")
    return _base64(buffer)


def document(scenes: Sequence[Scene], random: Random) -> str:
    """A PDF with a page for each scene, the first no wider than a letter, in base64.

    Raises ValueError where there is no scene.
    """
    if not scenes:
        raise ValueError("a document needs a page")
    first, *others = [render(scene, random).convert("RGB") for scene in scenes]
    resolution = _POINTS_PER_INCH * max(first.width / _PAGE_POINTS, 1)
    buffer = io.BytesIO()
    first.save(buffer, "PDF", save_all=True, append_images=others, resolution=resolution)
    return _base64(buffer)


def _base64(buffer: io.BytesIO) -> str:
    return base64.b64encode(buffer.getvalue()).decode("ascii")
