"""Sizes of the three embedded models. Everything that must agree between training and export stands here once."""

from dataclasses import dataclass

__all__ = ["EMBEDDING", "TEXT", "VISION", "EmbeddingShape", "TextShape", "VisionShape"]

RMS_EPSILON = 1e-6
"""Epsilon of every RMS and layer norm, in training and in the files."""


@dataclass(frozen=True)
class TextShape:
    """A gemma3 decoder. `pattern` n makes every n-th block global; the others see `window` tokens."""

    vocabulary: int
    width: int
    blocks: int
    heads: int
    head_width: int
    feed_forward: int
    window: int
    pattern: int
    context: int
    rope_base: float = 1e6
    rope_base_local: float = 1e4

    def is_global(self, block: int) -> bool:
        """Whether a block attends to the whole context (llama.cpp `set_swa_pattern`)."""
        return block % self.pattern == self.pattern - 1


@dataclass(frozen=True)
class VisionShape:
    """A SigLIP tower with Gemma 3's projector; sizes in pixels, patches and channels."""

    image: int
    patch: int
    width: int
    blocks: int
    heads: int
    feed_forward: int
    pooling: int

    @property
    def patches_per_side(self) -> int:
        """Patches along one side of the square image."""
        return self.image // self.patch

    @property
    def tokens(self) -> int:
        """Soft tokens per image, without the two marker tokens around them."""
        return (self.patches_per_side // self.pooling) ** 2


@dataclass(frozen=True)
class EmbeddingShape:
    """A gemma-embedding encoder with one attention head; `width` is the length of the vectors it gives.

    Every second block is global. Both kinds must occur: llama.cpp allocates the mask of a kind only if a block uses it,
    and fills both. `gains` holds one number per block: how strongly its attention is added.
    """

    vocabulary: int
    width: int
    head_width: int
    feed_forward: int
    window: int
    pattern: int
    gains: tuple[float, ...]
    context: int


VOCABULARY_SIZE = 2048

TEXT = TextShape(
    vocabulary=VOCABULARY_SIZE,
    width=160,
    blocks=6,
    heads=5,
    head_width=32,
    feed_forward=320,
    window=512,
    pattern=2,
    context=8192,
)
VISION = VisionShape(image=128, patch=16, width=128, blocks=4, heads=4, feed_forward=256, pooling=2)
EMBEDDING = EmbeddingShape(
    vocabulary=VOCABULARY_SIZE,
    width=768,
    head_width=256,
    feed_forward=32,
    window=512,
    pattern=2,
    gains=(1.0, 1.0),
    context=2048,
)
